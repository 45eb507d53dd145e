"""The kernel's page cache: how much of a file it holds, and how to load and evict files.

A page that a process has mapped cannot be evicted. Other caches cannot be read or emptied by a program: those for
names and sizes of files, and those of a network file system's client, of a disk, or of a hypervisor.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

PROC = Path("/proc")
CHUNK = 1 << 20  # bytes per read
METHOD = "posix_fadvise"
"""How files are evicted: one by one, so that processes that do not use them are not disturbed."""


def cached_bytes(paths: Iterable[str | Path]) -> int:
    """Return how many bytes of the files are in memory, in whole pages.

    A file that this user neither owns nor may write counts as completely in memory, because the kernel does not tell.
    A file that does not exist counts as 0.

    Raises
    ------
    OSError
        If this system does not tell which pages are in memory.
    """
    ask = _mincore()
    return sum(_cached(ask, path) for path in paths)


def evict(paths: Iterable[str | Path]) -> None:
    """Ask the kernel to drop the pages of the files, after their changes are written to the disk."""
    for path in paths:
        with contextlib.suppress(OSError):  # `cached_bytes` counts the pages that remain
            descriptor = os.open(path, os.O_RDONLY)
            try:
                with contextlib.suppress(OSError):  # a file system that is read only
                    os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def load(paths: Iterable[str | Path]) -> None:
    """Read the files once, so that they are in memory if they fit."""
    room = bytearray(CHUNK)
    for path in paths:
        with contextlib.suppress(OSError), open(path, "rb", buffering=0) as stream:
            while stream.readinto(room):
                pass


def files_in_use() -> list[str]:
    """Return the files that this process has loaded: modules, their compiled form, and mapped files."""
    found = mapped_files()
    for module in list(sys.modules.values()):
        for path in (getattr(module, "__file__", None), getattr(module, "__cached__", None)):
            if isinstance(path, str):
                found.add(path)
    return sorted(path for path in found if os.path.isfile(path))  # noqa: PTH113  (a thousand of them)


def mapped_files(proc: Path = PROC) -> set[str]:
    """Return the files that this process has mapped; none if the system does not tell."""
    with contextlib.suppress(OSError):
        return _named((proc / "self/maps").read_text())
    return set()


def interpreter_files() -> set[str]:
    """Return the files that a Python without modules maps, such as its program and the C library."""
    code = f"print(open('{PROC}/self/maps').read())"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    return _named(done.stdout)


def _named(maps: str) -> set[str]:
    """Return the paths in the kernel's list of a process's mappings."""
    return {"/" + path for line in maps.splitlines() if (path := line.partition("/")[2])}


def storage_reads(proc: Path = PROC) -> tuple[int, int] | None:
    """Return how many bytes this process has read from storage, and how many of its page faults waited for storage.

    Both count from the start of the process; None if the system does not tell.
    """
    try:
        found = re.search(r"^read_bytes: (\d+)$", (proc / "self/io").read_text(), re.MULTILINE)
    except OSError:
        return None
    return (int(found[1]), resource.getrusage(resource.RUSAGE_SELF).ru_majflt) if found else None


def _mincore() -> Callable[[Any, Any, Any], int]:
    try:
        asked: Callable[[Any, Any, Any], int] = ctypes.CDLL(None, use_errno=True).mincore
    except AttributeError as error:
        raise OSError("this system does not tell which pages of a file are in memory (mincore)") from error
    return asked


def _cached(ask: Callable[[Any, Any, Any], int], path: str | Path) -> int:
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if not size:
                return 0
            mapped = mmap.mmap(stream.fileno(), size, prot=mmap.PROT_READ)
    except FileNotFoundError:
        return 0
    pages = np.zeros(-(-size // mmap.PAGESIZE), np.uint8)
    view = np.frombuffer(mapped, np.uint8)  # gives the address; no page is touched
    answer = ask(ctypes.c_void_p(view.ctypes.data), ctypes.c_size_t(size), ctypes.c_void_p(pages.ctypes.data))
    code = ctypes.get_errno()
    del view
    mapped.close()
    if answer:
        raise OSError(code, os.strerror(code), str(path))
    return int((pages & 1).sum()) * mmap.PAGESIZE
