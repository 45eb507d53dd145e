"""The three fits by their definition: the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

SPECTRA = 512  # at a time, which bounds the memory
SWEEPS, ACCURACY = 20_000, 1e-9  # of coordinate descent; relative to the largest area


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], F32]:  # noqa: ARG001  (BLAS has its threads)
    """Return the function that turns spectra into areas."""
    model = problem.model
    fitted = slice(model.first, model.last)

    def fit(spectra: F64) -> F64:
        if problem.method == "nnls":
            return non_negative(spectra @ (model.matrix / model.norms), model.gram) / model.norms
        if problem.method == "snip":
            spectra = spectra - snip(spectra, problem.snip_width)
        return spectra @ model.pseudo_inverse.T

    def compute(spectra: Any) -> F32:
        areas = np.empty((len(spectra), len(model.names)), np.float32)
        for start in range(0, len(spectra), SPECTRA):
            chunk = slice(start, start + SPECTRA)
            areas[chunk] = fit(spectra[chunk, fitted].astype(np.float64))
        return areas

    return compute


def snip(spectra: F64, width: int) -> F64:
    """Return f64[pixels, channels]: the background, by passes of decreasing width.

    No channel is higher than the mean of its two neighbours at that distance; peaks narrower than `width` are removed.
    """
    background = spectra.copy()
    for p in range(width, 0, -1):
        mean = (background[:, : -2 * p] + background[:, 2 * p :]) / 2
        background[:, p:-p] = np.minimum(background[:, p:-p], mean)
    return background


def non_negative(products: F64, gram: F64) -> F64:
    """Return f64[pixels, components]: non-negative x with minimum ``x gram x / 2 - products x``, by coordinate descent.

    The start is the clipped solution without the condition; if no component is negative, this is the solution.
    """
    x = np.maximum(np.linalg.solve(gram, products.T), 0)
    for _ in range(SWEEPS):
        largest_step = 0.0
        for k, row in enumerate(gram):
            step = np.maximum(x[k] + (products[:, k] - row @ x) / row[k], 0) - x[k]
            x[k] += step
            largest_step = max(largest_step, float(np.abs(step).max()))
        if not largest_step > ACCURACY * x.max():
            break
    return np.asarray(x.T, np.float64)
