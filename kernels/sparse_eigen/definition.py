"""The exact energy of the Heisenberg ring, and the energy from the Lanczos coefficients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

F64 = NDArray[np.float64]

_MOST_ITERATIONS = 10_000


def exact_energy(length: int) -> float:
    """Return the lowest energy of the ring of `length` sites, at least 4, in units of J.

    By the Bethe ansatz (doi:10.1063/1.168740, equations 6 to 9): N φ(z_i) = 2π I_i + Σ_{j≠i} φ((z_i - z_j)/2)
    with φ = 2 arctan and, for r = N/2 flipped spins, the numbers I_i = -(N-r-1)/2 ... in steps of one; E = N/4 - 2 Σ
    1 / (1 + z_i²). Iterated from 0. In an odd ring (N-1)/2 spins are flipped: one of the N - r possible numbers is
    not used, and the lowest energy is the one without the last number.
    """
    flipped = length // 2
    numbers = np.arange(flipped) - (length - flipped - 1) / 2
    rapidities: F64 = np.zeros(flipped)
    for _ in range(_MOST_ITERATIONS):
        shifts = np.arctan((rapidities[:, None] - rapidities) / 2).sum(axis=1)
        following: F64 = np.tan((np.pi * numbers + shifts) / length)
        moved = np.abs(following - rapidities).max()
        rapidities = following
        if moved < 1e-15 * length:
            break
    return float(length / 4 - 2 * (1 / (1 + rapidities**2)).sum())


def lowest(alpha: F64, beta: F64) -> F64:
    """Return f64[1], the lowest eigenvalue of the tridiagonal matrix; NaN if a coefficient is not finite."""
    if not (np.isfinite(alpha).all() and np.isfinite(beta).all()):
        return np.full(1, np.nan)
    values = eigh_tridiagonal(alpha, beta, eigvals_only=True, select="i", select_range=(0, 0))
    return np.asarray(values, np.float64)


def coefficients(alpha: list[float], beta: list[float]) -> dict[str, F64]:
    """Return the result of a repeat: `alpha` f64[steps], `beta` f64[steps - 1], `energy` f64[1]."""
    a, b = np.array(alpha, np.float64), np.array(beta, np.float64)
    return {"alpha": a, "beta": b, "energy": lowest(a, b)}
