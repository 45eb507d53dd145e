"""The reference: spots as DIALS finds them, by summed-area tables and both inequalities at every pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from daasbench.authoring import Resources

from .definition import COUNTED_BELOW, REACH, Criteria, FoundSpots

if TYPE_CHECKING:
    from .problem import Problem

Array = np.ndarray[Any, np.dtype[Any]]


def prepare(problem: Problem, resources: Resources) -> Callable[[Array], FoundSpots]:  # noqa: ARG001  (one thread)
    """Return the function that finds the spots in a block of frames; it uses one thread."""
    criteria, mask = problem.criteria, problem.mask
    strong_pixels = above if criteria.method == "threshold" else dispersed

    def compute(frames: Array) -> FoundSpots:
        strong = np.stack([strong_pixels(frame, mask, criteria) for frame in frames])
        return spots_of(frames, strong, criteria)

    return compute


def above(frame: Array, mask: Array, criteria: Criteria) -> Array:
    """Return bool[rows, columns]: which pixels have more counts than the threshold."""
    return np.asarray(~mask & (frame >= 0) & (frame > criteria.threshold))


def dispersed(frame: Array, mask: Array, criteria: Criteria) -> Array:
    """Return bool[rows, columns]: which pixels are strong by method ``dispersion``."""
    data = ~mask & (frame >= 0)
    counted = data & (frame < COUNTED_BELOW)
    counts = np.where(counted, frame, 0).astype(np.int64)
    m, x, y = (window_sums(each).astype(np.float64) for each in (counted.astype(np.int64), counts, counts**2))
    more = np.maximum(m - 1, 0)  # a window without counted pixels has no strong pixel
    is_dispersed = m * y - x * x - x * more > x * criteria.nsig_b * np.sqrt(2 * more)
    stands_out = m * frame - x > criteria.nsig_s * np.sqrt(x * m)
    return np.asarray(data & (m >= criteria.min_count) & (frame > criteria.threshold) & is_dispersed & stands_out)


def window_sums(values: Array) -> Array:
    """Return the sum over the window about each pixel, from a summed-area table, of i64[rows, columns]."""
    ny, nx = values.shape
    table = np.zeros((ny + 1, nx + 1), np.int64)
    table[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    top, left = np.maximum(np.arange(ny) - REACH, 0), np.maximum(np.arange(nx) - REACH, 0)
    bottom, right = np.minimum(np.arange(ny) + REACH + 1, ny), np.minimum(np.arange(nx) + REACH + 1, nx)
    strips = table[bottom] - table[top]
    return np.asarray(strips[:, right] - strips[:, left])


def spots_of(frames: Array, strong: Array, criteria: Criteria, corners: bool = True) -> FoundSpots:
    """Return the spots of the pixels `strong`, bool[frames, rows, columns]; with `corners`, they are 8-connected."""
    neighbours = np.ones((3, 3), int) if corners else None
    columns: list[list[Array]] = [[] for _ in range(5)]
    for frame, pixels in zip(frames, strong, strict=True):
        labels, _ = ndimage.label(pixels, neighbours)
        rows, across = np.nonzero(labels)
        spot, values = labels[rows, across] - 1, frame[rows, across].astype(np.float64)
        size = np.bincount(spot)
        total, down, along = (np.bincount(spot, values * weight, size.size) for weight in (1, rows, across))
        kept = (size >= criteria.min_pixels) & (size <= criteria.max_pixels)
        for column, part in zip(columns, (down / total, along / total, total, size), strict=False):
            column.append(part[kept])
        columns[4].append(np.array([np.count_nonzero(kept)]))
    y, x, intensity, size, spots = (np.concatenate(column) for column in columns)
    return FoundSpots(
        mask=strong.astype(np.uint8),
        spots=spots.astype(np.int32),
        y=y,
        x=x,
        intensity=intensity.astype(np.int64),
        pixels=size.astype(np.int32),
    )
