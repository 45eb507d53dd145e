"""Direct back-projection of sixteen slices at a time, in registers (``daasbench.compute.simd``).

Sixteen slices share their geometry, so they lie innermost: ``[angle, detector, slice]``. Linear interpolation at
a pixel then is two contiguous loads, whose place and weight are found once for sixteen slices. Tiles of the
image are shared between threads; within one, a few angles at a time keep their piece of the filtered
projections in the first-level cache.

The filter works in the same layout. The ramp is symmetric, so its transform is real, and two angles go
through one complex transform as its real and its imaginary part. A transform that leaves its output in
bit-reversed order, and an inverse that expects it so, need no reordering in between: the response is reordered
instead, once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numpy.typing import NDArray

from daasbench.compute.simd import LANES, aligned_zeros, compiled, fma, load, splat, store
from daasbench.contracts import Resources

from .definition import padded_length, ramp

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]

_ROWS, _COLUMNS, _GROUP = 16, 32, 8  # pixels of a tile; of a row, as many as there are registers for
_ANGLES = 16  # at a time; 16 angles x 40 detector pixels x 64 bytes: a first-level cache


def prepare(problem: Problem, resources: Resources) -> Callable[[F32], F32]:
    """Return the function that turns a block of sinograms into a volume."""
    numba.set_num_threads(resources.threads)
    _, angles, detector = problem.blocks[0].shape
    response, twiddles = _filter_tables(detector, angles)
    cosines, sines = np.cos(problem.angles), np.sin(problem.angles)
    filtered = aligned_zeros((angles, detector + 3, LANES))  # one zero before the detector, two behind

    def compute(sinograms: F32) -> F32:
        volume = np.empty((sinograms.shape[0], detector, detector), np.float32)
        for first in range(0, sinograms.shape[0], LANES):
            batch = slice(first, first + LANES)
            _filter(sinograms[batch], response, twiddles, filtered.reshape(-1))
            _back_project(filtered.reshape(-1), cosines, sines, problem.centre, volume[batch])
        return volume

    return compute


def _filter_tables(detector: int, angles: int) -> tuple[F32, F32]:
    """Return the ramp's response in bit-reversed order, and cosines and sines of the transform, f32[length / 2, 2]."""
    length = padded_length(detector)
    offsets = (np.arange(length) + length // 2) % length - length // 2
    response = np.fft.fft(ramp(offsets)).real * np.pi / angles / length
    reversed_ = np.zeros(length, np.intp)
    for bit in range(length.bit_length() - 1):
        reversed_ = 2 * reversed_ + (np.arange(length) >> bit & 1)
    round_ = 2 * np.pi * np.arange(length // 2) / length
    return response[reversed_].astype(np.float32), np.column_stack([np.cos(round_), -np.sin(round_)]).astype(np.float32)


@compiled(parallel=True)
def _filter(sinograms: F32, response: F32, twiddles: F32, filtered: F32) -> None:
    """Write the filtered projections f32[angles, detector + 3, 16] of up to sixteen slices; the rest are zero."""
    slices, angles, detector = sinograms.shape
    length = response.size
    for pair in numba.prange((angles + 1) // 2):
        real = np.zeros(length * LANES, np.float32)
        imaginary = np.zeros(length * LANES, np.float32)
        for half, part in enumerate((real, imaginary)):
            angle = 2 * pair + half
            if angle < angles:
                for z in range(slices):
                    for k in range(detector):
                        part[k * LANES + z] = sinograms[z, angle, k]
        _transform(real, imaginary, twiddles)
        for k in range(length):
            factor = splat(response[k])
            store(real, k * LANES, factor * load(real, k * LANES))
            store(imaginary, k * LANES, factor * load(imaginary, k * LANES))
        _transform_back(real, imaginary, twiddles)
        for half, part in enumerate((real, imaginary)):
            angle = 2 * pair + half
            if angle < angles:
                start = (angle * (detector + 3) + 1) * LANES
                for k in range(0, detector * LANES, LANES):
                    store(filtered, start + k, load(part, k))


@compiled(inline=True)
def _transform(real: F32, imaginary: F32, twiddles: F32) -> None:
    """Transform in place, from natural to bit-reversed order (radix 2, decimation in frequency)."""
    length = real.size // LANES
    span = length // 2
    while span:
        for start in range(0, length, 2 * span):
            for j in range(span):
                a, b = (start + j) * LANES, (start + j + span) * LANES
                cosine = splat(twiddles[j * (length // 2 // span), 0])
                sine = splat(twiddles[j * (length // 2 // span), 1])
                x, y = load(real, a) - load(real, b), load(imaginary, a) - load(imaginary, b)
                store(real, a, load(real, a) + load(real, b))
                store(imaginary, a, load(imaginary, a) + load(imaginary, b))
                store(real, b, x * cosine - y * sine)
                store(imaginary, b, fma(x, sine, y * cosine))
        span //= 2


@compiled(inline=True)
def _transform_back(real: F32, imaginary: F32, twiddles: F32) -> None:
    """Transform back in place, from bit-reversed to natural order, times the length (decimation in time)."""
    length = real.size // LANES
    span = 1
    while span < length:
        for start in range(0, length, 2 * span):
            for j in range(span):
                a, b = (start + j) * LANES, (start + j + span) * LANES
                cosine = splat(twiddles[j * (length // 2 // span), 0])
                sine = splat(-twiddles[j * (length // 2 // span), 1])
                x, y = load(real, b), load(imaginary, b)
                x, y = x * cosine - y * sine, fma(x, sine, y * cosine)
                store(real, b, load(real, a) - x)
                store(imaginary, b, load(imaginary, a) - y)
                store(real, a, load(real, a) + x)
                store(imaginary, a, load(imaginary, a) + y)
        span *= 2


@compiled(parallel=True)
def _back_project(filtered: F32, cosines: Any, sines: Any, centre: float, volume: F32) -> None:
    """Write the images f32[slices, size, size] of up to sixteen slices."""
    slices, size, _ = volume.shape
    down, across = (size + _ROWS - 1) // _ROWS, (size + _COLUMNS - 1) // _COLUMNS
    for tile in numba.prange(down * across):
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
    """Write, for a row of a tile at one angle, where the left neighbour begins and the right one's weight."""
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
    """Add the angles to eight pixels of a row, whose sums stay in registers meanwhile."""
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
