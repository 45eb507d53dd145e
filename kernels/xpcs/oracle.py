"""Verification: by known dynamics, by the reference, and by scikit-beam."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft

from daasbench.authoring import Options, Resources, Verdict, worst_of

from . import with_numpy
from .definition import F64, level_averages
from .problem import Problem

TOLERANCE = 1e-6
"""Absolute: integers are exact, larger products are rounded in float32; scikit-beam's running means give 1e-13."""

TRUTH_TOLERANCE = 0.03
"""Or six standard deviations for the pixels and frames of a ring, if that is larger."""

DYNAMIX_TOLERANCE = 1e-4
"""For its own definition: it computes in float32."""

REFERENCE, FRAME_BY_FRAME = "reference", "frame_by_frame"
"""Judgements."""

LARGE_BLOCK_BYTES = 10**9  # above this size, only some rings are compared, drawn anew for every result
DRAWN = 2  # rings
_DEVIATIONS = 6.0
_NUMBERS = 1 << 21  # float64 in memory at a time


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The expected results of a problem.

    Attributes
    ----------
    reference
        The numpy result of each block; None if the blocks are too large to compute all of them.
    peer
        The result of scikit-beam for a file, if it is installed.
    truth, allowed
        f64[lags, q]: the g2 of the generated frames, and the largest allowed difference from it.
    """

    reference: Sequence[F64] | None
    peer: Sequence[F64] | None
    truth: F64 | None
    allowed: F64 | None


def expect(problem: Problem, options: Options) -> Expectation:  # noqa: ARG001  (they are in the problem)
    """Return the reference results, and the truth if it is known."""
    large = problem.blocks[0].nbytes > LARGE_BLOCK_BYTES
    reference = None if large else [with_numpy.prepare(problem)(block) for block in problem.blocks]
    peer = None
    if not large and problem.sample is None and importlib.util.find_spec("skbeam"):
        from .peers import with_skbeam

        correlate = with_skbeam.prepare(problem, Resources())
        peer = [correlate(block) for block in problem.blocks]
    truth = allowed = None
    if problem.sample is not None:
        truth = problem.sample.g2(problem.schedule)
        allowed = np.maximum(TRUTH_TOLERANCE, _DEVIATIONS * problem.sample.deviation(problem.schedule))
    return Expectation(reference=reference, peer=peer, truth=truth, allowed=allowed)


def verify(problem: Problem, expectation: Expectation, block: int, result: Any, judged_as: str) -> Verdict:
    """Return the verdict on g2 of a block by truth and reference: that of the worse check.

    The reference always agrees with itself. It is verified by the truth, by scikit-beam, or, without both, only by
    agreement.
    """
    right = (problem.schedule.lags.size, problem.rings)
    if np.shape(result) != right or result.dtype != np.float64:
        message = f"g2 is {result.dtype}{list(np.shape(result))}, not float64{list(right)}"
        return Verdict(error=math.inf, tolerance=TOLERANCE, verified_by="oracle", message=message)
    truth = _truth(expectation, result)
    if judged_as == FRAME_BY_FRAME:
        compared = _frame_by_frame(problem, block, result)
    else:
        compared = _against_reference(problem, expectation, block, result)
    if judged_as == REFERENCE and truth is None:
        compared = worst_of((_independent(expectation, block, result, compared), compared))
    return worst_of(check for check in (truth, compared) if check is not None)


def _independent(expectation: Expectation, block: int, result: F64, compared: Verdict) -> Verdict:
    """Return the verdict on the reference by scikit-beam; without scikit-beam, by agreement with itself."""
    if expectation.peer is not None:
        error = _largest(result - expectation.peer[block])
        return Verdict(error=error, tolerance=TOLERANCE, verified_by="peer", message="scikit-beam")
    message = "numpy compared with itself; install scikit-beam for an independent verification"
    return Verdict(error=compared.error, tolerance=TOLERANCE, verified_by="agreement", message=message)


def _largest(difference: F64) -> float:
    return float(np.max(np.abs(difference)))


def _truth(expectation: Expectation, result: F64) -> Verdict | None:
    """Return the difference of g2 from the truth, scaled so that 0.03 is allowed; None if the truth is not known."""
    if expectation.truth is None or expectation.allowed is None:
        return None
    error = _largest((result - expectation.truth) * (TRUTH_TOLERANCE / expectation.allowed))
    strict = float(np.mean(expectation.allowed <= TRUTH_TOLERANCE))
    message = (
        f"known dynamics; {strict:.0%} of the values have enough pixels for 0.03, the others must be within 6 sigma"
    )
    return Verdict(error=error, tolerance=TRUTH_TOLERANCE, verified_by="truth", message=message)


def _against_reference(problem: Problem, expectation: Expectation, block: int, result: F64) -> Verdict:
    """Return the largest difference from the numpy reference, in all rings or, if blocks are large, in some."""
    if expectation.reference is not None:
        error = _largest(result - expectation.reference[block])
        return Verdict(error=error, tolerance=TOLERANCE, verified_by="oracle", message="plain numpy reference")
    rings = _drawn(problem)
    counts = problem.blocks[block].reshape(problem.frames, -1)
    sums = with_numpy.sums_of(counts, problem.labels.ravel(), rings, problem.schedule)
    error = _largest(result[:, rings - 1] - sums.g2(problem.schedule))
    return Verdict(error=error, tolerance=TOLERANCE, verified_by="oracle", message=f"numpy reference, rings {rings}")


def _frame_by_frame(problem: Problem, block: int, result: F64) -> Verdict:
    """Return the largest difference from the definition of dynamix, in some rings."""
    rings = _drawn(problem)
    counts, labels = problem.blocks[block].reshape(problem.frames, -1), problem.labels.ravel()
    exact = np.stack([linear_g2(counts, np.flatnonzero(labels == ring)) for ring in rings], axis=1)
    error = _largest(result[:, rings - 1] - level_averages(exact, problem.schedule))
    message = f"its own definition, normalised frame by frame, in rings {rings}"
    return Verdict(error=error, tolerance=DYNAMIX_TOLERANCE, verified_by="oracle", message=message)


def _drawn(problem: Problem) -> Any:
    return np.sort(np.random.default_rng().permutation(problem.rings)[:DRAWN]) + 1


def linear_g2(counts: Any, members: Any) -> F64:
    """Return g2 at every lag, normalised frame by frame, of the pixels `members` of u16[frames, pixels]: f64[frames].

    ``sum_t <I(p, t) I(p, t + k)> / sum_t <I(p, t)> <I(p, t + k)>``, averaged over the pixels p.
    """
    frames = len(counts)
    length = scipy.fft.next_fast_len(2 * frames, real=True)
    power = np.zeros(length // 2 + 1)
    means = np.zeros(frames)
    for first in range(0, members.size, max(1, _NUMBERS // length)):
        rows = counts[:, members[first : first + max(1, _NUMBERS // length)]].T.astype(np.float64)
        power += (np.abs(scipy.fft.rfft(rows, length)) ** 2).sum(axis=0)
        means += rows.sum(axis=0)
    means /= members.size
    products = scipy.fft.irfft(power, length)[:frames] / members.size
    squares = scipy.fft.irfft(np.abs(scipy.fft.rfft(means, length)) ** 2, length)[:frames]
    g2: F64 = np.divide(products, squares, out=np.zeros(frames), where=squares > 0)
    return g2
