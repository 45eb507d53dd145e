"""Correlation of frames with the sum of the others, in the band: compiled, for `with_numba.py`.

A band is f32[ky / 16, kx, 16], with separate real and imaginary parts, kx from ``-half`` to ``half``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daasbench.compute.simd import LANES, compiled, fma, load, splat, store

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@compiled()
def move_and_add(
    first: int, end: int, real: F32, imaginary: F32, shifts: F64, half: int, total_r: F32, total_i: F32
) -> None:
    """Shift the bands of all frames back, in place, and write their sum; shifts are in units of the frame's size."""
    width = 2 * half + 1
    for group in range(first, end):
        start = group * width * LANES
        yr, yi = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
        for frame in range(len(real)):
            r_, i_ = real[frame], imaginary[frame]
            for lane in range(LANES):
                angle = 2 * np.pi * (group * LANES + lane) * shifts[frame, 0]
                yr[lane], yi[lane] = np.cos(angle), np.sin(angle)
            wave_r, wave_i = load(yr, 0), load(yi, 0)
            for k in range(width):
                angle = 2 * np.pi * (k - half) * shifts[frame, 1]
                xr, xi = splat(np.float32(np.cos(angle))), splat(np.float32(np.sin(angle)))
                wr, wi = xr * wave_r - xi * wave_i, fma(xr, wave_i, xi * wave_r)
                at = start + k * LANES
                r, i = load(r_, at), load(i_, at)
                r, i = r * wr - i * wi, fma(r, wi, i * wr)
                store(r_, at, r)
                store(i_, at, i)
                store(total_r, at, load(total_r, at) + r)
                store(total_i, at, load(total_i, at) + i)


@compiled()
def correlate(
    first: int, end: int, real: F32, imaginary: F32, total_r: F32, total_i: F32, wave_y: F32, wave_x: F32, near: F32
) -> None:
    """Write f32[frames, y, x]: the correlation of some frames with the sum of the others, around the centre."""
    ys, reach = len(wave_y), len(wave_x) - 1
    groups = wave_y.shape[2] // LANES
    for frame in range(first, end):
        sums = np.zeros((2 * reach + 1) * 2 * groups * LANES, np.float32)  # [x, real or imaginary, ky]
        for group in range(groups):
            _sum_across(real[frame], imaginary[frame], total_r, total_i, wave_x, group, groups, sums)
        lanes = np.empty(LANES, np.float32)
        for y in range(ys):
            cosines, sines = wave_y[y, 0], wave_y[y, 1]
            for x in range(2 * reach + 1):
                at = x * 2 * groups * LANES
                total = splat(0.0)
                for k in range(0, groups * LANES, LANES):
                    total = fma(load(sums, at + k), load(cosines, k), total)
                    total = fma(load(sums, at + groups * LANES + k), load(sines, k), total)
                store(lanes, 0, total)
                near[frame, y, x] = lanes.sum()


@compiled()
def _sum_across(
    real: F32, imaginary: F32, total_r: F32, total_i: F32, wave_x: F32, group: int, groups: int, sums: F32
) -> None:
    """Write, for sixteen ky, the sums over kx of the cross-spectrum times ``exp(2 pi i kx x)``, for both signs of x."""
    reach, half = len(wave_x) - 1, wave_x.shape[2] - 1
    start = group * (2 * half + 1) * LANES
    pairs = np.empty((half + 1) * 4 * LANES, np.float32)
    for k in range(half + 1):
        at, other = start + (half + k) * LANES, start + (half - k) * LANES
        a, b = load(real, at), load(imaginary, at)
        t, u = load(total_r, at) - a, load(total_i, at) - b
        r, i = fma(t, a, u * b), t * b - u * a
        a, b = load(real, other), load(imaginary, other)
        t, u = load(total_r, other) - a, load(total_i, other) - b
        s, j = fma(t, a, u * b), t * b - u * a
        if k == 0:
            s, j = splat(0.0), splat(0.0)
        store(pairs, 4 * k * LANES, r + s)
        store(pairs, (4 * k + 1) * LANES, i + j)
        store(pairs, (4 * k + 2) * LANES, r - s)
        store(pairs, (4 * k + 3) * LANES, i - j)
    for x in range(reach + 1):
        pc, ps, qc, qs = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
        for k in range(half + 1):
            cosine, sine = splat(wave_x[x, 0, k]), splat(wave_x[x, 1, k])
            at = 4 * k * LANES
            pc = fma(load(pairs, at), cosine, pc)
            ps = fma(load(pairs, at + LANES), cosine, ps)
            qc = fma(load(pairs, at + 2 * LANES), sine, qc)
            qs = fma(load(pairs, at + 3 * LANES), sine, qs)
        line = 2 * groups * LANES
        right, left, at = (reach + x) * line, (reach - x) * line, group * LANES
        store(sums, right + at, pc - qs)
        store(sums, right + groups * LANES + at, ps + qc)
        store(sums, left + at, pc + qs)
        store(sums, left + groups * LANES + at, ps - qc)
