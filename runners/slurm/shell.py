"""Where Slurm's commands are typed and where a run's files lie: this machine, or another over ssh (:mod:`.ssh`)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from daasbench.errors import LedgerError, Unreachable
from daasbench.records import RECORDS_FILE

NOT_FOUND = 127  # the code of a shell whose command does not exist
SETTINGS = {"TZ": "UTC", "SLURM_TIME_FORMAT": "standard", "LC_ALL": "C"}


class Answer(msgspec.Struct, frozen=True):
    """What a command said, whatever its exit code."""

    code: int
    out: str
    err: str


class Shell(Protocol):
    """A place whose commands and files can be reached.

    Every method may raise Unreachable: the place does not answer, and what was asked of it may have happened or
    not. Paths there are text, absolute.
    """

    @property
    def where(self) -> str:
        """Return ``user@host``; "" is this machine."""
        ...

    def run(self, words: Sequence[str], *, stdin: str | None = None, timeout_s: float = 60.0) -> Answer:
        """Return what a command said there; a program that does not exist answers with code 127.

        Raises
        ------
        Unreachable
            Also when the command does not end within `timeout_s`.
        """
        ...

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents; nothing happens if it is there."""
        ...

    def write(self, files: Mapping[str, str], folder: str) -> int:
        """Write whole files, by path relative to `folder` (temporary name, then rename); return the bytes sent.

        Raises
        ------
        LedgerError
            The place refuses them: the disk is full, the folder is not ours. Nothing is half written.
        """
        ...

    def put(self, file: Path, path: str) -> int:
        """Copy one file of ours to `path` there, unless one of its size is there; return the bytes sent."""
        ...

    def read(self, paths: Sequence[str]) -> dict[str, str]:
        """Return the text of those files that exist, in one question."""
        ...

    def fetch(self, names: Sequence[str], folder_there: str, folder_here: Path) -> int:
        """Copy those of the named files that exist into a folder of ours, by :func:`keep`; return the bytes copied.

        May be repeated while they grow.
        """
        ...


def keep(name: str, content: bytes, folder: Path) -> int:
    """Merge what came of a file into the one that is here; return the bytes that are new.

    A ledger gains the whole lines that it lacks and loses none; a torn last line is left for the next time. Any
    other file is replaced, unless what came is shorter: an earlier copy of it.
    """
    path = folder / name
    try:
        here = path.read_bytes() if path.exists() else b""
        if name == RECORDS_FILE:
            whole = content[: content.rfind(b"\n") + 1]
            known = set(here.splitlines())
            absent = [line for line in whole.splitlines() if line not in known]
            gap = b"" if not here or here.endswith(b"\n") else b"\n"
            new = here + gap + b"".join(line + b"\n" for line in absent) if absent else here
        else:
            new = content if len(content) >= len(here) else here
        if new == here and path.exists():
            return 0
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(path, new)
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror}; what it would have held is still where it was measured"
        raise LedgerError(message) from error
    return len(new) - len(here) if name == RECORDS_FILE else len(new)


def _write_whole(path: Path, content: bytes) -> None:
    """Write under a temporary name and rename: who reads the file sees it whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


class Here:
    """This machine: a login node, or any that sees the cluster's commands and file system."""

    where = ""

    def run(self, words: Sequence[str], *, stdin: str | None = None, timeout_s: float = 60.0) -> Answer:
        """Return what a command said; Unreachable if it does not end within `timeout_s`."""
        try:
            ended = subprocess.run(
                list(words),
                input=(stdin or "").encode(),
                capture_output=True,
                timeout=timeout_s,
                check=False,
                # what is asked answers in UTC and in English; what is submitted keeps the user's own settings
                env={**os.environ, **({} if Path(words[0]).name == "sbatch" else SETTINGS)},
            )
        except FileNotFoundError as error:
            return Answer(NOT_FOUND, "", f"{error.filename or words[0]}: no such program")
        except PermissionError as error:
            return Answer(126, "", f"{error.filename or words[0]}: may not be run")
        except subprocess.TimeoutExpired as error:
            message = f"{words[0]} did not answer within {timeout_s:g} s"
            raise Unreachable(f"{message}; nothing is lost: the same command goes on later") from error
        return Answer(ended.returncode, ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace"))

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents."""
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"{path}: cannot be made: {error.strerror}") from error

    def write(self, files: Mapping[str, str], folder: str) -> int:
        """Write whole files; return 0: nothing travels."""
        for name, text in files.items():
            path = Path(folder) / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                _write_whole(path, text.encode())
            except OSError as error:
                raise LedgerError(f"{path}: cannot be written: {error.strerror}; nothing was started") from error
        return 0

    def put(self, file: Path, path: str) -> int:  # noqa: ARG002  (it is here already)
        """Return 0: the file is here, and is read where it is."""
        return 0

    def read(self, paths: Sequence[str]) -> dict[str, str]:
        """Return the text of those files that exist."""
        found = {}
        for path in paths:
            try:
                found[path] = Path(path).read_text(errors="replace")
            except FileNotFoundError:
                continue
            except OSError as error:
                raise Unreachable(f"{path}: cannot be read: {error.strerror}") from error
        return found

    def fetch(self, names: Sequence[str], folder_there: str, folder_here: Path) -> int:
        """Copy files between two folders of this machine; nothing, if they are the same."""
        if Path(folder_there).resolve() == folder_here.resolve():
            return 0
        copied = 0
        for name in names:
            path = Path(folder_there) / name
            if path.is_file():
                copied += keep(name, path.read_bytes(), folder_here)
        return copied
