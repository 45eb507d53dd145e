"""Verification by the reference on a random combination of all slices: SIRT is linear.

``SIRT(sum of g[z] y[z]) = sum of g[z] SIRT(y[z])``: the reconstruction of one combined slice by the reference
verifies every pixel of every slice, because g is drawn anew for each comparison. A second run, on a randomly drawn
slice, verifies its residuals, which are not linear. If the object is known, the error of a result must be the same as
that of the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Verdict, worst_of

from .definition import Reconstruction
from .options import IterativeOptions
from .problem import Problem
from .with_numpy import sirt

F64 = NDArray[np.float64]

NO_RESIDUALS = "no_residuals"  # a judgement

TOLERANCE = 1e-4  # of float32 against float64, after 30 iterations; the implementations here are ten times better
OWN_TOLERANCE = 5e-3  # of packages with other float32 arithmetic and other corners
ERROR_TOLERANCE = 5e-3  # of the error against the truth, relative: docs/reference/kernel-definitions.md


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The expected result of a block.

    Attributes
    ----------
    combination
        f64[slices]: the numbers g.
    volume
        f64[N, N]: the sum of the slices, each times its g, by the reference.
    drawn
        Index of the slice whose `residuals`, f64[iterations], are known.
    starts
        f64[slices]: the first residual of every slice, |y|.
    truth
        f64[N, N]: the same sum of the known densities; None if unknown.
    """

    combination: F64
    volume: F64
    drawn: int
    residuals: F64
    starts: F64
    truth: F64 | None


def expect(problem: Problem, options: IterativeOptions) -> list[Expectation]:  # noqa: ARG001  (of the contract)
    """Return the expected result of each block, for combinations that are drawn anew for each comparison."""
    rng = np.random.default_rng()
    made = []
    for index, block in enumerate(problem.blocks):
        slices, _, detector = block.shape
        combination = rng.uniform(0.5, 1.5, slices) * rng.choice([-1.0, 1.0], slices)
        drawn = int(rng.integers(slices))
        both = np.stack([np.tensordot(combination, block.astype(np.float64), 1), block[drawn]])
        reference = sirt(both, problem.angles, problem.centre, problem.iterations)
        made.append(
            Expectation(
                combination=combination,
                volume=reference.volume[0],
                drawn=drawn,
                residuals=reference.residuals[1],
                starts=np.sqrt(np.einsum("zak,zak->z", block, block, dtype=np.float64)),
                truth=problem.phantoms[index].density(combination, detector) if problem.phantoms else None,
            )
        )
    return made


def verify(
    problem: Problem, expectation: list[Expectation], block: int, result: Reconstruction, judged_as: str
) -> Verdict:
    """Return the verdict on the reconstruction of a block: that of the worst check."""
    slices, _, size = problem.blocks[block].shape
    volume, residuals = result
    if volume.shape != (slices, size, size) or volume.dtype != np.float32:
        return _refused(f"the volume is {volume.dtype}{list(volume.shape)}, not float32[{slices}, {size}, {size}]")
    iterations = problem.iterations
    if judged_as != NO_RESIDUALS and (residuals.shape != (slices, iterations) or residuals.dtype != np.float64):
        return _refused(
            f"the residuals are {residuals.dtype}{list(residuals.shape)}, not float64[{slices}, {iterations}]"
        )
    return worst_of(_checks(expectation[block], result, judged_as))


def _refused(message: str) -> Verdict:
    return Verdict(error=1.0, tolerance=0.0, verified_by="oracle", message=message)


def _checks(expected: Expectation, result: Reconstruction, judged_as: str) -> list[Verdict]:
    """Return the verdicts of all checks that apply."""
    complete = judged_as != NO_RESIDUALS
    made: list[Verdict] = []

    def check(error: float, tolerance: float, by: Literal["truth", "oracle"], message: str) -> None:
        made.append(Verdict(error=error, tolerance=tolerance, verified_by=by, message=message))

    volume = np.tensordot(expected.combination, result.volume, 1)
    check(
        _apart(volume, expected.volume),
        TOLERANCE if complete else OWN_TOLERANCE,
        "oracle",
        "rms difference from the reference, of a random combination of all slices",
    )
    if expected.truth is not None:
        right = _apart(expected.volume, expected.truth)
        error = abs(_apart(volume, expected.truth) - right) / right
        check(
            error,
            ERROR_TOLERANCE,
            "truth",
            f"difference from the reference's error against the known object ({right:.3g})",
        )
    if complete:
        error = _apart(result.residuals[expected.drawn], expected.residuals)
        check(error, TOLERANCE, "oracle", f"rms difference of the residuals of slice {expected.drawn}")
        error = _apart(result.residuals[:, 0], expected.starts)
        check(error, TOLERANCE, "oracle", "rms difference of the first residuals from |y|")
    return made


def _apart(found: F64, expected: F64) -> float:
    """Return the rms difference relative to the expected values; infinite if only these are all zero."""
    with np.errstate(invalid="ignore", over="ignore"):
        scale, missed = np.linalg.norm(expected), np.linalg.norm(found - expected)
        return float(missed / scale) if scale > 0 else float("inf") if missed > 0 else float(missed)
