"""pyFAI: the sparse-matrix integrator that beamlines use; the first frame makes its look-up table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from pyFAI.detectors import Detector
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

from daasbench.authoring import MissingRequirement, Resources

from ..integrated import Integrated
from ..powder import DUMMY

if TYPE_CHECKING:
    from ..problem import Problem

    Array = np.ndarray[Any, np.dtype[Any]]

EPSILON = float(np.finfo(np.float32).eps)  # pyFAI extends the upper end of a range by this
ORIENTATION = {(False, False): 3, (True, True): 1, (True, False): 2, (False, True): 4}


def prepare(problem: Problem, resources: Resources) -> Callable[[Array], Integrated]:  # noqa: ARG001  (OpenMP obeys the harness)
    """Return ``compute(frames)`` by ``integrate1d(method=("full" | "no", "csr", "cython"))``."""
    if problem.sectors > 1:
        raise MissingRequirement(
            "pyFAI has another convention for azimuthal sectors", "measure it with azimuthal_bins=1"
        )
    integrator = AzimuthalIntegrator(**_pose(problem))
    low, high = problem.axis.low, problem.axis.high
    call: dict[str, Any] = {
        "npt": problem.axis.bins,
        "unit": problem.axis.unit,
        "radial_range": (low, high / (1 + EPSILON)),
        "method": ("full" if problem.mode == "split" else "no", "csr", "cython"),
        "mask": problem.mask.astype(np.int8),
        "dummy": DUMMY if problem.blocks[0].dtype.kind == "u" else None,
    }
    # pyFAI's model "poisson" sets the variance of an empty pixel to 1; if there are any, our variance is passed to it.
    empty_pixels = any(bool((frame[~problem.mask] < 1).any()) for block in problem.blocks for frame in block)

    def integrate(frame: Array) -> tuple[Array, Array]:
        errors = {"variance": frame} if empty_pixels else {"error_model": "poisson"}
        result = integrator.integrate1d(frame, **call, **errors)
        filled = np.asarray(result.sum_normalization) > 0
        return np.where(filled, result.intensity, 0.0), np.where(filled, result.sigma, 0.0)

    integrate(problem.blocks[0][0])

    def compute(frames: Array) -> Integrated:
        intensity, sigma = (np.stack(rows) for rows in zip(*map(integrate, frames), strict=True))
        return Integrated(intensity=intensity, sigma=sigma)

    return compute


def _pose(problem: Problem) -> dict[str, Any]:
    """Return the arguments of pyFAI's integrator."""
    at = problem.geometry
    return {
        "dist": at.distance_m,
        "poni1": at.poni1_m,
        "poni2": at.poni2_m,
        "rot1": at.rot1,
        "rot2": at.rot2,
        "rot3": at.rot3,
        "wavelength": at.wavelength_m,
        "detector": Detector(at.pixel1_m, at.pixel2_m, max_shape=at.shape, orientation=ORIENTATION[at.flip1, at.flip2]),
    }
