"""Compiled loops for the CPU: each frame is read once, in detector order, and the sums remain in the L1 cache.

Production integrators gather the pixels of each bin from an 18 MB frame, with 8 bytes of matrix per pixel. This
implementation reads the frame in sequence, together with a map that gives the bin of each pixel (u16); only the sums
of all bins, a few kB, are accessed at random. It uses three methods:

- *Lanes.* Neighbouring pixels fall into the same bin, and an addition would wait for the one before it. Four
  copies of the sums are used in rotation, and are added at the end of a strip.
- *Two bins from one.* A split pixel that overlaps the bins b and b+1 with shares w and 1-w needs
  Σ w n, Σ (1-w) n, Σ w² n and Σ (1-w)² n. Let A, B, C be the sums of n, w n and w² n over the pixels whose first
  bin is b; then the second bin gets A-B and A-2B+C. So each pixel adds to one bin only. The few pixels that
  overlap more bins are in a list.
- *No test per pixel.* A value without data is 2**32 - 1 or NaN. If a sum is smaller than 2**32 - 1, it contains no such
  value. Otherwise the strip is added once more, pixel by pixel, without these values.
"""

# mypy: disable-error-code="no-untyped-def,call-arg"
# Reason: numba infers the types of the compiled functions, and keeps one compiled form for each.
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import njit, prange

from daasbench.authoring import Resources

from .integrated import Integrated
from .pixels import TwoBins
from .powder import DUMMY

if TYPE_CHECKING:
    from .problem import Problem

    Array = np.ndarray[Any, np.dtype[Any]]

STRIP = 32_768  # pixels between two tests of the sums: a short strip repeats little, a long strip tests seldom
LANES = 4
NO_DATA = np.uint32(DUMMY)
ALMOST_ALL = 1e-9  # a bin with less than this share of its norm has lost all its pixels


