"""XSOCS: its tables of silx frame by frame, its projections, its fit; in several processes, as XSOCS itself runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from silx.math.chistogramnd_lut import histogramnd_from_lut
from xsocs.process.fit.peak_fit import gaussian_fit
from xsocs.util import project

from daasbench.authoring import Resources

from . import staged

if TYPE_CHECKING:
    from ..problem import Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:
    """Return the function of the problem's stage; the tables of voxels are made beforehand."""
    grid = problem.grid
    tables = grid.voxel_of.reshape(problem.geometry.angles, -1)
    hits = grid.hits.reshape(grid.shape)

    def volume(scan: Any) -> Any:
        counts: Any = None
        for image, table in zip(scan, tables, strict=True):  # as in xsocs.process.qspace
            counts = histogramnd_from_lut(
                image.reshape(-1), table, shape=grid.shape, weighted_histo=counts, dtype=np.float64
            )[1]
        return counts, counts.sum()

    def fit(axis: Any, signal: Any) -> Any:
        area, centre, sigma, _ = gaussian_fit(axis, signal)
        return area, centre, abs(sigma)

    return staged.prepare(problem, resources, volume, lambda counts: project(counts, hits), fit)
