"""numpy.bincount with float64 weights, as scientists write it: tables are made once, the rest is done per frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import Resources

from ..integrated import Integrated

if TYPE_CHECKING:
    from ..problem import Problem

    Array = np.ndarray[Any, np.dtype[Any]]


def prepare(problem: Problem, resources: Resources) -> Callable[[Array], Integrated]:  # noqa: ARG001  (numpy has one thread)
    """Return ``compute(frames)``: a flat map of bins without splitting, a list of entries with splitting."""
    solid_angle = problem.solid_angle.ravel()
    full_norm = problem.pixel_bins.norm(solid_angle)
    in_use = problem.pixel_bins.count > 0
    sums = _unsplit(problem) if problem.mode == "nosplit" else _split(problem)

    def integrate(frame: Array) -> tuple[Array, Array, Array]:
        valid = problem.is_valid(frame)
        signal, variance = sums(np.where(valid, frame, 0).astype(np.float64))
        norm = full_norm
        if (in_use & ~valid).any():
            norm = full_norm - problem.pixel_bins.norm(np.where(valid, 0.0, solid_angle))
        return signal, variance, np.where(norm > 1e-9 * full_norm, norm, 0.0)

    def compute(frames: Array) -> Integrated:
        rows = map(integrate, frames.reshape(len(frames), -1))
        signal, variance, norm = (np.stack(each) for each in zip(*rows, strict=True))
        profiles = Integrated.from_sums(np, signal, variance, norm)
        return Integrated(intensity=profiles.intensity, sigma=profiles.sigma)

    return compute


def _unsplit(problem: Problem) -> Callable[[Array], tuple[Array, Array]]:
    bins = problem.pixel_bins.bins
    bin_of_pixel = problem.pixel_bins.first.astype(np.intp)

    def sums(counts: Array) -> tuple[Array, Array]:
        signal = np.bincount(bin_of_pixel, weights=counts, minlength=bins + 1)[:bins]
        return signal, signal

    return sums


def _split(problem: Problem) -> Callable[[Array], tuple[Array, Array]]:
    bins = problem.pixel_bins.bins
    pixel, bin_, share = problem.pixel_bins.entries()
    square = share**2

    def sums(counts: Array) -> tuple[Array, Array]:
        counts = counts[pixel]
        signal = np.bincount(bin_, weights=share * counts, minlength=bins)
        return signal, np.bincount(bin_, weights=square * counts, minlength=bins)

    return sums
