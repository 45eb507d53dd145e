"""The Python module of bitshuffle: h5py takes chunks from the file, and the module's threads unpack or pack them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import bitshuffle
import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources
from daasbench.formats.chunks import BLOCK_BYTES, FileImage, block_elements, chunks_of, make_image, packed_frames

from ..recycled import Recycled

if TYPE_CHECKING:
    from ..problem import Problem

HEADER = 12  # bytes of a chunk's header; the module takes only the bytes after it


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:  # noqa: ARG001  (OpenMP obeys the harness)
    """Return ``compute(block)``."""
    memory = Recycled()
    return (lambda image: _read(image, memory)) if problem.direction == "read" else _write


def _read(image: FileImage, memory: Recycled) -> NDArray[Any]:
    chunks = chunks_of(image)
    frames = memory.array((image.frames, *chunks.shape), chunks.dtype)
    for frame, packed in zip(frames, packed_frames(image), strict=True):
        block = int.from_bytes(packed[8:HEADER].tobytes(), "big") // frames.dtype.itemsize
        frame[...] = bitshuffle.decompress_lz4(packed[HEADER:], frame.shape, frame.dtype, block)
    return frames


def _write(frames: NDArray[Any]) -> FileImage:
    header = np.frombuffer(frames[0].nbytes.to_bytes(8, "big") + BLOCK_BYTES.to_bytes(4, "big"), np.uint8)
    block = block_elements(frames.dtype)
    packed = [np.concatenate([header, bitshuffle.compress_lz4(frame, block)]) for frame in frames]
    return make_image(packed, frames.shape[1:], frames.dtype)
