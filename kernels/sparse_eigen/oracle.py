"""Verification: by the reference's coefficients, and by the exact energy of the Bethe ansatz."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Verdict, worst_of

from .definition import exact_energy
from .options import SparseEigenOptions
from .problem import Problem
from .with_numpy import lanczos

F64 = NDArray[np.float64]

ENERGY_ONLY = "energy_only"  # a judgement

TOLERANCE = 1e-10  # of a coefficient; they are of order 1 to 10, rounding leaves 1e-14
ENERGY_TOLERANCE = 1e-6  # with the steps of every size the error is less than 1e-9
ROUNDING = 1e-9  # by which a computed energy may be below the lowest energy


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The expected results: `alpha` and `beta` by family of symmetric states, and the exact energy."""

    alpha: list[F64]
    beta: list[F64]
    energy: float


def expect(problem: Problem, options: SparseEigenOptions) -> Expectation:  # noqa: ARG001  (there are none)
    """Return the coefficients by the reference, from one run per family of symmetric states."""
    runs = [lanczos(state, problem.length, problem.steps) for state in problem.blocks[:: 4 * problem.length]]
    return Expectation(
        alpha=[run["alpha"] for run in runs],
        beta=[run["beta"] for run in runs],
        energy=exact_energy(problem.length),
    )


def verify(
    problem: Problem, expectation: Expectation, block: int, result: Mapping[str, F64], judged_as: str
) -> Verdict:
    """Return the verdict on the energy and, if that is correct, on the coefficients, which are a stricter test.

    If both are wrong, the verdict is on the energy: its exact value does not depend on the reference.
    """
    energy = np.asarray(result["energy"])
    if energy.shape != (1,) or energy.dtype != np.float64:
        message = f"the energy is {energy.dtype}{list(energy.shape)}, not float64[1]"
        return Verdict(error=1.0, tolerance=0.0, verified_by="oracle", message=message)
    excess = float(energy[0]) - expectation.energy
    checks = [Verdict(error=abs(excess), tolerance=ENERGY_TOLERANCE, verified_by="truth", message="energy")]
    if excess < -ROUNDING:
        message = f"the energy is {-excess:.3g} below the lowest possible energy, which no approximation can reach"
        checks.append(Verdict(error=-excess, tolerance=ROUNDING, verified_by="truth", message=message))
    by_energy = worst_of(checks)
    if judged_as == ENERGY_ONLY or not by_energy.ok:
        return by_energy
    return _coefficients(expectation, block // (4 * problem.length), result)


def _coefficients(expectation: Expectation, family: int, result: Mapping[str, F64]) -> Verdict:
    """Return the verdict on the difference of the coefficients from the reference's."""
    pairs = ((result["alpha"], expectation.alpha[family]), (result["beta"], expectation.beta[family]))
    if any(got.shape != expected.shape or got.dtype != np.float64 for got, expected in pairs):
        message = "coefficients are missing, or not float64"
        return Verdict(error=float("nan"), tolerance=TOLERANCE, verified_by="oracle", message=message)
    error = float(np.max([np.abs(got - expected).max() for got, expected in pairs]))  # NaN if a coefficient is NaN
    return Verdict(error=error, tolerance=TOLERANCE, verified_by="oracle")
