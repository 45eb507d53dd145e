"""The oracle: the spectrum of a field that is a sum of products is known at every frequency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from daasbench.authoring import Verdict, worst_of

from .atoms import Atoms
from .options import DistributedFftOptions
from .problem import Problem

TOLERANCES = {"complex128": 1e-12, "complex64": 2e-6}

_ALL_BELOW_BYTES = 10**9  # larger spectra are compared at planes that are drawn anew for each result
_PLANES = 16


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The spectrum of each block, and the energy that Parseval's theorem gives it."""

    spectra: Sequence[Atoms]
    energies: Sequence[float]


def expect(problem: Problem, options: DistributedFftOptions) -> Expectation:  # noqa: ARG001  (of the contract)
    """Return the spectrum and the energy of each block."""
    volume = problem.size**3
    return Expectation(
        spectra=[field.spectrum() for field in problem.fields],
        energies=[field.energy() * volume for field in problem.fields],
    )


def verify(problem: Problem, expectation: Expectation, block: int, result: Any, judged_as: str) -> Verdict:  # noqa: ARG001
    """Return the verdict on the spectrum of a block: its difference from the truth, or from Parseval's energy."""
    dtype = problem.blocks[block].dtype
    tolerance = TOLERANCES[dtype.name]
    shape = (problem.size,) * 3
    if result.shape != shape or result.dtype != dtype:
        wrong = f"the spectrum is {result.dtype}{list(result.shape)}, not {dtype}{list(shape)}"
        return Verdict(error=None, tolerance=tolerance, verified_by="truth", message=wrong)
    distance = _distance(expectation.spectra[block], expectation.energies[block], result)
    energy = sum(_energy(plane) for plane in result)
    missing = abs(energy / expectation.energies[block] - 1)
    spectrum = "difference from the known spectrum, relative to its root mean square over the planes compared"
    return worst_of(
        Verdict(error=error, tolerance=tolerance, verified_by="truth", message=message)
        for error, message in ((distance, spectrum), (missing, "energy (Parseval)"))
    )


def _distance(spectrum: Atoms, energy: float, result: Any) -> float:
    """Return the root mean square difference over planes of the first axis, relative to that of the spectrum.

    It is NaN if any value in these planes is NaN.
    """
    count = spectrum.size
    if result.nbytes <= _ALL_BELOW_BYTES:
        chosen = np.arange(count)
    else:
        chosen = np.random.default_rng().choice(count, min(_PLANES, count), replace=False)
    with np.errstate(all="ignore"):
        missed = sum(_energy(result[index] - spectrum.plane(int(index))) for index in chosen)
    return float(np.sqrt(missed / (energy * len(chosen) / count)))


def _energy(plane: Any) -> float:
    numbers = plane.astype(np.complex128, copy=False)
    return float(np.vdot(numbers, numbers).real)
