"""The memory layout of `with_numba.py`, in which sixteen numbers are always contiguous.

A frame is cut into strips of sixteen columns, ``[strip, row, part, 16]`` (part: real, imaginary). Sixteen columns are
transformed at once, in a contiguous part of the first-level cache. The amplitudes are cut into strips of sixteen
detector rows, in the order of frequencies that the transform produces, so that nothing is reordered.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daasbench.compute.simd import LANES, aligned_zeros
from daasbench.compute.transforms import Plan, make_plan

from .definition import Corners, object_shape

F32 = NDArray[np.float32]
C64 = NDArray[np.complex64]
Index = NDArray[np.int64]

STEP = 2 * LANES
"""Floats of one row of a strip."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The positions of all data in memory; arrays of float32 are flat.

    Attributes
    ----------
    pixels
        n, rows and columns of a frame.
    shape
        Rows and columns of the object.
    width
        Columns of the object in memory.
    frames
        i64[frames]: the frames sorted by the row of their window; they are computed in this order.
    corners
        i64[frames, 2], in the same order.
    bounds
        i64[chunks + 1]: the frames of each thread.
    starts
        i64[chunks + 1]: where the sums of each thread begin in `sums`.
    tops
        i64[chunks, 2]: the first row of the object to which a thread adds, and its last row + 1.
    detector
        i64[n]: the detector row (and column) at each position in the order of the transform.
    plan
        The plan of the transforms.
    """

    pixels: int
    shape: tuple[int, int]
    width: int
    frames: Index
    corners: Index
    bounds: Index
    starts: Index
    tops: Index
    detector: Index
    plan: Plan

    @property
    def rows(self) -> int:
        """Return the number of rows of the object."""
        return self.shape[0]

    def strips(self, wave: C64) -> F32:
        """Return a wave c64[n, n] as flat strips ``[n / 16, n, 2, 16]``."""
        parts = np.stack([wave.real, wave.imag], axis=1).astype(np.float32)  # row, part, column
        cut = parts.reshape(self.pixels, 2, -1, LANES).transpose(2, 0, 1, 3)
        made: F32 = aligned_zeros(cut.shape)
        made[...] = cut
        return made.reshape(-1)

    def wave(self, strips: F32) -> C64:
        """Return strips as a wave c64[n, n]."""
        parts = strips.reshape(-1, self.pixels, 2, LANES).transpose(1, 2, 0, 3).reshape(self.pixels, 2, -1)
        wave: C64 = np.empty((self.pixels, self.pixels), np.complex64)
        wave.real, wave.imag = parts[:, 0], parts[:, 1]
        return wave

    def image(self, planes: F32) -> C64:
        """Return the object c64[rows, columns] from ``[row, part, width]``."""
        parts = planes.reshape(self.rows, 2, self.width)[:, :, : self.shape[1]]
        image: C64 = np.empty(self.shape, np.complex64)
        image.real, image.imag = parts[:, 0], parts[:, 1]
        return image


def lay_out(corners: Corners, pixels: int, shape: tuple[int, int] | None, chunks: int) -> Layout:
    """Return the layout for frames at `corners`, divided among `chunks` threads."""
    shape = object_shape(corners, pixels) if shape is None else shape
    frames = np.lexsort((corners[:, 1], corners[:, 0])).astype(np.int64)
    sorted_ = corners[frames].astype(np.int64)
    chunks = max(1, min(chunks, len(frames)))
    bounds = np.arange(chunks + 1) * len(frames) // chunks
    width = -(-shape[1] // LANES) * LANES
    width += LANES * (width // LANES % 2 == 0)  # an odd number of cache lines, so that rows are in different cache sets
    tops = np.array(
        [(sorted_[first, 0], sorted_[last - 1, 0] + pixels) for first, last in itertools.pairwise(bounds)],
        np.int64,
    )
    starts = np.concatenate([[0], np.cumsum((tops[:, 1] - tops[:, 0]) * 3 * width)])
    plan = make_plan(pixels)
    return Layout(
        pixels=pixels,
        shape=shape,
        width=width,
        frames=frames,
        corners=sorted_,
        bounds=bounds.astype(np.int64),
        starts=starts.astype(np.int64),
        tops=tops,
        detector=(plan.frequencies + pixels // 2) % pixels,
        plan=plan,
    )
