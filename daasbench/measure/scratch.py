"""Files that hand inputs and expected results from the input process to the measuring processes.

Pickle protocol 5 with the arrays out of band, each aligned to 64 bytes (a cache line, and the widest vector
register). A process reads them into its own memory; ranks, which copy their parts, map the same file.
"""

from __future__ import annotations

import mmap
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ALIGNMENT = 64


def save(path: Path, thing: Any) -> int:
    """Write `thing` to the folder `path`; return the bytes written."""
    path.mkdir(parents=True)
    buffers: list[pickle.PickleBuffer] = []
    (path / "object").write_bytes(pickle.dumps(thing, protocol=5, buffer_callback=buffers.append))
    sizes = []
    with open(path / "arrays", "wb") as stream:
        for buffer in buffers:
            with buffer.raw() as raw:
                sizes.append(raw.nbytes)
                stream.write(raw)
                stream.write(bytes(-raw.nbytes % ALIGNMENT))
    np.asarray(sizes, dtype=np.int64).tofile(path / "sizes")
    return sum(sizes)


def load(path: Path, *, mapped: bool = False) -> Any:
    """Return what :func:`save` wrote; every array in fresh memory of this process.

    With `mapped`, the arrays are in the file instead, whose pages all processes that map it share; a process that
    writes into them gets its own copy.
    """
    buffers = list(_map(path) if mapped else _read(path))
    return pickle.loads((path / "object").read_bytes(), buffers=buffers)


def _read(path: Path) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
    with open(path / "arrays", "rb", buffering=0) as stream:
        for offset, size in _offsets(path):
            stream.seek(offset)
            memory = aligned(size)
            view = memory.data
            done = 0
            while done < size:
                count = stream.readinto(view[done : done + (1 << 30)])
                if not count:
                    raise OSError(f"{path}: is truncated")
                done += count
            yield memory


def _map(path: Path) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
    with open(path / "arrays", "rb") as stream:
        whole: Any = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY) if stream.seek(0, 2) else b""
    for offset, size in _offsets(path):
        if offset + size > len(whole):
            raise OSError(f"{path}: is truncated")
        yield np.frombuffer(whole, np.uint8, size, offset) if size else aligned(0)


def _offsets(path: Path) -> Iterator[tuple[int, int]]:
    """Yield the offset of each array and its size, in bytes."""
    offset = 0
    for size in np.fromfile(path / "sizes", dtype=np.int64).tolist():
        yield offset, size
        offset += size + -size % ALIGNMENT


def aligned(size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return `size` uninitialised bytes whose address is a multiple of 64."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def without_shared_arrays(blocks: list[Any]) -> list[Any]:
    """Return `blocks`, with a copy of every array whose memory is in several blocks: each block has its own memory.

    The blocks of a file that has too few are repeated; in shared memory they would measure the cache. A block that
    shares nothing with those before it is returned itself.
    """
    from daasbench.compute.backends import arrays_in

    seen: set[int] = set()
    result = []
    for block in blocks:
        places = {_place(array) for array in arrays_in(block)}
        result.append(_without(block, seen) if places & seen else block)
        seen |= places
    return result


def _without(block: Any, places: set[int]) -> Any:
    """Return `block` with the arrays at some places copied."""
    from daasbench.compute.backends import map_arrays

    return map_arrays(lambda array: _copy(array) if _place(array) in places else array, block)


def _place(array: Any) -> int:
    """Return what two arrays that begin in the same memory have in common."""
    return int(array.ctypes.data) if isinstance(array, np.ndarray) else id(array)


def _copy(array: Any) -> Any:
    if array.dtype.hasobject or not array.nbytes:
        return array.copy()
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    memory = aligned(array.nbytes).view(array.dtype).reshape(array.shape, order=order)
    memory[...] = array
    return memory
