"""The voxels of reciprocal space, and the voxel of each pixel of a rocking scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import Diffractometer

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

NOWHERE = -1
"""The voxel of a pixel that is masked."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Voxels of equal size, and the pixels in them.

    Attributes
    ----------
    shape
        Number of voxels along qx, qy, qz.
    low, high
        f64[3], 1/Å: the outer edges. The first and the last voxel are centred on the smallest and the largest q.
    voxel_of
        i32[angles * rows * columns]: the voxel of a pixel, in C order of `shape`; NOWHERE if it is masked.
    hits
        i64[voxels]: number of pixels of the whole scan in a voxel.
    """

    shape: tuple[int, int, int]
    low: F64
    high: F64
    voxel_of: I32
    hits: I64

    @property
    def voxels(self) -> int:
        """Return the number of voxels."""
        return int(np.prod(self.shape))

    @property
    def bins(self) -> int:
        """Return the length of the three projections together."""
        return sum(self.shape)

    @property
    def starts(self) -> tuple[int, int, int]:
        """Return the starts of the projections on qx, qy and qz in one array of all three."""
        return 0, self.shape[0], self.shape[0] + self.shape[1]

    @property
    def step(self) -> F64:
        """Return f64[3]: the size of a voxel in 1/Å."""
        size: F64 = (self.high - self.low) / np.array(self.shape)
        return size

    @property
    def first(self) -> F64:
        """Return f64[3]: the centre of the first voxel in 1/Å."""
        middle: F64 = self.low + self.step / 2
        return middle

    def centres(self, axis: int) -> F64:
        """Return f64[shape[axis]]: the centres of the voxels along an axis in 1/Å."""
        middles: F64 = self.first[axis] + self.step[axis] * np.arange(self.shape[axis], dtype=np.float64)
        return middles

    def plane_hits(self) -> I64:
        """Return i64[bins]: the number of pixels in each plane of voxels across qx, then qy, then qz."""
        hits: I64 = plane_sums(self.hits.reshape(1, *self.shape))[0]
        return hits


def plane_sums(volumes: I64) -> I64:
    """Return i64[positions, bins]: the sums over planes across qx, qy, qz of volumes [positions, nx, ny, nz]."""
    sums: I64 = np.concatenate([volumes.sum(axes) for axes in ((2, 3), (1, 3), (1, 2))], axis=1)
    return sums


def make_grid(geometry: Diffractometer, shape: tuple[int, int, int], mask: Mask) -> Grid:
    """Return the smallest grid of `shape` that contains the pixels of a scan outside `mask`, bool[rows, columns].

    A pixel at q is in voxel ``floor((q - low) n / (high - low))`` of each axis, in float64: bit for bit the
    rule of ``histogramnd_get_lut`` of silx with the ranges of xsocs. Frames are processed one by one: the scattering
    vectors of a scan would need twelve times the memory of the scan.
    """
    seen = ~mask.ravel()
    smallest, largest = np.full(3, np.inf), np.full(3, -np.inf)
    for angle in range(geometry.angles):
        q = geometry.q(angle).reshape(-1, 3)[seen]
        smallest, largest = np.minimum(smallest, q.min(axis=0)), np.maximum(largest, q.max(axis=0))
    count = np.array(shape)
    step = (largest - smallest) / (count - 1.0)
    last = smallest + step * (count - 1)  # as in xsocs: computed from the centres of the voxels
    half = (last - smallest) / (count - 1) / 2.0
    low, high = smallest - half, last + half
    voxel_of = np.full((geometry.angles, seen.size), NOWHERE, np.int32)
    for angle in range(geometry.angles):
        q = geometry.q(angle).reshape(-1, 3)[seen]
        at = np.minimum(np.floor((q - low) * count / (high - low)).astype(np.int64), count - 1)
        voxel_of[angle, seen] = np.ravel_multi_index(tuple(at.T), shape)
    hits = np.bincount(voxel_of[voxel_of != NOWHERE], minlength=int(np.prod(shape)))
    return Grid(shape=shape, low=low, high=high, voxel_of=voxel_of.ravel(), hits=hits)
