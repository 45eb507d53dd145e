"""The oracle: plane waves decay by a known factor in every step, and the sum is conserved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from daasbench.authoring import Verdict, worst_of

from .options import HaloStencilOptions
from .problem import Problem
from .waves import Waves

TOLERANCE = 1e-12

_ALL_BELOW_BYTES = 10**9  # larger fields are compared at planes that are drawn anew for each result
_PLANES = 16


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The state of each block after the steps."""

    fields: Sequence[Waves]


def expect(problem: Problem, options: HaloStencilOptions) -> Expectation:  # noqa: ARG001  (of the contract)
    """Return the state of each block after the steps."""
    return Expectation(fields=[field.after(problem.steps, problem.diffusion) for field in problem.fields])


def verify(problem: Problem, expectation: Expectation, block: int, result: Any, judged_as: str) -> Verdict:  # noqa: ARG001
    """Return the verdict on the field after the steps: by the eigenmodes at every cell, and by the conserved sum."""
    size = problem.size
    if result.shape != (size,) * 3 or result.dtype != np.float64:
        wrong = f"the field is {result.dtype}{list(result.shape)}, not float64{[size] * 3}"
        return Verdict(error=None, tolerance=TOLERANCE, verified_by="truth", message=wrong)
    field = expectation.fields[block]
    chosen = np.arange(size)
    if result.nbytes > _ALL_BELOW_BYTES:
        chosen = np.random.default_rng().choice(size, _PLANES, replace=False)
    with np.errstate(all="ignore"):
        apart = [np.max(np.abs(result[z] - plane)) for z, plane in zip(chosen, field.planes(chosen), strict=True)]
        furthest = float(np.max(apart)) / field.mean
        lost = abs(float(np.sum(result)) / (field.mean * size**3) - 1)
    modes = "largest difference from the decaying eigenmodes, relative to the mean"
    return worst_of(
        Verdict(error=error, tolerance=TOLERANCE, verified_by="truth", message=message)
        for error, message in ((furthest, modes), (lost, "share of the sum that is lost"))
    )
