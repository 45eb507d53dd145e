"""The measured files that a case names: their paths, and the hash of their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from daasbench.errors import InputError

DATA = "data:"  # prefix of files in the folder DAASBENCH_DATA
DATA_FOLDER = "../shared/data"  # if DAASBENCH_DATA is not set
SAMPLE_BYTES = 1 << 26
SAMPLES = 16


def find_file(text: str, folder: Path) -> Path | None:
    """Return the absolute path of the file that `text` names; None if it is a ``data:`` file that is missing.

    Parameters
    ----------
    text
        A path, relative to `folder`, or ``data:`` and a path below DAASBENCH_DATA.

    Raises
    ------
    InputError
        If there is no such file, or it is a folder; the caller adds file and key of the scenario to the message.
    """
    if text.startswith(DATA):
        path = Path(os.environ.get("DAASBENCH_DATA") or DATA_FOLDER) / text.removeprefix(DATA)
        return path.resolve() if path.is_file() else None
    if not text.strip():
        raise InputError("is empty; name a file")
    path = (folder / Path(text).expanduser()).resolve()
    if path.is_dir():
        raise InputError(f"{text!r} is a folder; name a file in it")
    if not path.exists():
        message = "" if Path(text).is_absolute() else f" in {folder.resolve()}"
        raise InputError(f"no such file {text!r}{message}")
    if not path.is_file():
        raise InputError(f"{text!r} is not a file")
    return path


def content_hash(paths: Mapping[str, str]) -> str:
    """Return a hash of the content of files and of the purpose of each (the keys); their names do not count.

    For a file above 1 GiB the hash covers its size and 16 evenly spaced samples of 64 MiB. If an HDF5 file has links to
    other files, these are not covered.
    """
    total = hashlib.sha256()
    for purpose, path in sorted(paths.items()):
        total.update(f"{purpose}\0".encode())
        total.update(_file_hash(Path(path)))
    return total.hexdigest()[:16]


def _file_hash(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        with open(path, "rb") as stream:
            if size <= SAMPLES * SAMPLE_BYTES:
                return hashlib.file_digest(stream, "sha256").digest()
            content = hashlib.sha256(str(size).encode())
            for step in range(SAMPLES):
                stream.seek(step * (size - SAMPLE_BYTES) // (SAMPLES - 1))
                content.update(stream.read(SAMPLE_BYTES))
            return content.digest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
