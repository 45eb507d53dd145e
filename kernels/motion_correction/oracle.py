"""The oracle: the true drift and the specimen if they are known, and always the definition.

- The drift that is found is within 0.05 pixel (root mean square over frames and axes, without the mean of each movie).
- The aligned sum shows the specimen: over all frequencies below 1/8 the correlation with it is at least 0.9. White
  noise of 36 electrons per pixel hides single pixels (0.6 even for a correct sum). At these frequencies a correct sum
  reaches 0.92 to 0.99, and a sum of frames that were not aligned reaches 0.4 to 0.7.
- The shifts of our implementations agree with the float64 reference. At random frequencies, the sum has the
  coefficients that the definition gives for the shifts that were found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from daasbench.authoring import Verdict, worst_of

from .definition import Aligned, coefficients_at, frequencies
from .options import MotionOptions
from .problem import Problem
from .with_numpy import find_shifts

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]

OWN_ESTIMATE = "own_estimate"  # a judgement

DRIFT_TOLERANCE = 0.05  # pixels rms (docs/reference/kernel-definitions.md); RELION reaches 0.02 to 0.04
CORRELATION = 0.9  # at least, with the specimen: docs/reference/kernel-definitions.md
SHIFT_TOLERANCE = 5e-4  # pixels, largest; float32 and a short filter give 5e-5, a frame in its own reference 1e-3
SUM_TOLERANCE = 1e-4  # relative; float32 gives 1e-6
PEER_TOLERANCE = 0.25  # pixels rms from the reference if no truth is known: a peer has another weight and stopping rule

_SEEN = 0.125  # cycles per pixel, up to which the specimen is compared
_DRAWN = 8  # random frequencies on each axis


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What the results of a block must be.

    Attributes
    ----------
    shifts
        f64[movies, frames, 2]: shifts of the reference.
    ky, kx
        f64[8] each: random frequencies, in cycles per frame.
    coefficients
        c128[movies, frames, 8, 8]: coefficients of the frames at these frequencies.
    """

    shifts: F64
    ky: F64
    kx: F64
    coefficients: C128


def expect(problem: Problem, options: MotionOptions) -> list[Expectation]:  # noqa: ARG001  (of the contract)
    """Return the expectation for each block, at frequencies that are drawn anew for each comparison."""
    rng = np.random.default_rng()
    rows, columns = problem.grid.frame
    made = []
    for movies in problem.blocks:
        ky, kx = _drawn(rows, rng), np.abs(_drawn(columns, rng))
        made.append(
            Expectation(
                shifts=np.stack([find_shifts(movie, problem.grid) for movie in movies]),
                ky=ky,
                kx=kx,
                coefficients=np.array([[coefficients_at(frame, ky, kx) for frame in movie] for movie in movies]),
            )
        )
    return made


def verify(problem: Problem, expectation: list[Expectation], block: int, result: Aligned, judged_as: str) -> Verdict:
    """Return the verdict on a result: that of the check with the largest error relative to its tolerance."""
    movies, frames, rows, columns = problem.blocks[block].shape
    for name, array, kind, shape in (
        ("shifts", result.shifts, "float64", (movies, frames, 2)),
        ("sums", result.sums, "float32", (movies, rows, columns)),
    ):
        if array.shape != shape or array.dtype != kind:
            message = f"{name} is {array.dtype}{list(array.shape)}, not {kind}{list(shape)}"
            return Verdict(error=1.0, tolerance=0.0, verified_by="oracle", message=message)
    if not (np.isfinite(result.shifts).all() and np.isfinite(result.sums).all()):
        return Verdict(error=None, tolerance=0.0, verified_by="oracle", message="the result is not finite")
    expected = expectation[block]
    return worst_of(_checks(problem, expected, block, result, judged_as == OWN_ESTIMATE))


def drift_error(found: F64, planted: F64) -> float:
    """Return the root mean square difference, in pixels, of f64[movies, frames, 2], without the mean of each movie."""
    difference = found - planted
    difference = difference - difference.mean(axis=1, keepdims=True)
    return float(np.sqrt((difference**2).mean()))