def prepare(problem: Problem, resources: Resources) -> Callable[[Array], Integrated]:
    """Return ``compute(frames)``; threads share the frames or, if frames are few, parts of frames."""
    numba.set_num_threads(resources.threads)
    parts = -(-resources.threads // problem.blocks[0].shape[0])
    add_up = _split_sums(problem, parts) if problem.mode == "split" else _unsplit_sums(problem, parts)
    full_norm = problem.pixel_bins.norm(problem.solid_angle.ravel())

    def compute(frames: Array) -> Integrated:
        signal, variance, lost = add_up(frames.reshape(len(frames), -1))
        norm = full_norm - lost
        norm = np.where(norm > ALMOST_ALL * full_norm, norm, 0.0)
        return Integrated.from_sums(np, signal, variance, norm)

    return compute


def _unsplit_sums(problem: Problem, parts: int) -> Callable[[Array], tuple[Array, Array, Array]]:
    bins = problem.pixel_bins.bins
    first, solid_angle = problem.pixel_bins.first, problem.solid_angle.ravel()

    def add_up(frames: Array) -> tuple[Array, Array, Array]:
        shape = (len(frames), parts, bins)
        sums = np.empty(shape, np.uint64 if frames.dtype.kind == "u" else np.float64)
        lost = np.empty(shape)
        sum_unsplit(frames, first, solid_angle, sums, lost)
        signal = sums.sum(axis=1)
        return signal, signal, lost.sum(axis=1)  # shares are 1, and so are their squares

    return add_up


def _split_sums(problem: Problem, parts: int) -> Callable[[Array], tuple[Array, Array, Array]]:
    bins = problem.pixel_bins.bins
    two = TwoBins.of(problem.pixel_bins)
    strip_start = np.searchsorted(two.wide_pixel, np.arange(0, two.first.size + STRIP, STRIP))
    wide = (two.wide_pixel, two.wide_begin, two.wide_first, two.wide_share, strip_start)
    solid_angle = problem.solid_angle.ravel()

    def add_up(frames: Array) -> tuple[Array, Array, Array]:
        sums = np.empty((3, len(frames), parts, bins))
        sum_split(frames, two.first, two.weight, *wide, solid_angle, sums)
        signal, variance, lost = sums.sum(axis=2)
        return signal, np.maximum(variance, 0.0), lost

    return add_up


# --- compiled ------------------------------------------------------------------------------------------------


@njit(inline="always")
def _no_data(value):
    return value == NO_DATA or value != value


@njit(inline="always")
def _may_hold_no_data(total):
    return not total < NO_DATA  # so that NaN is found too


@njit(cache=True)
def _add_strip(values, bins, lane0, lane1, lane2, lane3):
    whole = values.size // LANES * LANES
    for i in range(0, whole, LANES):
        lane0[bins[i]] += values[i]
        lane1[bins[i + 1]] += values[i + 1]
        lane2[bins[i + 2]] += values[i + 2]
        lane3[bins[i + 3]] += values[i + 3]
    for i in range(whole, values.size):
        lane0[bins[i]] += values[i]


@njit(cache=True)
def _take_over(lanes, signal):
    """Add the lanes to `signal` and clear them; if they may contain a value without data, only clear them."""
    clean = True
    for k in range(signal.size):
        clean &= not _may_hold_no_data(lanes[0, k] + lanes[1, k] + lanes[2, k] + lanes[3, k])
    if clean:
        for k in range(signal.size):
            signal[k] += lanes[0, k] + lanes[1, k] + lanes[2, k] + lanes[3, k]
    lanes[:] = 0
    return clean


@njit(cache=True)
def _add_valid(values, bins, solid_angle, signal, lost):
    for i in range(values.size):
        b = bins[i]
        if b < signal.size:
            if _no_data(values[i]):
                lost[b] += solid_angle[i]
            else:
                signal[b] += values[i]


@njit(parallel=True, cache=True)
def sum_unsplit(frames, bins, solid_angle, sums, lost):
    """Fill `sums` [frames, parts, bins] with the counts in each bin, `lost` with the norm of values without data."""
    pixels = frames.shape[1]
    parts, size = sums.shape[1:]
    strips = (pixels + STRIP - 1) // STRIP
    for task in prange(frames.shape[0] * parts):
        frame, part = task // parts, task % parts
        values = frames[frame]
        lanes = np.zeros((LANES, size + 1), sums.dtype)
        sums[frame, part] = 0
        lost[frame, part] = 0.0
        for strip in range(part * strips // parts, (part + 1) * strips // parts):
            here = slice(strip * STRIP, min(strip * STRIP + STRIP, pixels))
            _add_strip(values[here], bins[here], lanes[0], lanes[1], lanes[2], lanes[3])
            if not _take_over(lanes, sums[frame, part]):
                _add_valid(values[here], bins[here], solid_angle[here], sums[frame, part], lost[frame, part])


@njit(cache=True)
def _add_split_strip(values, bins, weights, lanes):
    for group in range((values.size + LANES - 1) // LANES):
        for lane in range(LANES):
            i = np.uint64(group) * np.uint64(LANES) + np.uint64(lane)
            if i < values.size:
                moments = lanes[lane, bins[i]]
                counts, weight = np.float64(values[i]), np.float64(weights[i])
                moments[0] += counts
                moments[1] += weight * counts
                moments[2] += weight * weight * counts


@njit(cache=True)
def _take_over_moments(lanes, moments):
    """Add the lanes to `moments` and clear them; if they may contain a value without data, only clear them."""
    clean = True
    for k in range(moments.shape[0]):
        clean &= not _may_hold_no_data(lanes[0, k, 0] + lanes[1, k, 0] + lanes[2, k, 0] + lanes[3, k, 0])
    if clean:
        for k in range(moments.shape[0]):
            for j in range(3):
                moments[k, j] += lanes[0, k, j] + lanes[1, k, j] + lanes[2, k, j] + lanes[3, k, j]
    lanes[:] = 0.0
    return clean


@njit(cache=True)
def _add_valid_split(values, bins, weights, solid_angle, moments, lost):
    for i in range(values.size):
        b = bins[i]
        if b < moments.shape[0]:
            weight = np.float64(weights[i])
            if _no_data(values[i]):
                lost[b] += weight * solid_angle[i]
                lost[b + 1] += (1.0 - weight) * solid_angle[i]
            else:
                counts = np.float64(values[i])
                moments[b, 0] += counts
                moments[b, 1] += weight * counts
                moments[b, 2] += weight * weight * counts


@njit(cache=True)
def _add_wide(values, pixel, begin, first, shares, from_, to, solid_angle, signal, variance, lost):
    for k in range(from_, to):
        value = values[pixel[k]]
        missing = _no_data(value)
        for step in range(begin[k + 1] - begin[k]):
            share = np.float64(shares[begin[k] + step])
            b = first[k] + step
            if missing:
                lost[b] += share * solid_angle[pixel[k]]
            else:
                signal[b] += share * value
                variance[b] += share * share * value


@njit(cache=True)
def _spill_over(moments, signal, variance):
    """Add to each bin B and C of its own pixels, and A - B and A - 2B + C of its predecessor's pixels."""
    rest, rest_squared = 0.0, 0.0
    for k in range(moments.shape[0]):
        a, b, c = moments[k, 0], moments[k, 1], moments[k, 2]
        signal[k] += b + rest
        variance[k] += c + rest_squared
        rest, rest_squared = a - b, a - 2.0 * b + c


@njit(parallel=True, cache=True)
def sum_split(frames, bins, weights, pixel, begin, first, shares, strip_start, solid_angle, sums):
    """Fill `sums` [3, frames, parts, bins] with signal, variance and the norm of values without data."""
    pixels = frames.shape[1]
    parts, size = sums.shape[2:]
    strips = (pixels + STRIP - 1) // STRIP
    for task in prange(frames.shape[0] * parts):
        frame, part = task // parts, task % parts
        values = frames[frame]
        lanes = np.zeros((LANES, size + 1, 4))  # A, B, C and an unused column: a power of two makes addressing fast
        moments, lost = np.zeros((size, 3)), np.zeros(size + 1)
        signal, variance = np.zeros(size), np.zeros(size)
        for strip in range(part * strips // parts, (part + 1) * strips // parts):
            here = slice(strip * STRIP, min(strip * STRIP + STRIP, pixels))
            _add_split_strip(values[here], bins[here], weights[here], lanes)
            if not _take_over_moments(lanes, moments):
                _add_valid_split(values[here], bins[here], weights[here], solid_angle[here], moments, lost)
            listed = strip_start[strip], strip_start[strip + 1]
            _add_wide(values, pixel, begin, first, shares, *listed, solid_angle, signal, variance, lost)
        _spill_over(moments, signal, variance)
        for k in range(size):  # an operation on whole rows would add three seconds of compilation
            sums[0, frame, part, k] = signal[k]
            sums[1, frame, part, k] = variance[k]
            sums[2, frame, part, k] = lost[k]
