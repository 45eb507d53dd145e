"""Files without a name: they are on storage and disappear when the last process closes them, however it ends."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import MissingRequirement

U8 = NDArray[np.uint8]

PAGE = 4096
_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_SPARE = 1.1  # times the space that is needed: a full disk is slow, and other users need space
_FIX = "choose another folder with the option folder"


def storage_folder(folder: str, needed_bytes: int) -> Path:
    """Return the folder for files of `needed_bytes` in total; ``""``: the folder for temporary files.

    Raises
    ------
    MissingRequirement
        If the folder does not exist, is not writable, is in memory, or is full.
    """
    path = Path(folder or tempfile.gettempdir()).resolve()
    if not (path.is_dir() and os.access(path, os.W_OK | os.X_OK)):
        raise MissingRequirement(f"{path}: is not a writable folder", _FIX)
    kind = filesystem_of(path)
    if kind in _MEMORY:
        raise MissingRequirement(f"{path}: this folder is in memory ({kind}), not on storage", _FIX)
    free = shutil.disk_usage(path).free
    if free < _SPARE * needed_bytes:
        raise MissingRequirement(
            f"{path}: the probe writes {needed_bytes / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free", _FIX
        )
    return path


def filesystem_of(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """Return the type of the file system of `path`; ``""`` if the system does not list it."""
    if not mounts.exists():
        return ""
    lines = [line.split() for line in mounts.read_text().splitlines()]
    found = [(place, kind) for _, place, kind, *_ in lines if path.is_relative_to(place.replace("\\040", " "))]
    return max(found, key=lambda one: len(one[0]), default=("", ""))[1]


def new_file(folder: Path) -> IO[bytes]:
    """Return an empty, unbuffered file without a name, open for writing and reading."""
    return tempfile.TemporaryFile(dir=folder, buffering=0)


class Stored:
    """A written file of `size` bytes; it is deleted together with this object."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.size = file, size
        weakref.finalize(self, file.close)

    def content(self) -> U8:
        """Return u8[size], read back from the device: the pages in the page cache are dropped first."""
        drop(self.file)
        if os.fstat(self.file.fileno()).st_size != self.size:
            return np.empty(0, np.uint8)
        return np.frombuffer(mmap.mmap(self.file.fileno(), self.size, access=mmap.ACCESS_READ), np.uint8)


def stored(folder: Path, data: U8) -> Stored:
    """Return a new file with `data`; the system has reported that the data are on the device."""
    file = new_file(folder)
    write_all(file, data)
    os.fsync(file.fileno())
    return Stored(file, data.size)


def drop(file: IO[bytes]) -> None:
    """Drop the pages of a file from the page cache; the file must be on the device."""
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def resident_share(file: IO[bytes], size: int) -> float:
    """Return the share of the pages of a file that is in the page cache, 0 to 1."""
    with mmap.mmap(file.fileno(), size) as pages:
        start = ctypes.c_char.from_buffer(pages)
        found = np.zeros(-(-size // mmap.PAGESIZE), np.uint8)
        libc: Any = ctypes.CDLL(None, use_errno=True)
        status = libc.mincore(
            ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), ctypes.c_void_p(found.ctypes.data)
        )
        del start  # otherwise the mapping cannot be closed
        if status != 0:
            raise MissingRequirement(f"mincore: {os.strerror(ctypes.get_errno())}", "use the implementation system")
    return float((found & 1).mean())


def require_cold(file: IO[bytes], size: int, folder: Path) -> None:
    """Raise MissingRequirement if pages of a file cannot be dropped: a read would then come from memory."""
    drop(file)
    share = resident_share(file, size)
    if share > 0:
        message = f"{folder}: {share:.0%} of a file remains in the page cache, although the system was asked to drop it"
        raise MissingRequirement(message, f"{_FIX}, or use the implementation system, which bypasses the cache")


def past_the_cache(file: IO[bytes], on: bool, folder: Path) -> None:
    """Switch reads and writes past the page cache on or off; raise MissingRequirement if not supported."""
    flags = fcntl.fcntl(file, fcntl.F_GETFL)
    try:
        fcntl.fcntl(file, fcntl.F_SETFL, flags | os.O_DIRECT if on else flags & ~os.O_DIRECT)
    except OSError as error:
        message = f"{folder}: its file system does not support reads and writes past the page cache ({error.strerror})"
        raise MissingRequirement(message, f"{_FIX}, or use the implementation numpy") from error


def write_all(file: IO[bytes], data: Any, offset: int = 0) -> None:
    """Write all of `data` from `offset` on, with as many calls as the system needs."""
    view = memoryview(data)
    done = 0
    while done < len(view):
        done += os.pwrite(file.fileno(), view[done : done + 2**30], offset + done)


def read_all(file: IO[bytes], buffer: Any, offset: int = 0) -> None:
    """Fill `buffer` from `offset` on; raise OSError if the file ends before the last page of the buffer."""
    view = memoryview(buffer)
    done = 0
    while done < len(view):
        count = os.preadv(file.fileno(), [view[done : done + 2**30]], offset + done)
        done += count
        if not count or count % PAGE:  # the end
            break
    if len(view) - done >= PAGE:
        raise OSError(f"a file ended {len(view) - done} bytes too early")
