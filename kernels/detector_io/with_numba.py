"""Chunks are read directly from the file image, by threads, without the lock of the HDF5 library and without a copy.

A block is unpacked into bit planes that remain in the L1 cache (`daasbench/formats/lz4.py`), and 64 elements at a time
are made of them (`daasbench/formats/bitshuffle.py`): only the frame itself is written to memory, once.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Reason: numba infers the types of the compiled functions.
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

from daasbench.authoring import InputError, Resources
from daasbench.compute.simd import compiled
from daasbench.formats.bitshuffle import most_chunk, pack_chunk, unpack_chunk
from daasbench.formats.chunks import SAID, FileImage, block_elements, chunks_of, make_image

from .recycled import Recycled

if TYPE_CHECKING:
    from .problem import Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:
    """Return ``compute(block)``; threads share the frames or, if frames are few, parts of frames."""
    numba.set_num_threads(resources.threads)
    memory = Recycled()

    def read(image: FileImage) -> NDArray[Any]:
        return unpack(image, -(-resources.threads // image.frames), memory)

    return read if problem.direction == "read" else pack


def unpack(image: FileImage, parts: int, memory: Recycled) -> NDArray[Any]:
    """Return the frames of a file image, each frame unpacked in `parts`."""
    chunks = chunks_of(image)
    frames = memory.array((image.frames, *chunks.shape), chunks.dtype)
    status = np.zeros((image.frames, parts), np.int64)
    size = frames.dtype.itemsize
    _unpack(image.content, chunks.offset, chunks.size, frames.ctypes.data, frames[0].size, size, status)
    if status.any():
        frame, part = np.argwhere(status)[0]
        raise InputError(f"frame {frame} cannot be unpacked: {SAID[int(status[frame, part])]}")
    return frames


@compiled(parallel=True)
def _unpack(content, offset, size, target, elements, itemsize, status):
    frames, parts = status.shape
    start = np.int64(content.ctypes.data)
    for item in prange(frames * parts):
        frame, part = item // parts, item % parts
        at = start + offset[frame]
        to = target + frame * elements * itemsize
        status[frame, part] = unpack_chunk(
            at, at + size[frame], start + content.size, to, elements, itemsize, part, parts
        )


def pack(frames: NDArray[Any]) -> FileImage:
    """Return the file image of frames."""
    block = block_elements(frames.dtype)
    most = most_chunk(frames[0].size, frames.dtype.itemsize, block)
    packed, size = np.empty((len(frames), most), np.uint8), np.zeros(len(frames), np.int64)
    _pack(frames.ctypes.data, frames[0].size, frames.dtype.itemsize, block, packed, size)
    return make_image([chunk[:end] for chunk, end in zip(packed, size, strict=True)], frames.shape[1:], frames.dtype)


@compiled(parallel=True)
def _pack(source, elements, itemsize, block, packed, size):
    start = np.int64(packed.ctypes.data)
    for frame in prange(size.size):
        size[frame] = pack_chunk(
            source + frame * elements * itemsize, elements, itemsize, block, start + frame * packed.shape[1]
        )
