"""The reference: gridding, projections and fits as xsocs defines them. Read it first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import Resources

from .definition import F32, Counts, fit_all, mean_counts, photon_volume, project
from .results import Analysed, Fitted, Gridded

if TYPE_CHECKING:
    from .problem import Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:  # noqa: ARG001  (one thread)
    """Return the function of the problem's stage; it uses one thread."""
    grid = problem.grid

    def gridding(frames: Counts) -> Gridded:
        volumes = np.empty((len(frames), *grid.shape), np.float32)
        photons = np.empty(len(frames), np.int64)
        for index, scan in enumerate(frames):
            counts = photon_volume(grid, scan)
            volumes[index], photons[index] = mean_counts(counts, grid.hits.reshape(grid.shape)), counts.sum()
        return Gridded(volumes=volumes, photons=photons)

    def fits(projections: F32) -> Fitted:
        return Fitted(gaussians=fit_all(grid, projections))

    def everything(frames: Counts) -> Analysed:
        photons, brightest = np.empty(len(frames), np.int64), np.empty(len(frames), np.float32)
        projections = np.empty((len(frames), grid.bins), np.float32)
        for index, scan in enumerate(frames):
            counts = photon_volume(grid, scan)
            photons[index] = counts.sum()
            brightest[index] = mean_counts(counts, grid.hits.reshape(grid.shape)).max()
            projections[index] = project(grid, counts)
        return Analysed(
            photons=photons, brightest=brightest, projections=projections, gaussians=fit_all(grid, projections)
        )

    return {"gridding": gridding, "fits": fits, "all": everything}[problem.stage]
