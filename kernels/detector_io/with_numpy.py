"""The format in plain Python, block by block: the reference.

Read: the LZ4 sequences of each block are followed; then bit k of all elements, which are stored together, are put
back into their elements. Write: the reverse, with the simplest packing that the format allows, runs of equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError, Resources
from daasbench.formats.chunks import BLOCK_BYTES, FileImage, chunks_of, make_image, packed_frames

if TYPE_CHECKING:
    from .problem import Problem

U8 = NDArray[np.uint8]

LEAST_RUN = 16  # a shorter run is written as literals
LAST_LITERALS = 5  # the smallest number of literals at the end of a block, by the format


def prepare(problem: Problem, resources: Resources | None = None) -> Callable[[Any], Any]:  # noqa: ARG001
    """Return ``compute(block)``: file image to frames, or frames to file image."""
    return _read if problem.direction == "read" else _write


def _read(image: FileImage) -> NDArray[Any]:
    chunks = chunks_of(image)
    frames = np.empty((image.frames, *chunks.shape), chunks.dtype)
    for index, (frame, packed) in enumerate(zip(frames, packed_frames(image), strict=True)):
        try:
            frame[...] = unpack_chunk(packed.tobytes(), frame.size, frame.dtype).reshape(frame.shape)
        except ValueError as error:
            raise InputError(f"frame {index}: {error}") from error
    return frames


def _write(frames: NDArray[Any]) -> FileImage:
    return make_image([pack_chunk(frame.ravel()) for frame in frames], frames.shape[1:], frames.dtype)


def unpack_chunk(packed: bytes, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the `count` elements of a chunk; raise ValueError with the defect if it is damaged."""
    if int.from_bytes(packed[:8], "big") != count * dtype.itemsize:
        raise ValueError("its header states another size than that of the frame")
    block, at, parts = int.from_bytes(packed[8:12], "big"), 12, []
    if block <= 0 or block % (8 * dtype.itemsize):
        raise ValueError("its header states an impossible block size")
    left = count // 8 * 8 * dtype.itemsize
    while left > 0:
        size = min(block, left)
        end = at + 4 + int.from_bytes(packed[at : at + 4], "big")
        if end > len(packed):
            raise ValueError("it ends too early")
        parts.append(from_planes(unpack_lz4(packed[at + 4 : end], size), dtype.itemsize))
        at, left = end, left - size
    rest = np.frombuffer(packed[at:], np.uint8)
    if rest.size != count % 8 * dtype.itemsize:
        raise ValueError("it ends too early, or too late")
    return np.concatenate([*parts, rest]).view(dtype)


def unpack_lz4(packed: bytes, size: int) -> U8:
    """Return the `size` bytes of an LZ4 block."""
    out, at = bytearray(), 0
    try:
        while True:
            token = packed[at]
            literals, at = _length(packed, at + 1, token >> 4)
            out += packed[at : at + literals]
            at += literals
            if at >= len(packed):
                break
            distance = packed[at] | packed[at + 1] << 8
            length, at = _length(packed, at + 2, token & 15)
            length += 4
            if not 0 < distance <= len(out):
                raise IndexError
            repeated = bytes(out[-distance:][:length])
            out += (repeated * (length // len(repeated) + 1))[:length]
    except IndexError:
        raise ValueError("an LZ4 block in it is damaged") from None
    if at > len(packed) or len(out) != size:
        raise ValueError("an LZ4 block in it is damaged")
    return np.frombuffer(bytes(out), np.uint8)


def _length(packed: bytes, at: int, half: int) -> tuple[int, int]:
    """Return a length whose first four bits are `half`, and the position after it."""
    if half == 15:
        while packed[at] == 255:
            half, at = half + 255, at + 1
        half, at = half + packed[at], at + 1
    return half, at


def from_planes(planes: U8, size: int) -> U8:
    """Return the bytes of elements of `size` bytes from their bit planes."""
    bits = np.unpackbits(planes.reshape(8 * size, -1), axis=1, bitorder="little")
    return np.packbits(bits.T, axis=1, bitorder="little").ravel()


def to_planes(elements: U8, size: int) -> U8:
    """Return the bit planes of the bytes of elements of `size` bytes."""
    bits = np.unpackbits(elements.reshape(-1, size), axis=1, bitorder="little")
    return np.packbits(bits.T, axis=1, bitorder="little").ravel()


def pack_chunk(elements: NDArray[Any]) -> U8:
    """Return the chunk of a frame's elements."""
    size = elements.dtype.itemsize
    content = elements.view(np.uint8)
    whole = elements.size // 8 * 8 * size
    parts = [content.nbytes.to_bytes(8, "big"), BLOCK_BYTES.to_bytes(4, "big")]
    for start in range(0, whole, BLOCK_BYTES):
        packed = pack_lz4(to_planes(content[start : min(start + BLOCK_BYTES, whole)], size))
        parts += [len(packed).to_bytes(4, "big"), packed]
    return np.frombuffer(b"".join([*parts, content[whole:].tobytes()]), np.uint8)


def pack_lz4(plain: U8) -> bytes:
    """Return an LZ4 block whose matches are the long runs of equal bytes."""
    ends = np.append(np.flatnonzero(plain[1:] != plain[:-1]) + 1, plain.size)
    starts = np.append(0, ends[:-1])
    out, done, content = bytearray(), 0, plain.tobytes()
    for run in np.flatnonzero(ends - starts >= LEAST_RUN):
        first, last = int(starts[run]) + 1, min(int(ends[run]), plain.size - LAST_LITERALS)
        if last - first >= LEAST_RUN - LAST_LITERALS - 1 and last <= plain.size - LAST_LITERALS:
            out += _sequence(content[done:first], last - first)
            done = last
    return bytes(out + _sequence(content[done:], None))


def _sequence(literals: bytes, run: int | None) -> bytes:
    """Return the sequence of some literals and `run` repeats of the last of them; None: no repeats."""
    more = 0 if run is None else run - 4
    token = min(len(literals), 15) << 4 | min(more, 15)
    tail = b"" if run is None else b"\1\0" + _rest(more)
    return bytes([token]) + _rest(len(literals)) + literals + tail


def _rest(length: int) -> bytes:
    """Return the part of a length that does not fit into its half of the token."""
    return b"" if length < 15 else b"\xff" * ((length - 15) // 255) + bytes([(length - 15) % 255])
