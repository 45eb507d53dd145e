"""Direct back-projection of sixteen slices at a time, in registers (``daasbench.compute.simd``).

Sixteen slices have the same geometry and are the innermost axis: ``[angle, detector, slice]``. The linear
interpolation at a pixel then needs two contiguous loads, whose address and weight are computed once for sixteen
slices. Tiles of the image are divided among threads. In a tile, a few angles are added at a time, so that their part
of the filtered projections stays in the first-level cache.

The filter uses the same layout. The ramp is symmetric, so its transform is real, and two angles are the real and the
imaginary part of one complex transform. The transforms (``daasbench.compute.transforms``) produce and expect
frequencies in a special order; instead of the frequencies, the response is reordered once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources
from daasbench.compute.simd import LANES, Threads, aligned_zeros, compiled, fma, load, splat, store
from daasbench.compute.transforms import SHORTEST, Plan, forward, inverse, make_plan
from daasbench.compute.transposes import transpose

from .definition import padded_length, ramp

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]

_ROWS, _COLUMNS, _GROUP = 16, 32, 8  # pixels of a tile; per row, as many as there are registers
_ANGLES = 16  # at a time; 16 angles x 40 detector pixels x 64 bytes: a first-level cache


def prepare(problem: Problem, resources: Resources) -> Callable[[F32], F32]:
    """Return the function that turns a block of sinograms into a volume."""
    _, angles, detector = problem.blocks[0].shape
    plan = make_plan(max(padded_length(detector), SHORTEST))
    response = _response(plan, angles)
    cosines, sines = np.cos(problem.angles), np.sin(problem.angles)
    filtered = aligned_zeros((angles, detector + 3, LANES))  # one zero before the detector, two behind
    share = Threads(resources.threads)
    tiles = -(-detector // _ROWS) * -(-detector // _COLUMNS)

    def compute(sinograms: F32) -> F32:
        volume = np.empty((sinograms.shape[0], detector, detector), np.float32)
        sinograms = np.ascontiguousarray(sinograms)
        for first in range(0, sinograms.shape[0], LANES):
            batch = slice(first, first + LANES)
            share(_filter, (angles + 1) // 2, sinograms[batch], response, plan, filtered.reshape(-1))
            share(_back_project, tiles, filtered.reshape(-1), cosines, sines, problem.centre, volume[batch])
        return volume

    return compute


def _response(plan: Plan, angles: int) -> F32:
    """Return the ramp's response in the order of the plan."""
    length = plan.length
    offsets = (np.arange(length) + length // 2) % length - length // 2
    response = np.fft.fft(ramp(offsets)).real * np.pi / angles / length
    return response[plan.frequencies].astype(np.float32)


@compiled()
def _filter(first: int, end: int, sinograms: F32, response: F32, plan: Plan, filtered: F32) -> None:
    """Write the filtered projections f32[angles, detector + 3, 16] of some pairs of angles; missing slices are zero."""
    _, angles, detector = sinograms.shape
    signals = np.zeros(plan.length * 2 * LANES, np.float32)
    for pair in range(first, end):
        for half in range(2):
            _take_angle(sinograms, 2 * pair + half, signals, half)
        signals[2 * detector * LANES :] = 0
        forward(signals, np.int64(0), plan)
        for k in range(plan.length):
            at, factor = 2 * k * LANES, splat(response[k])
            store(signals, at, factor * load(signals, at))
            store(signals, at + LANES, factor * load(signals, at + LANES))
        inverse(signals, np.int64(0), plan)
        for half in range(min(2, angles - 2 * pair)):
            start = ((2 * pair + half) * (detector + 3) + 1) * LANES
            for k in range(detector):
                store(filtered, start + k * LANES, load(signals, (2 * k + half) * LANES))


@compiled()
def _take_angle(sinograms: F32, angle: int, signals: F32, half: int) -> None:
    """Write the projections at an angle to the real (`half` 0) or imaginary parts; zeros after the last angle."""
    slices, angles, detector = sinograms.shape
    samples, size = sinograms.reshape(-1), angles * detector
    whole = detector // LANES * LANES if slices == LANES and angle < angles else 0
    for k in range(0, whole, LANES):
        transpose(samples, angle * detector + k, size, signals, (2 * k + half) * LANES, 2 * LANES)
    for k in range(whole, detector):
        for z in range(slices):
            at = (2 * k + half) * LANES + z
            signals[at] = samples[z * size + angle * detector + k] if angle < angles else np.float32(0)


@compiled()
def _back_project(first: int, end: int, filtered: F32, cosines: Any, sines: Any, centre: float, volume: F32) -> None:
    """Write some tiles of the images f32[slices, size, size] of up to sixteen slices."""
    slices, size, _ = volume.shape
    across = (size + _COLUMNS - 1) // _COLUMNS
    for tile in range(first, end):
        row, column = tile // across * _ROWS, tile % across * _COLUMNS
        sums = np.zeros(_ROWS * _COLUMNS * LANES, np.float32)
        places, weights = np.empty(_ANGLES * _COLUMNS, np.int32), np.empty(_ANGLES * _COLUMNS, np.float32)
        for angle in range(0, cosines.size, _ANGLES):
            angles, base = min(_ANGLES, cosines.size - angle), angle * (size + 3) * LANES
            for i in range(_ROWS):
                for a in range(angles):
                    x, y = column - (size - 1) / 2, row + i - (size - 1) / 2
                    cosine = cosines[angle + a]
                    position = np.float32(x * cosine + y * sines[angle + a] + centre + 1)
                    _locate(position, np.float32(cosine), a, size, places, weights)
                for group in range(0, _COLUMNS, _GROUP):
                    at = (i * _COLUMNS + group) * LANES
                    _add_angles(filtered, base, places, weights, angles, group, sums, at)
        for z in range(slices):
            for i in range(min(_ROWS, size - row)):
                for j in range(min(_COLUMNS, size - column)):
                    volume[z, row + i, column + j] = sums[(i * _COLUMNS + j) * LANES + z]


@compiled(inline=True)
def _locate(position: Any, step: Any, angle: int, detector: int, places: Any, weights: F32) -> None:
    """Write, for a row of a tile at one angle, the address of the left neighbour and the weight of the right one."""
    last, first = np.float32(detector + 1), angle * _COLUMNS
    row = np.int32(angle * (detector + 3))
    for j in range(_COLUMNS):
        t = min(max(position + np.float32(j) * step, np.float32(0)), last)
        left = np.int32(t)
        places[first + j] = (row + left) * np.int32(LANES)
        weights[first + j] = t - np.float32(left)


@compiled(inline=True)
def _add_angles(
    filtered: F32, base: int, places: Any, weights: F32, angles: int, group: int, sums: F32, at: int
) -> None:
    """Add the angles to eight pixels of a row, whose sums stay in registers."""
    s0, s1, s2, s3 = load(sums, at), load(sums, at + 16), load(sums, at + 32), load(sums, at + 48)
    s4, s5, s6, s7 = load(sums, at + 64), load(sums, at + 80), load(sums, at + 96), load(sums, at + 112)
    for a in range(angles):
        p = np.uint64(a * _COLUMNS + group)
        s0 = _add(filtered, base + places[p], weights[p], s0)
        s1 = _add(filtered, base + places[p + 1], weights[p + 1], s1)
        s2 = _add(filtered, base + places[p + 2], weights[p + 2], s2)
        s3 = _add(filtered, base + places[p + 3], weights[p + 3], s3)
        s4 = _add(filtered, base + places[p + 4], weights[p + 4], s4)
        s5 = _add(filtered, base + places[p + 5], weights[p + 5], s5)
        s6 = _add(filtered, base + places[p + 6], weights[p + 6], s6)
        s7 = _add(filtered, base + places[p + 7], weights[p + 7], s7)
    for lane, total in enumerate((s0, s1, s2, s3, s4, s5, s6, s7)):
        store(sums, at + lane * LANES, total)


@compiled(inline=True)
def _add(filtered: F32, place: int, weight: float, total: Any) -> Any:
    """Return `total` plus the filtered projections interpolated between a pixel and its right neighbour."""
    left = load(filtered, place)
    return fma(splat(weight), load(filtered, place + LANES) - left, total + left)
