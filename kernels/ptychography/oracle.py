"""Verification: by R of the reference, by the known object, and by a misfit that is not larger than the noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Verdict, worst_of

from .definition import Reconstruction, object_shape, reconstruct
from .options import PtychographyOptions
from .problem import Problem
from .scene import Truth
from .with_numpy import LIBRARY, add

C64 = NDArray[np.complex64]
F64 = NDArray[np.float64]

R_TOLERANCE = 1e-4  # of R at iterations 1 to 3: docs/reference/kernel-definitions.md; float32 leaves 1e-7
OBJECT_TOLERANCE = 0.05  # of the object, after removal of a constant and a linear phase
NOISE_TOLERANCE = 1.05  # final R over R of the noise; the result fits some of the noise and reaches 0.95
SAME_TOLERANCE = 1e-3  # between the R that is returned and that of the object and the probe that are returned

COMPARED = 3  # iterations
ENOUGH = (
    20  # iterations of either kind from which on the result is compared with the truth, not only with the reference
)
_LIT = 0.2  # of the brightest part of the object: what is compared with the truth
_SEARCHES = 14  # each step doubles the accuracy of the linear phase


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The expected result of a block: its first R, and the truth, if that is known."""

    r: F64
    truth: Truth | None
    light: F64 | None  # on the object, by the true probe, where it is sufficient; else 0


def expect(problem: Problem, options: PtychographyOptions) -> list[Expectation]:  # noqa: ARG001  (of the contract)
    """Return the expected result of each block."""
    iterations = min(COMPARED, problem.iterations)
    finish = min(COMPARED - iterations, problem.finish)
    made = []
    for index, block in enumerate(problem.blocks):
        reference = reconstruct(LIBRARY, block, problem.corners, problem.probe, iterations, finish)
        truth = problem.truths[index] if problem.truths else None
        light = None if truth is None else _illumination(problem, truth.probe)
        made.append(Expectation(r=reference.r.astype(np.float64), truth=truth, light=light))
    return made


def verify(
    problem: Problem,
    expectation: list[Expectation],
    block: int,
    result: Reconstruction,
    judged_as: str,  # noqa: ARG001  (all compute the same)
) -> Verdict:
    """Return the verdict on a result: that of the worst check."""
    steps = problem.iterations + problem.finish
    right = (problem.shape, np.complex64), (problem.probe.shape, np.complex64), ((steps,), np.float32)
    if any(one.shape != shape or one.dtype != kind for one, (shape, kind) in zip(result, right, strict=True)):
        found = ", ".join(f"{one.dtype}{list(one.shape)}" for one in result)
        wanted = ", ".join(f"{np.dtype(kind)}{list(shape)}" for shape, kind in right)
        message = f"object, probe and R are {found}, not {wanted}"
        return Verdict(error=1.0, tolerance=0.0, verified_by="oracle", message=message)
    with np.errstate(all="ignore"):  # a result that is not finite is wrong; no warning is needed
        verdicts = _checks(problem, expectation[block], problem.blocks[block], result)
    return worst_of(verdicts)


def _checks(problem: Problem, expected: Expectation, counts: Any, result: Reconstruction) -> list[Verdict]:
    made: list[Verdict] = []

    def check(error: float, tolerance: float, by: Literal["truth", "oracle"], message: str) -> None:
        made.append(Verdict(error=float(error), tolerance=tolerance, verified_by=by, message=message))

    first = result.r[: len(expected.r)].astype(np.float64)
    check(
        np.abs(first - expected.r).max(),
        R_TOLERANCE,
        "oracle",
        "difference of R of iterations 1 to 3 from the reference",
    )
    if problem.finish < ENOUGH:
        check(0.0 if np.isfinite(_sum(result)) else np.nan, 1.0, "oracle", "object, probe and R are finite")
        return made
    own = r_factor(counts, problem.corners, result.probe, result.object)
    returned = float(result.r[-1])
    check(
        abs(returned - own),
        SAME_TOLERANCE,
        "oracle",
        "difference of the returned R from that of the returned object and probe",
    )
    if problem.iterations < ENOUGH:
        return made
    if expected.truth is None or expected.light is None:
        check(own / float(expected.r[0]), 1.0, "oracle", "ratio of the final R to the first")
        return made
    check(own / expected.truth.floor, NOISE_TOLERANCE, "truth", "ratio of the final R to that of the noise")
    error = object_error(result.object, expected.truth.object, expected.light)
    check(error, OBJECT_TOLERANCE, "truth", "error of the object, after removal of a constant and a linear phase")
    return made


def _sum(result: Reconstruction) -> complex:
    return complex(sum(complex(one.sum()) for one in result))


def r_factor(counts: Any, corners: Any, probe: C64, image: C64) -> float:
    """Return Σ | |F (P O_j)| - √I_j | / Σ √I_j over the measured pixels."""
    pixels = probe.shape[0]
    missed = total = 0.0
    for frame, (row, column) in zip(counts, corners, strict=True):
        spectrum = np.fft.fft2(probe * image[row : row + pixels, column : column + pixels], norm="ortho")
        measured = frame >= 0
        amplitude = np.sqrt(frame[measured])
        missed += float(np.abs(np.fft.fftshift(np.abs(spectrum))[measured] - amplitude).sum(dtype=np.float64))
        total += float(amplitude.sum(dtype=np.float64))
    return missed / total


def object_error(image: C64, truth: C64, light: F64) -> float:
    """Return the relative rms error, weighted by the light, after removal of a constant and a linear phase.

    No diffraction pattern changes when the object gains a linear phase and the probe loses it.
    """
    level = remove_linear_phase(image, truth, light)
    found = np.vdot(level * light, level)
    scale = np.vdot(level * light, truth) / found if found else 0.0
    missed = np.sum(light * np.abs(scale * level - truth) ** 2)
    return float(np.sqrt(missed / np.sum(light * np.abs(truth) ** 2)))


def remove_linear_phase(image: C64, truth: C64, light: F64) -> NDArray[np.complex128]:
    """Return `image` without its linear phase relative to `truth`."""
    rest = image * truth.conj() * light
    sizes = [1 << (2 * length - 1).bit_length() for length in rest.shape]
    peak = np.unravel_index(np.abs(np.fft.fft2(rest, s=sizes)).argmax(), sizes)
    frequency = np.array([place / size for place, size in zip(peak, sizes, strict=True)])
    step = np.array([0.5 / size for size in sizes])
    y, x = (np.arange(length) for length in rest.shape)

    def strength(at: F64) -> float:
        return float(np.abs(np.exp(-2j * np.pi * at[0] * y) @ rest @ np.exp(-2j * np.pi * at[1] * x)))

    for _ in range(_SEARCHES):
        around = [frequency + step * (i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        frequency = max(around, key=strength)
        step = step / 2
    ramp = np.exp(-2j * np.pi * np.add.outer(frequency[0] * y, frequency[1] * x))
    return np.asarray(image * ramp, np.complex128)


def _illumination(problem: Problem, probe: C64) -> F64:
    """Return f64[rows, columns]: Σ |P|² where it is at least a fifth of its largest, else 0."""
    light = np.zeros(object_shape(problem.corners, problem.pixels))
    add(light, np.broadcast_to(np.abs(probe) ** 2, (len(problem.corners), *probe.shape)), problem.corners)
    return np.where(light < _LIT * light.max(), 0, light)
