"""The fit of a Gaussian by Levenberg-Marquardt; every implementation computes the same steps.

``f(i) = h exp(-u² / 2)``, ``u = (i - c) / s`` over the bins i. Steps are relative: of h in units of h, of c and s in
units of s. The derivatives then are f, f u and f u², and the normal equations need the sums over the bins of
``f² u^k`` (k = 0 to 4) and ``f r u^k`` (k = 0 to 2), r the residual.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

MOST_STEPS = 200
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e-12, 1e12
DAMPING_FACTOR = 10.0
CONVERGED = 1e-8  # in units of h, s and s: after a shorter step, the next step would be a hundredth of it
SQRT_2_PI = float(np.sqrt(2 * np.pi))


def fit(projection: F64) -> F64 | None:
    """Return height, centre and sigma in bins of the Gaussian closest to a projection f64[bins]; None if there is none.

    The starting values are those of xsocs: the centre is the largest value of the projection, the area is its sum.
    A Gaussian with its centre outside the projection, or wider than it, is rejected.
    """
    bins, highest = projection.size, float(projection.max())
    if bins < 3 or not highest > 0:
        return None
    area = float(projection.sum()) * (bins - 1) / bins
    at = np.array([highest, float(projection.argmax()), area / (highest * SQRT_2_PI)])
    damping = FIRST_DAMPING
    squares, matrix, gradient = _normal_equations(projection, at)
    for _ in range(MOST_STEPS):
        step = _solve(matrix, gradient, damping)
        if step is None or not np.isfinite(step).all():
            return None
        tried = at + step * [at[0], at[2], at[2]]
        if np.abs(step).max() < CONVERGED and damping <= 1:
            return _peak(bins, *tried)
        found = _normal_equations(projection, tried)
        if found[0] <= squares:
            at, (squares, matrix, gradient) = tried, found
            damping = max(damping / DAMPING_FACTOR, LEAST_DAMPING)
        else:
            damping *= DAMPING_FACTOR
            if not damping <= MOST_DAMPING:
                return None
    return None


def _normal_equations(projection: F64, at: F64) -> tuple[float, F64, F64]:
    """Return the sum of squared residuals, f64[3, 3] and f64[3]."""
    height, centre, sigma = at
    u = (np.arange(projection.size) - centre) / sigma
    model = height * np.exp(-0.5 * u * u)
    residual = projection - model
    derivatives = np.stack([model, model * u, model * u * u])
    return float(residual @ residual), derivatives @ derivatives.T, derivatives @ residual


def _solve(matrix: F64, gradient: F64, damping: float) -> F64 | None:
    try:
        step = np.linalg.solve(matrix + damping * np.diag(np.diag(matrix)), gradient)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(step, np.float64)


def _peak(bins: int, height: float, centre: float, sigma: float) -> F64 | None:
    """Return the parameters with sigma positive; None if the fit found the background, not a peak in the grid."""
    inside = 0 <= centre <= bins - 1 and abs(sigma) <= bins
    return np.array([height, centre, abs(sigma)]) if inside else None


def in_units(fitted: F64, first: F64, step: F64) -> F64:
    """Return area, centre and sigma in units of q, from height, centre and sigma in bins: f64[..., axis, 3] both."""
    height, centre, sigma = np.moveaxis(fitted, -1, 0)
    return np.stack([height * sigma * SQRT_2_PI * step, first + centre * step, sigma * step], axis=-1)
