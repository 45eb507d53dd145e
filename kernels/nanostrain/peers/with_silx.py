"""silx: one call grids a scan with a table of voxels; fits by its own Levenberg-Marquardt; in several processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from silx.math.chistogramnd_lut import histogramnd_from_lut
from silx.math.fit import leastsq

from daasbench.authoring import Resources

from ..gaussian import SQRT_2_PI
from ..grid import plane_sums
from . import staged

if TYPE_CHECKING:
    from ..problem import Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:
    """Return the function of the problem's stage; the table of voxels is made beforehand."""
    grid = problem.grid
    ends, plane_hits = (*grid.starts, grid.bins), np.maximum(grid.plane_hits(), 1)

    def volume(scan: Any) -> Any:
        counts = histogramnd_from_lut(scan.reshape(-1), grid.voxel_of, shape=grid.shape, dtype=np.float64)[1]
        return counts, counts.sum()

    def project(counts: Any) -> Any:
        planes = plane_sums(counts[None])[0] / plane_hits
        return tuple(planes[ends[axis] : ends[axis + 1]] for axis in range(3))

    return staged.prepare(problem, resources, volume, project, _fit)


def _gaussian(axis: Any, area: float, centre: float, sigma: float) -> Any:
    return area / (SQRT_2_PI * sigma) * np.exp(-0.5 * ((axis - centre) / sigma) ** 2)


def _fit(axis: Any, signal: Any) -> Any:
    if not signal.max() > 0:
        return np.nan, np.nan, np.nan
    area = signal.sum() * (axis[-1] - axis[0]) / len(axis)
    start = area, axis[signal.argmax()], area / (signal.max() * SQRT_2_PI)
    area, centre, sigma = leastsq(_gaussian, axis, signal, start, deltachi=1e-9)[0]
    return area, centre, abs(sigma)
