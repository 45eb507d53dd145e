"""Output files (reports, tables): each is written completely or not at all; an error says what to do.

A file is written under a temporary name in the same folder and then renamed. A reader never sees half a page, and an
older file of the same name remains until the new file is complete.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from daasbench.errors import OutputError

NOTHING_WRITTEN = "nothing of the report was written, the records are untouched"
_OTHER_PATH = "name another path with {option}"
_FIXES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space within your quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.EROFS: f"this file system is read-only: {_OTHER_PATH}",
    **dict.fromkeys((errno.EACCES, errno.EPERM), f"you may not write there: {_OTHER_PATH}, or get permission to write"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), f"a file has the name of a folder: rename it, or {_OTHER_PATH}"),
    errno.EISDIR: f"a folder has the name of a file: rename it, or {_OTHER_PATH}",
    errno.ENOENT: f"that folder cannot be created: {_OTHER_PATH}",
    errno.ENAMETOOLONG: "use a shorter name with {option}",
    errno.ELOOP: f"symbolic links point to each other: remove them, or {_OTHER_PATH}",
    errno.EIO: f"the disk reports an error: tell its administrator, and {_OTHER_PATH}",
}


def cause_of(error: OSError) -> str:
    """Return the operating system's message about a failure: ``"No space left on device"``."""
    return os.strerror(error.errno) if error.errno else str(error)


def fix_of(error: OSError, option: str) -> str:
    """Return what a person can do about a file that cannot be written.

    Parameters
    ----------
    option
        The option of the command that names another folder: ``"--out"``.
    """
    return _FIXES.get(error.errno or 0, "check the file and its folder").format(option=option)


def output_error(path: Path, error: OSError, *, option: str, state: str) -> OutputError:
    """Return the error for a file that cannot be written: the path, the cause, the present state, and the fix."""
    return OutputError(f"{path}: cannot be written ({cause_of(error)}); {state}; {fix_of(error, option)}")


def write_texts(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write all of `texts` (content by name) into `folder`, which is created; return the paths in their order.

    All files are written under temporary names before the first is renamed.

    Raises
    ------
    OutputError
        If a file cannot be written; the message names the files that were written.
    """
    parts: dict[Path, Path] = {}
    done: list[str] = []
    where = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for index, (name, text) in enumerate(texts.items()):
            where = folder / name
            parts[where] = part = _part(folder, index)
            with part.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
        for where, part in parts.items():
            part.replace(where)
            done.append(where.name)
    except OSError as error:
        part_of_it = f"only {', '.join(done)} of the report could be written, the records are untouched"
        state = part_of_it if done else NOTHING_WRITTEN
        raise output_error(where, error, option="--out", state=state) from error
    finally:
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink()
    return list(parts)


@contextlib.contextmanager
def replacing(path: Path, option: str) -> Iterator[Path]:
    """Yield the temporary path of one file; rename it to `path` at the end, or remove it after an error.

    A path that is not a regular file (a pipe, ``/dev/stdout``) is written directly.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    part = _part(target.parent, 0)
    try:
        if target.exists() and not target.is_file():
            yield target
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(target)
    except OSError as error:
        raise output_error(path, error, option=option, state="nothing of it was written") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _part(folder: Path, index: int) -> Path:
    return folder / f".daasbench-{os.getpid()}-{index}.part"
