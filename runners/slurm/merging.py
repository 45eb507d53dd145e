"""Merge the fetched part of a job's file into the local copy: no line is lost or added twice."""

from __future__ import annotations

import os
from pathlib import Path

from daasbench.errors import LedgerError
from daasbench.records.layout import LOG_FILE, RECORDS_FILE

GROWING = (RECORDS_FILE, LOG_FILE)  # files that are only ever appended to; they are fetched in parts
OVERLAP_BYTES = 1024  # fetched again, to verify that the local copy is the beginning of the remote file


def merge_file(name: str, content: bytes, folder: Path) -> int:
    """Merge the fetched content of a file into the local copy; return the number of new bytes.

    A ledger gains the complete lines that it does not have, and loses none. An incomplete last line is ignored, because
    it is fetched again later. Any other file is replaced, unless the content is shorter: then it is an earlier copy.
    """
    path = folder / name
    try:
        local = path.read_bytes() if path.exists() else b""
        if name == RECORDS_FILE:
            complete = content[: content.rfind(b"\n") + 1]
            known = set(local.splitlines())
            missing = [line for line in complete.splitlines() if line not in known]
            gap = b"" if not local or local.endswith(b"\n") else b"\n"
            merged = local + gap + b"".join(line + b"\n" for line in missing) if missing else local
        else:
            merged = content if len(content) >= len(local) else local
        if merged == local and path.exists():
            return 0
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, merged)
    except OSError as error:
        raise _cannot_write(path, error) from error
    return len(merged) - len(local) if name == RECORDS_FILE else len(merged)


def first_byte(path: Path) -> int:
    """Return the byte from which a file is fetched: for a growing file, shortly before the end of the local copy."""
    if path.name not in GROWING:
        return 0
    try:
        return max(0, path.stat().st_size - OVERLAP_BYTES)
    except OSError:
        return 0


def append_new(path: Path, begin: int, content: bytes) -> bool:
    """Append the part of `content` (which starts at byte `begin`) that the local copy does not have.

    Return False if the local copy is not the beginning of the remote file. Only complete lines are appended to a
    ledger; an incomplete line is fetched again later.
    """
    try:
        size = path.stat().st_size if path.exists() else 0
        overlap = size - begin
        if len(content) < overlap:
            return True  # an earlier state of the file: the local copy stays as it is
        if overlap:
            with open(path, "rb") as stream:
                stream.seek(begin)
                if stream.read(overlap) != content[:overlap]:
                    return False
        new = content[overlap:]
        if path.name == RECORDS_FILE:
            new = new[: new.rfind(b"\n") + 1]
        if new or not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "ab") as stream:
                stream.write(new)
    except OSError as error:
        raise _cannot_write(path, error) from error
    return True


def write_whole(path: Path, content: bytes) -> None:
    """Write under a temporary name and rename, so that a reader sees the whole file or none."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _cannot_write(path: Path, error: OSError) -> LedgerError:
    return LedgerError(
        f"{path}: cannot be written: {error.strerror}; the file on the machine that measured is unchanged"
    )
