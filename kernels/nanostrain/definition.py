"""Photons in voxels, their projections and Gaussian fits, as xsocs defines them, position by position."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import gaussian
from .grid import NOWHERE, Grid, plane_sums

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Counts = NDArray[Any]


def photon_volume(grid: Grid, scan: Counts) -> I64:
    """Return i64[nx, ny, nz]: the photons of the frames of one position, [angles, rows, columns], in each voxel."""
    seen = grid.voxel_of != NOWHERE
    sums = np.bincount(grid.voxel_of[seen], scan.ravel()[seen], grid.voxels)  # float64: exact up to 2**53
    return sums.astype(np.int64).reshape(grid.shape)


def mean_counts(counts: I64, hits: I64) -> F32:
    """Return `counts` per pixel; 0 where there is no pixel."""
    return (counts / np.maximum(hits, 1)).astype(np.float32)


def project(grid: Grid, counts: I64) -> F32:
    """Return f32[bins]: the counts per pixel of the planes across qx, qy and qz."""
    return mean_counts(plane_sums(counts[None])[0], grid.plane_hits())


def fit_all(grid: Grid, projections: F32) -> F64:
    """Return f64[positions, 3, 3]: area, centre and sigma of the Gaussians along qx, qy and qz."""
    fitted = np.full((len(projections), 3, 3), np.nan)
    for axis, (start, bins) in enumerate(zip(grid.starts, grid.shape, strict=True)):
        for index, projection in enumerate(projections[:, start : start + bins].astype(np.float64)):
            found = gaussian.fit(projection)
            if found is not None:
                fitted[index, axis] = found
    return gaussian.in_units(fitted, grid.first, grid.step)
