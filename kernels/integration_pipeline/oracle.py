"""The oracle: exact sums of photons, intensities by pyFAI, and a file that contains the result."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from daasbench.authoring import Resources, Verdict, worst_of
from daasbench.formats.chunks import cut_image

from . import with_numpy
from .options import PipelineOptions
from .problem import Problem
from .profiles import Profiles, read_back

Array = np.ndarray[Any, np.dtype[Any]]

REFERENCE = "reference"  # a judgement

TOLERANCE = 1e-5
PEER_FRAMES = 2  # compared with pyFAI in each block
PIXELS_TRUSTED = 10.0  # in the norm of a bin; in smaller bins the single precision of pyFAI is visible


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What the results must be.

    Attributes
    ----------
    reference
        By block: the profiles by numpy.
    peer
        By block f64[some, bins]: the intensity by pyFAI of the first frames; None without pyFAI.
    norm
        f64[bins]: the solid angle of the pixels of each bin.
    """

    reference: Sequence[Profiles]
    peer: Sequence[Array] | None
    norm: Array


def expect(problem: Problem, options: PipelineOptions) -> Expectation:  # noqa: ARG001  (they are in the problem)
    """Return the results of numpy and, if it is installed, of pyFAI for each block."""
    blocks = problem.blocks
    peer = None
    if importlib.util.find_spec("pyFAI"):
        from .peers import with_pyfai

        integrate = with_pyfai.prepare(problem, Resources())
        peer = [integrate(cut_image(block, slice(0, PEER_FRAMES))).intensity for block in blocks]
    reference = [with_numpy.prepare(problem)(block) for block in blocks]
    return Expectation(reference=reference, peer=peer, norm=problem.norm)


def verify(problem: Problem, expectation: Expectation, block: int, result: Profiles, judged_as: str) -> Verdict:
    """Return the verdict on a result: that of the check with the largest error relative to its tolerance.

    The checks are: the file, the sums and the intensity.

    The intensity of the reference itself is compared with that of pyFAI, if it is installed.
    """
    right = expectation.reference[block]
    if result.intensity.shape != right.intensity.shape:
        return _wrong(f"intensity has shape {result.intensity.shape}, not {right.intensity.shape}")
    trusted = expectation.norm > PIXELS_TRUSTED
    everywhere = np.ones_like(trusted)
    peer = expectation.peer[block] if judged_as == REFERENCE and expectation.peer is not None else None
    checks = [] if peer is None else [_intensity(result.intensity[: len(peer)], peer, trusted, "peer", "of pyFAI")]
    verified_by: Literal["truth", "oracle"] = "truth" if problem.truth is not None else "oracle"
    compared = everywhere if result.signal is not None else trusted
    checks.append(_intensity(result.intensity, right.intensity, compared, verified_by, "of the reference"))
    if (message := _file(problem, result)) is not None:
        checks.append(_wrong(message))
    if result.signal is not None:
        checks.append(
            _sums(result.signal, problem.truth[block] if problem.truth is not None else right.signal, verified_by)
        )
    return worst_of(checks)


def _intensity(
    ours: Array, right: Array, trusted: Array, by: Literal["truth", "oracle", "peer"], whose: str
) -> Verdict:
    error = _difference(ours, right, trusted)
    return Verdict(error=error, tolerance=TOLERANCE, verified_by=by, message=f"intensity {whose}; its sums are exact")


def _sums(signal: Array, exact: Array, by: Literal["truth", "oracle"]) -> Verdict:
    """Return the number of wrong sums; all are wrong if the type or the shape is wrong."""
    same = signal.dtype == np.uint64 and signal.shape == exact.shape
    missed = int(np.sum(signal != exact)) if same else exact.size
    message = f"{missed} sums of integers are not equal to numpy.bincount"
    return Verdict(error=float(missed), tolerance=0.0, verified_by=by, message=message)


def _file(problem: Problem, result: Profiles) -> str | None:
    """Return what is wrong with the written file; None if it is correct."""
    try:
        intensity, q = read_back(result)
    except (OSError, KeyError) as error:
        return f"the written file cannot be read: {error}"
    if not np.array_equal(intensity, result.intensity) or not np.array_equal(q, problem.q):
        return "the written file does not contain the result"
    return None


def _difference(ours: Array, right: Array, trusted: Array) -> float:
    """Return the largest relative difference of trusted bins; NaN if any value is not finite."""
    ours, right = ours[:, trusted], right[:, trusted]
    scale = np.where(right != 0, np.abs(right), 1.0)
    return float(np.max(np.abs(ours - right) / scale, initial=0.0))


def _wrong(message: str) -> Verdict:
    return Verdict(error=math.inf, tolerance=TOLERANCE, verified_by="oracle", message=message)
