"""Fourier transforms of sixteen signals at a time, in registers (``daasbench.compute.simd``).

Sixteen neighbouring columns of an image, or sixteen frequencies, lie innermost: ``[place, signal]``, real and
imaginary parts apart. A pass of radix 8 or 4 then is loads, additions and stores of whole cache lines, without a
shuffle. The output is in digit-reversed order, which costs nothing: who reads it looks up where a frequency
is. The first pass goes over all (2048 places: 256 KiB, second-level cache), the others over one part after the other,
which fits into the first-level cache.

The transform of exchanged parts is the inverse, exchanged and without its factor: one function serves for both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daasbench.compute.simd import LANES, compiled, fma, load, splat, store

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Index = int | np.int64
"""Of a call from compiled code: a constant is given as ``np.int64(0)``; for a plain 0 all would be compiled again."""

_HALF = np.float32(np.sqrt(0.5))


def is_fast(length: int) -> bool:
    """Return whether signals of this length can be transformed here: powers of two from 64 on."""
    return length >= 64 and length & (length - 1) == 0


def radices_of(length: int) -> I64:
    """Return the radices of the passes, eights before fours."""
    bits = length.bit_length() - 1
    fours = {0: 0, 1: 2, 2: 1}[bits % 3]
    return np.array([8] * ((bits - 2 * fours) // 3) + [4] * fours, np.int64)


def twiddles_of(length: int) -> F32:
    """Return the factors of all passes in the order of their use: real and imaginary part in turns."""
    made, whole = [], length
    for radix in radices_of(length):
        round_ = np.outer(np.arange(whole // radix), np.arange(1, radix)) / whole
        made.append(np.exp(-2j * np.pi * round_).astype(np.complex64).ravel())
        whole //= radix
    return np.concatenate(made).view(np.float32)


def places_of(length: int) -> I64:
    """Return i64[length]: where each frequency stands in the output."""
    place, rest, whole = np.zeros(length, np.int64), np.arange(length), length
    for radix in radices_of(length):
        whole //= radix
        place += rest % radix * whole
        rest //= radix
    return place


@compiled()
def transform(real: F32, imaginary: F32, start: Index, radices: I64, twiddles: F32) -> None:
    """Transform in place the sixteen signals that begin at `start`; to digit-reversed order."""
    length = radices[0]  # a literal 1 to begin with would compile each pass a second time
    for radix in radices[1:]:
        length *= radix
    part = length // radices[0]
    _pass_8(real, imaginary, start, length, length, twiddles, np.int64(0))
    for at in range(start, start + length * LANES, part * LANES):
        whole, factors = part, part * (radices[0] - 1) * 2
        for radix in radices[1:]:
            if radix == 8:
                _pass_8(real, imaginary, at, part, whole, twiddles, factors)
            else:
                _pass_4(real, imaginary, at, part, whole, twiddles, factors)
            whole //= radix
            factors += whole * (radix - 1) * 2


@compiled()
def _pass_4(
    real: F32, imaginary: F32, start: Index, length: Index, whole: Index, twiddles: F32, factors: Index
) -> None:
    span = whole // 4
    step = span * LANES
    for first in range(start, start + length * LANES, whole * LANES):
        for j in range(span):
            a = first + j * LANES
            b, c, d = a + step, a + 2 * step, a + 3 * step
            r0, r1 = load(real, a) + load(real, c), load(real, b) + load(real, d)
            r2, r3 = load(real, a) - load(real, c), load(real, b) - load(real, d)
            i0, i1 = load(imaginary, a) + load(imaginary, c), load(imaginary, b) + load(imaginary, d)
            i2, i3 = load(imaginary, a) - load(imaginary, c), load(imaginary, b) - load(imaginary, d)
            t = factors + 6 * j
            store(real, a, r0 + r1)
            store(imaginary, a, i0 + i1)
            _turned(real, imaginary, b, r2 + i3, i2 - r3, twiddles, t)
            _turned(real, imaginary, c, r0 - r1, i0 - i1, twiddles, t + 2)
            _turned(real, imaginary, d, r2 - i3, i2 + r3, twiddles, t + 4)


@compiled()
def _pass_8(
    real: F32, imaginary: F32, start: Index, length: Index, whole: Index, twiddles: F32, factors: Index
) -> None:
    span = whole // 8
    step = span * LANES
    half = splat(_HALF)
    for first in range(start, start + length * LANES, whole * LANES):
        for j in range(span):
            a = first + j * LANES
            r0, r4 = load(real, a), load(real, a + 4 * step)
            r1, r5 = load(real, a + step), load(real, a + 5 * step)
            r2, r6 = load(real, a + 2 * step), load(real, a + 6 * step)
            r3, r7 = load(real, a + 3 * step), load(real, a + 7 * step)
            i0, i4 = load(imaginary, a), load(imaginary, a + 4 * step)
            i1, i5 = load(imaginary, a + step), load(imaginary, a + 5 * step)
            i2, i6 = load(imaginary, a + 2 * step), load(imaginary, a + 6 * step)
            i3, i7 = load(imaginary, a + 3 * step), load(imaginary, a + 7 * step)
            r0, r4, i0, i4 = r0 + r4, r0 - r4, i0 + i4, i0 - i4
            r1, r5, i1, i5 = r1 + r5, r1 - r5, i1 + i5, i1 - i5
            r2, r6, i2, i6 = r2 + r6, r2 - r6, i2 + i6, i2 - i6
            r3, r7, i3, i7 = r3 + r7, r3 - r7, i3 + i7, i3 - i7
            r5, i5 = half * (r5 + i5), half * (i5 - r5)  # an eighth of a turn back
            r7, i7 = half * (i7 - r7), half * (r7 + i7)  # three eighths; its sign is that of what follows
            # even frequencies
            p0, p1, q0, q1 = r0 + r2, r1 + r3, i0 + i2, i1 + i3
            p2, p3, q2, q3 = r0 - r2, r1 - r3, i0 - i2, i1 - i3
            # odd ones: 4 - i 6, and 5, 7 as they are now
            u0, u1, v0, v1 = r4 + i6, r5 + r7, i4 - r6, i5 - i7
            u2, u3, v2, v3 = r4 - i6, r5 - r7, i4 + r6, i5 + i7
            t = factors + 14 * j
            store(real, a, p0 + p1)
            store(imaginary, a, q0 + q1)
            _turned(real, imaginary, a + step, u0 + u1, v0 + v1, twiddles, t)
            _turned(real, imaginary, a + 2 * step, p2 + q3, q2 - p3, twiddles, t + 2)
            _turned(real, imaginary, a + 3 * step, u2 + v3, v2 - u3, twiddles, t + 4)
            _turned(real, imaginary, a + 4 * step, p0 - p1, q0 - q1, twiddles, t + 6)
            _turned(real, imaginary, a + 5 * step, u0 - u1, v0 - v1, twiddles, t + 8)
            _turned(real, imaginary, a + 6 * step, p2 - q3, q2 + p3, twiddles, t + 10)
            _turned(real, imaginary, a + 7 * step, u2 - v3, v2 + u3, twiddles, t + 12)


@compiled(inline=True)
def _turned(real: F32, imaginary: F32, at: Index, r: object, i: object, twiddles: F32, factor: Index) -> None:
    """Store a number times a factor."""
    cosine, sine = splat(twiddles[factor]), splat(twiddles[factor + 1])
    store(real, at, r * cosine - i * sine)
    store(imaginary, at, fma(r, sine, i * cosine))