def correlation_with(contrast: NDArray[Any], image: F32) -> float:
    """Return the correlation of an image with the half spectrum of the specimen over frequencies up to 1/8."""
    rows, columns = image.shape
    down, across = int(_SEEN * rows), int(_SEEN * columns) + 1
    ky, kx = frequencies(rows)[:, None] / rows, np.arange(across)[None] / columns
    inside = (ky**2 + kx**2 < _SEEN**2) & (ky**2 + kx**2 > 0)
    twice = np.where(kx > 0, 2.0, 1.0) * inside
    low = np.r_[0 : down + 1, rows - down : rows]
    seen, got = contrast[low, :across].astype(np.complex128), scipy.fft.rfft2(image)[low, :across].astype(np.complex128)
    twice = twice[low]
    both = np.sqrt((twice * np.abs(seen) ** 2).sum() * (twice * np.abs(got) ** 2).sum())
    return float((twice * (seen * got.conj()).real).sum() / both) if both > 0 else 0.0


def _checks(problem: Problem, expected: Expectation, block: int, result: Aligned, own_estimate: bool) -> list[Verdict]:
    """Return the verdicts of every oracle that applies."""
    made: list[Verdict] = []
    if problem.specimens is not None:
        specimen = problem.specimens[block]
        error = drift_error(result.shifts, specimen.drifts)
        message = "rms error of the drift, pixels"
        made.append(Verdict(error=error, tolerance=DRIFT_TOLERANCE, verified_by="truth", message=message))
        pairs = zip(specimen.contrasts, result.sums, strict=True)
        worst = 1 - min(correlation_with(*pair) for pair in pairs)
        message = "1 - correlation of the aligned sum with the specimen below 1/8 cycle per pixel"
        made.append(Verdict(error=worst, tolerance=1 - CORRELATION, verified_by="truth", message=message))
    elif own_estimate:
        error = drift_error(result.shifts, expected.shifts)
        message = "rms difference of the shifts from the reference, pixels"
        made.append(Verdict(error=error, tolerance=PEER_TOLERANCE, verified_by="oracle", message=message))
    if not own_estimate:
        error = float(np.abs(result.shifts - expected.shifts).max())
        message = "largest difference of a shift from the reference, pixels"
        made.append(Verdict(error=error, tolerance=SHIFT_TOLERANCE, verified_by="oracle", message=message))
        message = "relative difference of the sum from the definition at its shifts"
        error = _sum_error(expected, result, problem.grid.frame)
        made.append(Verdict(error=error, tolerance=SUM_TOLERANCE, verified_by="oracle", message=message))
    return made


def _sum_error(expected: Expectation, result: Aligned, frame: tuple[int, int]) -> float:
    """Return the relative difference of the sums from the definition with the shifts found, at some frequencies."""
    missed = scale = 0.0
    for coefficients, shifts, image in zip(expected.coefficients, result.shifts, result.sums, strict=True):
        waves = np.exp(
            2j * np.pi * (shifts[:, 0, None, None] * expected.ky[:, None] / frame[0]
                          + shifts[:, 1, None, None] * expected.kx / frame[1])
        )  # fmt: skip
        right = (waves * coefficients).sum(axis=0)
        missed += float((np.abs(coefficients_at(image, expected.ky, expected.kx) - right) ** 2).sum())
        scale += float((np.abs(right) ** 2).sum())
    return float(np.sqrt(missed / scale)) if scale > 0 else float("inf") if missed > 0 else 0.0


def _drawn(size: int, rng: np.random.Generator) -> F64:
    """Return f64[8]: whole cycles per frame, some low and some high, neither 0 nor without a partner."""
    half = (size - 1) // 2
    low, high = rng.integers(1, max(half // 8, 2), _DRAWN // 2), rng.integers(1, half + 1, _DRAWN // 2)
    return np.concatenate([low, -high]).astype(np.float64)
