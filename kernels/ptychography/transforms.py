"""Sixteen Fourier transforms at a time, in place, without reordering: forth by radix 4 and 8, back the same way.

The numbers of sixteen transforms lie together: element k has its real parts at ``base + 32 k``, its imaginary parts
sixteen further. The transform forth (decimation in frequency) leaves frequency ``order(n)[k]`` at element k; the
transform back (decimation in time) begins there. Neither is scaled. Cooley, Tukey (1965),
doi:10.1090/S0025-5718-1965-0178586-1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.compute.simd import LANES, compiled, fma, load, splat, store

F32 = NDArray[np.float32]

STEP = 2 * LANES
_HALF_ROOT = np.float32(np.sqrt(0.5))


def radices(length: int) -> list[int]:
    """Return the radix of each pass; those before the last are 4. `length` is a power of two from 4 on."""
    powers = length.bit_length() - 1
    last = 8 if powers % 2 else 4
    return [4] * ((powers - 1) // 2 - (last == 8)) + [last]


def order(length: int) -> NDArray[np.intp]:
    """Return the frequency that the transform forth leaves at each element."""
    found = np.zeros(1, np.intp)
    for radix in reversed(radices(length)):
        found = np.concatenate([radix * found + r for r in range(radix)])
    return found


def twiddles(length: int) -> F32:
    """Return f32: cosine and minus sine of the three turns of each butterfly, pass after pass (all but the last)."""
    made, size = [np.zeros((0, 6))], length
    for _ in radices(length)[:-1]:
        round_ = -2 * np.pi * np.outer(np.arange(size // 4), (1, 2, 3)) / size
        made.append(np.stack([np.cos(round_), np.sin(round_)], axis=2).reshape(-1, 6))
        size //= 4
    return np.concatenate(made).astype(np.float32).ravel()


@compiled()
def forth(data: F32, base: Any, length: int, table: F32) -> None:
    """Transform sixteen columns of `length` from natural order to that of :func:`order`."""
    size, at = length, 0
    while size > 8:
        span = size // 4
        for j in range(span):
            c1, s1 = splat(table[at]), splat(table[at + 1])
            c2, s2 = splat(table[at + 2]), splat(table[at + 3])
            c3, s3 = splat(table[at + 4]), splat(table[at + 5])
            at += 6
            for start in range(j, length, size):
                p0 = base + start * STEP
                p1, p2, p3 = p0 + span * STEP, p0 + 2 * span * STEP, p0 + 3 * span * STEP
                x0, x1, x2, x3 = load(data, p0), load(data, p1), load(data, p2), load(data, p3)
                y0, y1, y2, y3 = load(data, p0 + 16), load(data, p1 + 16), load(data, p2 + 16), load(data, p3 + 16)
                ax, ay, bx, by = x0 + x2, y0 + y2, x0 - x2, y0 - y2
                cx, cy, dx, dy = x1 + x3, y1 + y3, x1 - x3, y1 - y3
                store(data, p0, ax + cx)
                store(data, p0 + 16, ay + cy)
                ux, uy = bx + dy, by - dx  # b - i d
                store(data, p1, ux * c1 - uy * s1)
                store(data, p1 + 16, fma(ux, s1, uy * c1))
                ux, uy = ax - cx, ay - cy
                store(data, p2, ux * c2 - uy * s2)
                store(data, p2 + 16, fma(ux, s2, uy * c2))
                ux, uy = bx - dy, by + dx  # b + i d
                store(data, p3, ux * c3 - uy * s3)
                store(data, p3 + 16, fma(ux, s3, uy * c3))
        size = span
    for start in range(base, base + length * STEP, size * STEP):
        if size == 8:
            _eight(data, start, splat(np.float32(1)))
        else:
            _four(data, start, splat(np.float32(1)))


@compiled()
def back(data: F32, base: Any, length: int, table: F32) -> None:
    """Transform sixteen columns of `length` back from the order of :func:`order`, times the length."""
    size, at = length, table.size
    while size > 8:
        size //= 4
    for start in range(base, base + length * STEP, size * STEP):
        if size == 8:
            _eight(data, start, splat(np.float32(-1)))
        else:
            _four(data, start, splat(np.float32(-1)))
    while size < length:
        span = size
        size *= 4
        at -= 6 * span
        for j in range(span):
            k = at + 6 * j
            c1, s1 = splat(table[k]), splat(table[k + 1])
            c2, s2 = splat(table[k + 2]), splat(table[k + 3])
            c3, s3 = splat(table[k + 4]), splat(table[k + 5])
            for start in range(j, length, size):
                p0 = base + start * STEP
                p1, p2, p3 = p0 + span * STEP, p0 + 2 * span * STEP, p0 + 3 * span * STEP
                x0, y0 = load(data, p0), load(data, p0 + 16)
                ux, uy = load(data, p1), load(data, p1 + 16)
                x1, y1 = fma(ux, c1, uy * s1), uy * c1 - ux * s1
                ux, uy = load(data, p2), load(data, p2 + 16)
                x2, y2 = fma(ux, c2, uy * s2), uy * c2 - ux * s2
                ux, uy = load(data, p3), load(data, p3 + 16)
                x3, y3 = fma(ux, c3, uy * s3), uy * c3 - ux * s3
                ax, ay, bx, by = x0 + x2, y0 + y2, x0 - x2, y0 - y2
                cx, cy, dx, dy = x1 + x3, y1 + y3, x1 - x3, y1 - y3
                store(data, p0, ax + cx)
                store(data, p0 + 16, ay + cy)
                store(data, p1, bx - dy)
                store(data, p1 + 16, by + dx)
                store(data, p2, ax - cx)
                store(data, p2 + 16, ay - cy)
                store(data, p3, bx + dy)
                store(data, p3 + 16, by - dx)


@compiled(inline=True)
def _four(data: F32, p: int, sign: Any) -> None:
    """Transform four neighbours: forth by `sign` 1, back by -1."""
    x0, x1, x2, x3 = load(data, p), load(data, p + 32), load(data, p + 64), load(data, p + 96)
    y0, y1, y2, y3 = load(data, p + 16), load(data, p + 48), load(data, p + 80), load(data, p + 112)
    ax, ay, bx, by = x0 + x2, y0 + y2, x0 - x2, y0 - y2
    cx, cy, dx, dy = x1 + x3, y1 + y3, (x1 - x3) * sign, (y1 - y3) * sign
    store(data, p, ax + cx)
    store(data, p + 16, ay + cy)
    store(data, p + 32, bx + dy)
    store(data, p + 48, by - dx)
    store(data, p + 64, ax - cx)
    store(data, p + 80, ay - cy)
    store(data, p + 96, bx - dy)
    store(data, p + 112, by + dx)


@compiled(inline=True)
def _eight(data: F32, p: int, sign: Any) -> None:
    """Transform eight neighbours: forth by `sign` 1, back by -1; outputs in natural order."""
    x0, x4 = load(data, p), load(data, p + 128)
    y0, y4 = load(data, p + 16), load(data, p + 144)
    x2, x6 = load(data, p + 64), load(data, p + 192)
    y2, y6 = load(data, p + 80), load(data, p + 208)
    ax, ay, bx, by = x0 + x4, y0 + y4, x0 - x4, y0 - y4
    cx, cy, dx, dy = x2 + x6, y2 + y6, (x2 - x6) * sign, (y2 - y6) * sign
    e0x, e0y, e2x, e2y = ax + cx, ay + cy, ax - cx, ay - cy
    e1x, e1y, e3x, e3y = bx + dy, by - dx, bx - dy, by + dx
    x1, x5 = load(data, p + 32), load(data, p + 160)
    y1, y5 = load(data, p + 48), load(data, p + 176)
    x3, x7 = load(data, p + 96), load(data, p + 224)
    y3, y7 = load(data, p + 112), load(data, p + 240)
    ax, ay, bx, by = x1 + x5, y1 + y5, x1 - x5, y1 - y5
    cx, cy, dx, dy = x3 + x7, y3 + y7, (x3 - x7) * sign, (y3 - y7) * sign
    half = splat(_HALF_ROOT)
    ox, oy = ax + cx, ay + cy
    store(data, p, e0x + ox)
    store(data, p + 16, e0y + oy)
    store(data, p + 128, e0x - ox)
    store(data, p + 144, e0y - oy)
    ux, uy = bx + dy, by - dx
    ox, oy = fma(uy, sign, ux) * half, (uy - ux * sign) * half
    store(data, p + 32, e1x + ox)
    store(data, p + 48, e1y + oy)
    store(data, p + 160, e1x - ox)
    store(data, p + 176, e1y - oy)
    ox, oy = (ay - cy) * sign, (cx - ax) * sign
    store(data, p + 64, e2x + ox)
    store(data, p + 80, e2y + oy)
    store(data, p + 192, e2x - ox)
    store(data, p + 208, e2y - oy)
    ux, uy = bx - dy, by + dx
    ox, oy = (uy * sign - ux) * half, (splat(np.float32(0)) - uy - ux * sign) * half
    store(data, p + 96, e3x + ox)
    store(data, p + 112, e3y + oy)
    store(data, p + 224, e3x - ox)
    store(data, p + 240, e3y - oy)
