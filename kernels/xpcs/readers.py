"""Read series of counts and the rings from the frames of a file, a map and a mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError
from daasbench.formats.stacks import Stack, open_stack, read_image

from .options import XpcsOptions
from .rings import I32, Mask, equal_rings, numbered, radius

MOST = 65_535  # 2**16 - 1: no count, but "no data"
FRAMES = 64  # read at a time


@dataclass(frozen=True, kw_only=True)
class Series:
    """Series from a file: successive u16[frames, rows, columns], and the ring of each pixel."""

    series: list[NDArray[np.uint16]]
    labels: I32
    rings: int
    masked_pixels: int


def survey(path: Path, options: XpcsOptions) -> Mapping[str, Any]:
    """Return the parameters of a file, from its headers, its map and its mask."""
    with open_stack(path, options.dataset, fewest=2) as stack:
        in_file, ny, nx = stack.shape
    frames = _frames(path, options, in_file)
    labels, mask = _labels(path, options, (ny, nx))
    labels, rings = numbered(labels, mask)
    if rings == 0:
        raise InputError(f"{path}: the mask excludes every pixel of every ring; check mask and qmap")
    return {
        "frames": frames, "ny": ny, "nx": nx, "pixels": int(np.count_nonzero(labels)), "rings": rings,
        "in_file": in_file,
    }  # fmt: skip


def read(path: Path, options: XpcsOptions, frames: int, blocks: int) -> Series:
    """Return up to `blocks` successive series of `frames` frames of the file."""
    with open_stack(path, options.dataset, fewest=2) as stack:
        in_file, ny, nx = stack.shape
        lost = np.zeros((ny, nx), bool)
        count = max(1, min(blocks, (in_file - options.first) // frames))
        series = [_counts(path, stack, options.first + b * frames, frames, lost) for b in range(count)]
    labels, mask = _labels(path, options, (ny, nx))
    mask = mask | lost
    labels, rings = numbered(labels, mask)
    if rings == 0:
        raise InputError(
            f"{path}: no pixel in a ring has data in all {frames} frames; choose other frames with first and frames"
        )
    for counts in series:
        counts[:, lost] = 0
        if not counts[:, labels > 0].any():
            raise InputError(f"{path}: there is no photon in the rings; check dataset, mask and qmap")
    return Series(series=series, labels=labels, rings=rings, masked_pixels=int(mask.sum()))


def _frames(path: Path, options: XpcsOptions, in_file: int) -> int:
    """Return how many frames a series has."""
    left = in_file - options.first
    frames = left if options.frames is None else options.frames
    if not 2 <= frames <= left:
        raise InputError(
            f"{path}: first={options.first}, frames={frames}: a series needs 2 frames or more, and the file has "
            f"{in_file}"
        )
    return frames


def _labels(path: Path, options: XpcsOptions, shape: tuple[int, int]) -> tuple[NDArray[Any], Mask]:
    """Return the ring of each pixel and the mask, by the options."""
    if options.qmap is None:
        if options.qmap_dataset is not None:
            raise InputError(f"{path}: qmap_dataset describes a map, but no map is given; add qmap=FILE")
        centre = (shape[0] - 1) / 2, (shape[1] - 1) / 2
        if options.centre is not None:
            centre = _place(path, options.centre)
        distance = radius(shape, centre)
        labels: NDArray[Any] = equal_rings(distance, options.rings, distance.min(), distance.max())
    else:
        if options.centre is not None:
            raise InputError(f"{path}: centre and qmap exclude each other; give only one of them")
        labels = _of_map(
            read_image(Path(options.qmap), shape, "map", dataset=options.qmap_dataset, option="qmap_dataset"), options
        )
    if options.mask is None:
        return labels, np.zeros(shape, bool)
    mask = read_image(Path(options.mask), shape, "mask", dataset=options.mask_dataset, option="mask_dataset")
    return labels, mask != 0


def _of_map(image: NDArray[Any], options: XpcsOptions) -> NDArray[Any]:
    """Return the ring of each pixel by a map of integers, or of q."""
    if image.dtype.kind in "biu":
        return image.astype(np.int64)
    held = np.isfinite(image) & (image > 0)
    if not held.any():
        raise InputError(
            f"{options.qmap}: no pixel of the map has a q above 0; a map must have the ring or the q of each pixel"
        )
    values = np.where(held, image, 0.0)
    if (values == np.rint(values)).all():
        return values.astype(np.int64)
    return equal_rings(values, options.rings, values[held].min(), values[held].max())


def _place(path: Path, text: str) -> tuple[float, float]:
    try:
        row, column = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{path}: centre={text!r} is not a pixel; write centre=ROW,COLUMN") from error
    return row, column


def _counts(path: Path, stack: Stack, first: int, frames: int, lost: Mask) -> NDArray[np.uint16]:
    """Return u16[frames, rows, columns] from frame `first` on; mark in `lost` the pixels without data in a frame."""
    counts = np.empty((frames, *stack.shape[1:]), np.uint16)
    for start in range(0, frames, FRAMES):
        stop = min(frames, start + FRAMES)
        raw = stack.read(first + start, stop - start)
        missing = _missing(raw)
        held = np.where(missing, 0, raw)
        if held.max(initial=0) >= MOST:
            raise InputError(f"{path}: has counts up to {held.max()}; the kernel accepts at most {MOST - 1}")
        if held.dtype.kind == "f" and not (held == np.rint(held)).all():
            raise InputError(f"{path}: has fractions, but the kernel needs counts: use the raw frames")
        lost |= missing.any(axis=0)
        counts[start:stop] = held
    return counts


def _missing(raw: NDArray[Any]) -> Mask:
    """Return which values are not data: negative, not finite, or the largest value of an integer type."""
    if raw.dtype.kind == "f":
        return np.asarray(~np.isfinite(raw) | (raw < 0))
    if raw.dtype.kind == "b":
        return np.zeros(raw.shape, bool)
    return np.asarray((raw < 0) | (raw == np.iinfo(raw.dtype).max))
