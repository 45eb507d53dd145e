"""The inputs: generated frames, or those of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError, Work
from daasbench.formats.chunks import FileImage, image_bytes, make_image
from daasbench.formats.packed_files import open_packed

from . import hdf5_library
from .frames import make_frames
from .options import DetectorOptions

Frames = NDArray[Any]

GB = 1e9
PACKED = 0.26  # share of the unpacked bytes that generated frames need, with a small margin


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The frames of one case.

    Attributes
    ----------
    blocks
        To read: file images; to write: frames[frames, rows, columns], integers or floating-point numbers.
    direction
        ``read`` or ``write``.
    truth
        By block, then by frame: the digest of the generated frames; None for a file.
    """

    blocks: Sequence[FileImage] | Sequence[Frames]
    direction: str
    truth: Sequence[Sequence[str]] | None


def digests(frames: Frames) -> list[str]:
    """Return a digest of each frame, which is equal only for equal bytes."""
    return [hashlib.blake2b(np.ascontiguousarray(frame).data, digest_size=16).hexdigest() for frame in frames]


def survey(path: Path, options: DetectorOptions) -> Mapping[str, Any]:
    """Return the parameters of a file: frames per block, rows, columns, type, and the packed bytes per block."""
    with open_packed(path, options.dataset) as stack:
        if options.direction == "write" and stack.dtype.itemsize > 4:
            raise InputError(f"{path}: frames are {stack.dtype}; only elements of 1, 2 or 4 bytes can be packed")
        frames = min(stack.frames, options.frames)
        count = stack.frames // frames
        largest = max(int(stack.sizes[i * frames : (i + 1) * frames].sum()) for i in range(count))
        return {
            "frames": frames,
            "ny": stack.shape[0],
            "nx": stack.shape[1],
            "dtype": stack.dtype.str,
            "in_file": stack.frames,
            "image_bytes": image_bytes(largest, frames),
        }


def work(parameters: Mapping[str, Any], options: DetectorOptions) -> Work:
    """Return the work of one block: each packed byte and each byte of a frame is read or written once."""
    frames, dtype = int(parameters["frames"]), np.dtype(parameters.get("dtype", "u4"))
    unpacked = float(frames * parameters["ny"] * parameters["nx"] * dtype.itemsize)
    packed = float(_image_bytes(parameters))
    into = options.direction == "read"
    return Work(
        unit="GB",
        units=unpacked / GB,
        bytes=unpacked + packed,
        input_bytes=packed if into else unpacked,
        output_bytes=unpacked if into else packed,
    )


def _image_bytes(parameters: Mapping[str, Any]) -> int:
    """Return the size in bytes of the file image of a block; it is the same for all blocks of a case."""
    if "image_bytes" in parameters:
        return int(parameters["image_bytes"])
    frames = int(parameters["frames"])
    return image_bytes(int(PACKED * 4 * frames * parameters["ny"] * parameters["nx"]), frames)


def make(parameters: Mapping[str, Any], options: DetectorOptions, seed: int, blocks: int) -> Problem:
    """Return generated frames; for reading they are packed by hdf5plugin."""
    frames, ny, nx = (int(parameters[key]) for key in ("frames", "ny", "nx"))
    made: list[Any] = []
    truth = []
    for block in range(blocks):
        drawn = make_frames(frames, ny, nx, [seed, block])
        truth.append(digests(drawn))
        made.append(hdf5_library.pack(drawn, _image_bytes(parameters)) if options.direction == "read" else drawn)
    return Problem(blocks=made, direction=options.direction, truth=truth)


def read(path: Path, parameters: Mapping[str, Any], options: DetectorOptions, blocks: int) -> Problem:
    """Return the frames of a file, block after block; fewer blocks if the file has fewer frames."""
    frames, in_file = int(parameters["frames"]), int(parameters["in_file"])
    with open_packed(path, options.dataset) as stack:
        images = []
        for block in range(min(blocks, in_file // frames)):
            chunks = [stack.chunk(block * frames + i) for i in range(frames)]
            images.append(make_image(chunks, stack.shape, stack.dtype, _image_bytes(parameters)))
    if options.direction == "read":
        return Problem(blocks=images, direction="read", truth=None)
    stacks = [hdf5_library.unpack(image, str(path)) for image in images]
    return Problem(blocks=stacks, direction="write", truth=None)
