"""scipy: the same sums as products with a sparse matrix in compressed rows, one row per bin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array

from daasbench.authoring import Resources

from ..integrated import Integrated

if TYPE_CHECKING:
    from ..problem import Problem

    Array = np.ndarray[Any, np.dtype[Any]]


def prepare(problem: Problem, resources: Resources) -> Callable[[Array], Integrated]:  # noqa: ARG001  (scipy has one thread)
    """Return ``compute(frames)`` by ``matrix @ frame``."""
    pixel, bin_, share = problem.pixel_bins.entries()
    shape = (problem.pixel_bins.bins, problem.mask.size)
    shares = csr_array((share, (bin_, pixel)), shape=shape)
    squares = csr_array((share**2, (bin_, pixel)), shape=shape)
    solid_angle = problem.solid_angle.ravel()
    full_norm = shares @ solid_angle
    in_use = problem.pixel_bins.count > 0

    def integrate(frame: Array) -> tuple[Array, Array, Array]:
        valid = problem.is_valid(frame)
        counts = np.where(valid, frame, 0).astype(np.float64)
        lost = np.flatnonzero(~valid & in_use)
        norm = full_norm if lost.size == 0 else full_norm - shares[:, lost] @ solid_angle[lost]
        signal = shares @ counts
        return signal, signal if problem.mode == "nosplit" else squares @ counts, norm

    def compute(frames: Array) -> Integrated:
        rows = map(integrate, frames.reshape(len(frames), -1))
        signal, variance, norm = (np.stack(sums) for sums in zip(*rows, strict=True))
        norm = np.where(norm > 1e-9 * full_norm, norm, 0.0)
        profiles = Integrated.from_sums(np, signal, variance, norm)
        return Integrated(intensity=profiles.intensity, sigma=profiles.sigma)

    return compute
