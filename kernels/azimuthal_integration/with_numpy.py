"""The reference: simple, slow and correct."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import Resources

from .integrated import Integrated

if TYPE_CHECKING:
    from .problem import Problem

    Array = np.ndarray[Any, np.dtype[Any]]


def prepare(problem: Problem, resources: Resources | None = None) -> Callable[[Array], Integrated]:  # noqa: ARG001  (one thread)
    """Return ``compute(frames)``: every entry (pixel, bin, share) adds its share of the pixel to its bin."""
    pixel, bin_, share = problem.pixel_bins.entries()
    bins = problem.pixel_bins.bins
    solid_angle = problem.solid_angle.ravel()[pixel]

    def integrate(frame: Array) -> tuple[Array, Array, Array]:
        counts = frame.ravel()[pixel]
        valid = problem.is_valid(counts)
        counts = np.where(valid, counts, 0).astype(np.float64)
        signal = np.bincount(bin_, weights=share * counts, minlength=bins)  # Σ c n
        variance = np.bincount(bin_, weights=share**2 * counts, minlength=bins)  # Σ c² n, as var(n) = n
        norm = np.bincount(bin_, weights=share * solid_angle * valid, minlength=bins)  # Σ c ω
        return signal, variance, norm

    def compute(frames: Array) -> Integrated:
        signal, variance, norm = (np.stack(sums) for sums in zip(*map(integrate, frames), strict=True))
        # Sums of integers below 2**53 are exact in float64; of no pixels at all numpy.bincount makes integers.
        signal = signal.astype(np.uint64 if problem.exact else np.float64)
        return Integrated.from_sums(np, signal, variance, norm)

    return compute
