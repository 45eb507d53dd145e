"""The oracle: exact photon sums, the known profile, pyFAI and the reference."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from daasbench.authoring import Options, Resources, Verdict, worst_of

from . import with_numpy
from .integrated import Integrated
from .problem import Problem

Array = np.ndarray[Any, np.dtype[Any]]

REFERENCE, CORNERS = "reference", "single_precision_corners"  # judgements

TOLERANCE = 1e-5
# pyFAI computes shares from single-precision corners, accurate to some 1e-4. Over smooth rings the errors average
# to below 1e-5; a bin that one bright pixel dominates (a spot in a measured frame) differs by up to 1e-3.
PYFAI_SPLIT_TOLERANCE = 2e-3
PIXELS_TRUSTED = 10.0  # in bins of fewer pixels errors count less: single-precision shares are coarse
CHI2_TOLERANCE = 0.1
LARGE_BLOCK_BYTES = 10**9  # of larger blocks, frames that are drawn anew for every result are compared
SAMPLED_FRAMES = 2


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What the oracle knows about a problem.

    Attributes
    ----------
    totals
        Counts in each frame of each block: the sum of its bins must be equal.
    norm
        f64[bins], ``Σ c ω`` of the unmasked pixels.
    norm_pyfai
        The same, but 0 in the bins that pyFAI cannot verify: those of a split pixel that the beam crosses. The azimuth
        of this pixel covers the whole circle, it has no corners in (radius, azimuth), and pyFAI gives it negative
        shares.
    reference
        The numpy result of each block; None if blocks are too large to compute all of them.
    peer
        The result of pyFAI, for a file, if pyFAI is installed.
    """

    totals: Sequence[Sequence[float]]
    norm: Array
    norm_pyfai: Array
    reference: Sequence[Integrated] | None
    peer: Sequence[Integrated] | None


def expect(problem: Problem, options: Options) -> Expectation:  # noqa: ARG001  (they are in the problem)
    """Return the reference results and the number of photons that every result must contain."""
    blocks = problem.blocks
    counted = problem.pixel_bins.count.reshape(problem.mask.shape) > 0
    totals = [[_total(problem, frame[counted]) for frame in block] for block in blocks]
    large = blocks[0].nbytes > LARGE_BLOCK_BYTES
    reference = None if large else [with_numpy.prepare(problem)(block) for block in blocks]
    peer = None
    if not large and problem.truth is None and problem.sectors == 1 and importlib.util.find_spec("pyFAI"):
        from .peers import with_pyfai

        integrate = with_pyfai.prepare(problem, Resources())
        peer = [integrate(block) for block in blocks]
    norm = problem.pixel_bins.norm(problem.solid_angle.ravel())
    norm_pyfai = np.where(_of_beam_pixel(problem), 0.0, norm)
    return Expectation(totals=totals, norm=norm, norm_pyfai=norm_pyfai, reference=reference, peer=peer)


def _of_beam_pixel(problem: Problem) -> Array:
    """Return bool[bins]: whether a split pixel with the beam inside, or on its border, overlaps the bin."""
    table, beam = problem.pixel_bins, problem.geometry.beam()
    touched = np.zeros(table.bins, bool)
    if beam is None or problem.mode != "split":
        return touched
    border = np.array([-1e-3, 1e-3])  # pixels: the accuracy of single-precision corners
    rows, columns = (
        np.clip(np.floor(at + border), 0, n - 1).astype(int) for at, n in zip(beam, problem.geometry.shape, strict=True)
    )
    for pixel in np.unique(np.add.outer(rows * problem.geometry.shape[1], columns)):
        first = int(table.first[pixel])
        touched[first : first + int(table.count[pixel])] = True
    return touched


def _total(problem: Problem, counts: Array) -> float:
    """Return the sum of the valid counts: an int of any size for integer frames."""
    valid = counts[problem.is_valid(counts)]
    return int(valid.sum(dtype=np.uint64)) if valid.dtype.kind == "u" else float(valid.sum(dtype=np.float64))


def verify(problem: Problem, expectation: Expectation, block: int, result: Integrated, judged_as: str) -> Verdict:
    """Return the verdict on one result: that of the check with the largest error in units of its tolerance.

    The checks are: the photons, the known profile, and the difference from the reference. The reference always agrees
    with itself, so it is compared with pyFAI instead. Without pyFAI and without a known profile the verdict is
    "agreement".
    """
    if message := _misshapen(problem, len(problem.blocks[block]), result, judged_as):
        return _wrong(message)
    compared = _against_reference(problem, expectation, block, result, judged_as)
    checks = [_chi2(problem, expectation, result), _photons(problem, expectation, block, result), compared]
    if judged_as == REFERENCE:
        independent = checks[0] or _peer(problem, expectation, block, result)
        checks = [independent or _agreement(compared), *checks[1:]]
    return worst_of(check for check in checks if check is not None)


