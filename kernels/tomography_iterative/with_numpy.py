"""SIRT by its definition: the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from daasbench.authoring import Resources

from .definition import LEAST_RAY, Reconstruction, inverse, pixel_grid, slope

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


def prepare(problem: Problem, resources: Resources) -> Callable[[F32], Reconstruction]:  # noqa: ARG001  (one thread)
    """Return the function that turns a block of sinograms into a volume; in float64, by one thread."""

    def compute(sinograms: F32) -> Reconstruction:
        made = sirt(sinograms, problem.angles, problem.centre, problem.iterations)
        return Reconstruction(made.volume.astype(np.float32), made.residuals)

    return compute


def sirt(sinograms: NDArray[Any], angles: F64, centre: float, iterations: int) -> Reconstruction:
    """Return the reconstruction in float64. The rows of A are computed angle by angle: A is too large to keep."""
    slices, _, detector = sinograms.shape
    y = np.asarray(sinograms, np.float64).transpose(1, 2, 0)  # [angle, detector pixel, slice]
    row_sums = np.zeros(y.shape[:2])
    column_sums = np.zeros(detector**2)
    for index, angle in enumerate(angles):
        rows = projector(angle, centre, detector)
        row_sums[index] = rows.sum(axis=1)
        column_sums += rows.sum(axis=0)
    R, C = inverse(row_sums, LEAST_RAY)[:, :, None], inverse(column_sums, 0.0)[:, None]
    x = np.zeros((detector**2, slices))
    residuals = np.zeros((slices, iterations))
    for n in range(iterations):
        correction = np.zeros_like(x)
        for index, angle in enumerate(angles):
            rows = projector(angle, centre, detector)
            left = y[index] - rows @ x
            residuals[:, n] += np.sum(left**2, axis=0)
            correction += rows.T @ (R[index] * left)
        x += C * correction
    return Reconstruction(x.T.reshape(slices, detector, detector), np.sqrt(residuals))


def projector(angle: float, centre: float, detector: int) -> Any:
    """Return the rows of A of one angle, sparse f64[detector, N * N]: two weights per pixel, by the definition."""
    across, m = pixel_grid(detector), slope(angle)
    t = np.add.outer(across * np.sin(angle), across * np.cos(angle)).ravel() + centre
    rays = np.floor(t).astype(np.int32)[:, None] + np.array([0, 1], np.int32)
    weights = np.maximum(0, 1 - np.abs(t[:, None] - rays) / m) / m
    weights[(rays < 0) | (rays >= detector)] = 0
    starts = np.arange(0, rays.size + 1, 2)
    transposed = sparse.csr_array(
        (weights.ravel(), rays.clip(0, detector - 1).ravel(), starts), shape=(detector**2, detector)
    )
    return transposed.T
