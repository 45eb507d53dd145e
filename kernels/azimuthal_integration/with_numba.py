"""Compiled loops for the CPU: the frames stream past once, in detector order, and the sums stay in the L1 cache.

Production integrators gather the pixels of each bin from all over an 18 MB frame, with 8 bytes of matrix a pixel.
Here the frame is read straight through, beside a map that says for each pixel its bin (u16), and the sums of all
bins, a few kB, are what is reached at random. Three devices:

- *Lanes.* Neighbouring pixels fall into the same bin, and an addition would wait for the one before it. Four
  copies of the sums take turns, and are added up at the end.
- *Two bins from one.* A split pixel that touches the bins b and b+1 with shares w and 1-w needs
  Σ w n, Σ (1-w) n, Σ w² n and Σ (1-w)² n. Let A, B, C be the sums of n, w n and w² n over the pixels whose first
  bin is b; then the second bin gets A-B and A-2B+C. So each pixel adds to one place only. The few pixels that
  touch more bins stand in a list.
- *Strips.* Values without data are looked for in a strip of a frame at a time, vectorised; only a strip that has
  some is added pixel by pixel.
"""

# mypy: disable-error-code="no-untyped-def,call-arg"
# Reason: numba infers the types of the compiled functions, and keeps one compiled form for each.
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import njit, prange

from daasbench.contracts import Resources

from .integrated import Integrated
from .pixels import TwoBins
from .powder import DUMMY

if TYPE_CHECKING:
    from .problem import Problem

    Array = np.ndarray[Any, np.dtype[Any]]

STRIP = 4096  # pixels; with their bins and shares they fit into the L1 cache
LANES = 4
NO_DATA = np.uint32(DUMMY)
ALMOST_ALL = 1e-9  # a bin that keeps less than this of its norm has lost all its pixels


def prepare(problem: Problem, resources: Resources) -> Callable[[Array], Integrated]:
    """Return ``compute(frames)``; frames, and parts of frames where they are few, are shared by the threads."""
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


@njit(cache=True)
def _any_lost(values, bins, outside):
    lost = np.uint32(0)
    for i in range(values.size):
        lost |= np.uint32(_no_data(values[i]) & (bins[i] != outside))
    return lost != 0


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
def _add_strip_with_lost(values, bins, solid_angle, outside, lane, lost):
    for i in range(values.size):
        if bins[i] != outside:
            if _no_data(values[i]):
                lost[bins[i]] += solid_angle[i]
            else:
                lane[bins[i]] += values[i]


@njit(parallel=True, cache=True)
def sum_unsplit(frames, bins, solid_angle, sums, lost):
    """Fill `sums` [frames, parts, bins] with the counts in each bin, `lost` with the norm of values without data."""
    pixels = frames.shape[1]
    parts, size = sums.shape[1:]
    outside = np.uint16(size)
    strips = (pixels + STRIP - 1) // STRIP
    for task in prange(frames.shape[0] * parts):
        frame, part = task // parts, task % parts
        values = frames[frame]
        lanes = np.zeros((LANES, size + 1), sums.dtype)
        lost[frame, part] = 0.0
        for strip in range(part * strips // parts, (part + 1) * strips // parts):
            here = slice(strip * STRIP, min(strip * STRIP + STRIP, pixels))
            if _any_lost(values[here], bins[here], outside):
                _add_strip_with_lost(values[here], bins[here], solid_angle[here], outside, lanes[0], lost[frame, part])
            else:
                _add_strip(values[here], bins[here], lanes[0], lanes[1], lanes[2], lanes[3])
        for k in range(size):
            sums[frame, part, k] = lanes[0, k] + lanes[1, k] + lanes[2, k] + lanes[3, k]


@njit(cache=True)
def _add_split_strip(values, bins, weights, lanes):
    for group in range((values.size + LANES - 1) // LANES):
        for lane in range(LANES):
            i = np.uint64(group) * np.uint64(LANES) + np.uint64(lane)
            if i < values.size:
                sums = lanes[lane, bins[i]]
                counts, weight = np.float64(values[i]), np.float64(weights[i])
                sums[0] += counts
                sums[1] += weight * counts
                sums[2] += weight * weight * counts


@njit(cache=True)
def _add_split_strip_with_lost(values, bins, weights, solid_angle, outside, lane, lost):
    for i in range(values.size):
        b = bins[i]
        if b == outside:
            continue
        weight = np.float64(weights[i])
        if _no_data(values[i]):
            lost[b] += weight * solid_angle[i]
            lost[b + 1] += (1.0 - weight) * solid_angle[i]
        else:
            counts = np.float64(values[i])
            lane[b, 0] += counts
            lane[b, 1] += weight * counts
            lane[b, 2] += weight * weight * counts


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


@njit(parallel=True, cache=True)
def sum_split(frames, bins, weights, pixel, begin, first, shares, strip_start, solid_angle, sums):
    """Fill `sums` [3, frames, parts, bins] with signal, variance and the norm of values without data."""
    pixels = frames.shape[1]
    parts, size = sums.shape[2:]
    outside = np.uint16(size)
    strips = (pixels + STRIP - 1) // STRIP
    for task in prange(frames.shape[0] * parts):
        frame, part = task // parts, task % parts
        values = frames[frame]
        lanes = np.zeros((LANES, size + 1, 4))  # A, B, C and nothing: a power of two is quickly addressed
        signal, variance, lost = np.zeros(size + 1), np.zeros(size + 1), np.zeros(size + 2)
        for strip in range(part * strips // parts, (part + 1) * strips // parts):
            here = slice(strip * STRIP, min(strip * STRIP + STRIP, pixels))
            if _any_lost(values[here], bins[here], outside):
                _add_split_strip_with_lost(
                    values[here], bins[here], weights[here], solid_angle[here], outside, lanes[0], lost
                )
            else:
                _add_split_strip(values[here], bins[here], weights[here], lanes)
            _add_wide(
                values, pixel, begin, first, shares, strip_start[strip], strip_start[strip + 1],
                solid_angle, signal, variance, lost,
            )  # fmt: skip
        spill, spill_variance = 0.0, 0.0  # what the pixels of the bin before share with this one
        for k in range(size):
            a, b, c = 0.0, 0.0, 0.0
            for lane in range(LANES):
                a += lanes[lane, k, 0]
                b += lanes[lane, k, 1]
                c += lanes[lane, k, 2]
            sums[0, frame, part, k] = signal[k] + b + spill
            sums[1, frame, part, k] = variance[k] + c + spill_variance
            sums[2, frame, part, k] = lost[k]
            spill, spill_variance = a - b, a - 2.0 * b + c