def _misshapen(problem: Problem, frames: int, result: Integrated, judged_as: str) -> str:
    """Return what is wrong with a shape or a type; an empty string if all are correct."""
    right = (frames, problem.pixel_bins.bins)
    real = ("float64", "float32") if judged_as == CORNERS else ("float64",)
    kinds = {"intensity": real, "sigma": real, "signal": ("uint64",) if problem.exact else ("float64",)}
    for name, allowed in kinds.items():
        array = getattr(result, name)
        if array is not None and (array.shape != right or array.dtype.name not in allowed):
            return f"{name} is {array.dtype}{list(array.shape)}, not {allowed[0]}{list(right)}"
    return ""


def _wrong(message: str) -> Verdict:
    return Verdict(error=math.inf, tolerance=TOLERANCE, verified_by="oracle", message=message)


def _photons(problem: Problem, expectation: Expectation, block: int, result: Integrated) -> Verdict | None:
    """Return whether the bins contain exactly the photons of the frames; None if the result has no sums."""
    if result.signal is None:
        return None
    totals = expectation.totals[block]
    if problem.exact:
        found = [int(row.sum(dtype=np.uint64)) for row in np.asarray(result.signal)]
        wrong = sum(int(a != b) for a, b in zip(found, totals, strict=True))
        if wrong:
            return _wrong(f"{wrong} of {len(found)} frames do not have their exact number of photons, as u64")
        return None
    sums = np.asarray(result.signal).sum(axis=1)
    error = float(np.max(np.abs(sums - totals) / np.maximum(np.abs(totals), 1.0)))
    message = "photons in the bins compared with photons in the frames"
    return Verdict(error=error, tolerance=TOLERANCE, verified_by="oracle", message=message)


def _chi2(problem: Problem, expectation: Expectation, result: Integrated) -> Verdict | None:
    """Return the difference of chi² per bin (against the known profile) from 1; None if no truth is known."""
    if problem.truth is None:
        return None
    trusted = expectation.norm > PIXELS_TRUSTED
    with np.errstate(divide="ignore", invalid="ignore"):  # a sigma of 0 gives an infinite chi², which is wrong
        pulls = (result.intensity - problem.truth)[:, trusted] / result.sigma[:, trusted]
    if pulls.size == 0:
        return None
    chi2 = float(np.mean(pulls**2))
    noise = 5 * math.sqrt(2 / pulls.size)  # five standard deviations of chi² per bin itself
    message = f"chi² per bin {chi2:.3f} against the known profile, {pulls.size} bins"
    return Verdict(error=abs(chi2 - 1), tolerance=max(CHI2_TOLERANCE, noise), verified_by="truth", message=message)


def _against_reference(
    problem: Problem, expectation: Expectation, block: int, result: Integrated, judged_as: str
) -> Verdict:
    """Return the largest relative difference from the numpy reference, in all frames or, for large blocks, in some."""
    block_frames = problem.blocks[block]
    if expectation.reference is not None:
        reference, picked = expectation.reference[block], np.arange(len(block_frames))
        message = "plain numpy reference"
    else:
        picked = np.random.default_rng().permutation(len(block_frames))[:SAMPLED_FRAMES]
        reference = with_numpy.prepare(problem)(block_frames[picked])
        message = f"plain numpy reference, frames {', '.join(map(str, sorted(picked)))}"
    norm = expectation.norm_pyfai if judged_as == CORNERS else expectation.norm
    error = _difference(result, reference, norm, picked)
    if problem.exact and result.signal is not None and not np.array_equal(result.signal[picked], reference.signal):
        return _wrong("sums of integers are not equal to numpy.bincount")
    tolerance = _corners_tolerance(problem) if judged_as == CORNERS else TOLERANCE
    return Verdict(error=error, tolerance=tolerance, verified_by="oracle", message=message)


def _corners_tolerance(problem: Problem) -> float:
    return PYFAI_SPLIT_TOLERANCE if problem.mode == "split" else TOLERANCE


def _peer(problem: Problem, expectation: Expectation, block: int, result: Integrated) -> Verdict | None:
    """Return the difference from pyFAI; None if there is no result of pyFAI."""
    if expectation.peer is None:
        return None
    error = _difference(result, expectation.peer[block], expectation.norm_pyfai)
    return Verdict(error=error, tolerance=_corners_tolerance(problem), verified_by="peer", message="pyFAI")


def _agreement(compared: Verdict) -> Verdict:
    message = "numpy compared with itself, and the sum of the photons; install pyFAI for an independent check"
    return Verdict(error=compared.error, tolerance=TOLERANCE, verified_by="agreement", message=message)


def _difference(result: Integrated, reference: Integrated, norm: Array, picked: Any = slice(None)) -> float:
    """Return the largest relative difference of intensity and sigma; bins of few pixels count less, NaN is NaN."""
    weight = np.minimum(norm / PIXELS_TRUSTED, 1.0) ** 2
    worst = 0.0
    for ours, right in (
        (result.intensity[picked], reference.intensity),
        (result.sigma[picked], reference.sigma),
    ):
        scale = np.maximum(np.abs(right), reference.sigma)
        both_empty = (right == 0) & (ours == 0)
        error = np.where(both_empty, 0.0, np.abs(ours - right) / np.where(scale > 0, scale, 1.0))
        worst = float(np.maximum(worst, np.max(np.where(np.isnan(error), error, error * weight))))
    return worst
