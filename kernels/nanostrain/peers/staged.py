"""The stages that all peers share: volumes by the package, projections, fits by the package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

from ..results import Analysed, Fitted, Gridded
from .processes import Processes

if TYPE_CHECKING:
    from ..problem import Problem

F64 = NDArray[np.float64]
Array = NDArray[Any]

Volume = Callable[[Array], tuple[Array, float]]
"""From the frames of a position to f64[nx, ny, nz] photons per voxel, and their sum."""
Project = Callable[[Array], tuple[F64, F64, F64]]
"""From photons per voxel to the three projections."""
Fit = Callable[[F64, F64], tuple[float, float, float]]
"""From the centres of bins and a projection to area, centre, sigma; NaN if there is no Gaussian."""


def prepare(problem: Problem, resources: Resources, volume: Volume, project: Project, fit: Fit) -> Callable[[Any], Any]:
    """Return the function of the problem's stage, in as many processes as there are threads."""
    grid = problem.grid
    axes = [grid.centres(axis) for axis in range(3)]
    hits = np.maximum(grid.hits, 1).reshape(grid.shape)
    ends = (*grid.starts, grid.bins)

    def gridding(frames: Array, out: Mapping[str, Array]) -> None:
        for index, scan in enumerate(frames):
            counts, out["photons"][index] = volume(scan)
            np.divide(counts, hits, out=out["volumes"][index], casting="same_kind")

    def fits(projections: Array, out: Mapping[str, Array]) -> None:
        for index, projection in enumerate(projections):
            for axis in range(3):
                signal = projection[ends[axis] : ends[axis + 1]].astype(np.float64)
                found = fit(axes[axis], signal)
                inside = axes[axis][0] <= found[1] <= axes[axis][-1] and found[2] <= len(signal) * grid.step[axis]
                out["gaussians"][index, axis] = found if inside else np.nan

    def everything(frames: Array, out: Mapping[str, Array]) -> None:
        for index, scan in enumerate(frames):
            counts, out["photons"][index] = volume(scan)
            out["brightest"][index] = (counts / hits).max()
            out["projections"][index] = np.concatenate(project(counts))
        fits(out["projections"], out)

    stages: Mapping[str, tuple[Any, Any, Mapping[str, tuple[Any, Any]]]] = {
        "gridding": (gridding, Gridded, {"volumes": (grid.shape, np.float32), "photons": ((), np.int64)}),
        "fits": (fits, Fitted, {"gaussians": ((3, 3), np.float64)}),
        "all": (
            everything,
            Analysed,
            {
                "photons": ((), np.int64),
                "brightest": ((), np.float32),
                "projections": ((grid.bins,), np.float32),
                "gaussians": ((3, 3), np.float64),
            },
        ),
    }
    work, results, outputs = stages[problem.stage]
    processes = Processes(problem.blocks, outputs, work, resources.threads)
    return lambda block: results(**processes(block))
