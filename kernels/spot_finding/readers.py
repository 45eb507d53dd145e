"""Read blocks of counts and the mask from files of frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from daasbench.authoring import InputError
from daasbench.formats.stacks import Stack, open_stack, read_image

from .definition import NO_DATA
from .frame_cache import FrameCache
from .options import SpotOptions

Array = np.ndarray[Any, np.dtype[Any]]

MOST_COUNTS = np.iinfo(np.int32).max


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Frames from a file: `blocks` of i32[frames, rows, columns], and the mask.

    The mask, bool[rows, columns], has the pixels of the user's mask and those without data in every frame.
    """

    blocks: tuple[Array, ...]
    mask: Array


def survey(path: Path, options: SpotOptions) -> Mapping[str, Any]:
    """Return how many frames a block has, rows and columns, from the file's headers."""
    with _open(path, options) as stack:
        left = _frames_left(path, stack, options)
        if options.mask is not None:
            read_image(Path(options.mask), stack.shape[1:], "mask")
        return {"frames": min(options.frames, left), "ny": stack.shape[1], "nx": stack.shape[2]}


def read(path: Path, options: SpotOptions, frames: int, blocks: int) -> Frames:
    """Return at most `blocks` blocks of `frames` successive frames."""
    with _open(path, options) as stack:
        count = min(blocks, max(1, _frames_left(path, stack, options) // frames))
        starts = [options.first + frames * index for index in range(count)]
        made = [
            np.stack([to_counts(stack.read(index, 1)[0], path) for index in range(start, start + frames)])
            for start in starts
        ]
        mask = np.logical_and.reduce([(frame < 0) for block in made for frame in block])
        if options.mask is not None:
            mask |= read_image(Path(options.mask), stack.shape[1:], "mask") != 0
    if mask.all():
        raise InputError(f"{path}: no pixel has data: every pixel is masked, or has no data in any frame; check mask")
    return Frames(blocks=tuple(made), mask=mask)


def to_counts(raw: Array, path: Path) -> Array:
    """Return a frame as i32; -1 where there is no data.

    Values without data are negative, not finite, the largest value of unsigned integers (which detectors use for
    gaps and saturation), or at least 2**31 - 1. Floating-point numbers must be whole.
    """
    if raw.dtype.kind not in "iuf":
        raise InputError(f"{path}: frames are of type {raw.dtype}; expected integers, or floating-point counts")
    if raw.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            data = np.isfinite(raw) & (raw >= 0) & (raw < MOST_COUNTS)
        counts = np.where(data, raw, 0)
        if not np.array_equal(counts, np.rint(counts)):
            raise InputError(f"{path}: pixels are not whole numbers; spot finding needs counts: use the raw frames")
        return np.where(data, counts, NO_DATA).astype(np.int32)
    data = raw >= 0 if raw.dtype.kind == "i" else raw < np.iinfo(raw.dtype).max
    data &= raw < MOST_COUNTS
    counts = np.where(data, raw, 0).astype(np.int32)
    counts[~data] = NO_DATA
    return counts


@contextmanager
def _open(path: Path, options: SpotOptions) -> Iterator[Stack]:
    """Open the frames in a file: a frame cache of HEXRD, or a stack as all kernels read it."""
    if path.suffix.lower() != ".npz":
        with open_stack(path, options.dataset) as stack:
            yield stack
        return
    if options.dataset is not None:
        raise InputError(
            f"{path}: dataset = {options.dataset!r} is for HDF5 files, but this is not an HDF5 file; remove dataset"
        )
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with open(path, "rb") as cache:
        yield FrameCache(path, cache)


def _frames_left(path: Path, stack: Stack, options: SpotOptions) -> int:
    left = stack.shape[0] - options.first
    if left < 1:
        raise InputError(f"{path}: first = {options.first}: the file has frames 0 to {stack.shape[0] - 1}")
    return left
