"""xrayutilities: `Gridder3D` on scattering vectors of every pixel, `gauss_fit` on projections, in several processes.

xrayutilities is licensed under the GPL: only this module imports it, and only if a user has installed it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import xrayutilities
from xrayutilities.math import gauss_fit

from daasbench.authoring import Resources

from ..gaussian import SQRT_2_PI
from ..grid import plane_sums
from . import staged

if TYPE_CHECKING:
    from ..problem import Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:
    """Return the function of the problem's stage; scattering vectors are made beforehand.

    Its voxels have the same centres as those of xsocs, and a pixel belongs to the voxel with the nearest centre: the
    same rule with another rounding. Masked pixels are outside its range.
    """
    grid, geometry = problem.grid, problem.geometry
    ends, plane_hits = (*grid.starts, grid.bins), np.maximum(grid.plane_hits(), 1)
    gridder = xrayutilities.Gridder3D(*grid.shape)
    gridder.Normalize(False)
    low, high = grid.first, grid.first + grid.step * (np.array(grid.shape) - 1)
    margin = grid.step * 1e-6
    gridder.dataRange(*np.stack([low - margin, high + margin], axis=1).ravel(), fixed=True)
    q = np.stack([geometry.q(angle).reshape(-1, 3).T for angle in range(geometry.angles)], axis=1)
    q[0, :, problem.mask.ravel()] = low[0] - 100 * grid.step[0]
    x, y, z = (np.ascontiguousarray(part.ravel()) for part in q)

    def volume(scan: Any) -> Any:
        gridder.Clear()
        gridder(x, y, z, scan.ravel())
        return gridder.data.copy(), gridder.data.sum()

    def project(counts: Any) -> Any:
        planes = plane_sums(counts[None])[0] / plane_hits
        return tuple(planes[ends[axis] : ends[axis + 1]] for axis in range(3))

    return staged.prepare(problem, resources, volume, project, _fit)


def _fit(axis: Any, signal: Any) -> Any:
    if not signal.max() > 0:
        return np.nan, np.nan, np.nan
    step = axis[1] - axis[0]
    sigma = signal.sum() * step / (signal.max() * SQRT_2_PI)
    start = [axis[signal.argmax()], sigma, signal.max(), 0.0]
    (centre, sigma, height, _background), *_ = gauss_fit(axis, signal, iparams=start)
    return height * abs(sigma) * SQRT_2_PI, centre, abs(sigma)
