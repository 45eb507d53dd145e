"""Fourier transforms of sixteen signals at once, in place and without reordering, by butterflies of radix 8 and 4.

Sixteen signals are stored side by side: f32[place, 2, 16] flat, sixteen real parts before sixteen imaginary parts.
Therefore every operation is an operation on whole vectors, and nothing is shuffled. Real and imaginary parts are
stored together, not in separate arrays: places whose distance is a power of two use the same set of a first-level
cache, and the set then has to hold only the eight lines of a butterfly instead of sixteen.

:func:`forward` (decimation in frequency) writes the frequency ``plan.frequencies[k]`` to place k, and :func:`inverse`
(decimation in time) reads this order, so that nothing has to be sorted between them. :func:`forward_sorted` does not
change its input and writes the natural order. None of them scales the result.

A plan (:func:`make_plan`) is a list of steps that is made once for a length: first the passes over all data that do
not fit into a first-level cache; then, for one part after the other, all remaining passes.

Source: Cooley, Tukey (1965), doi:10.1090/S0025-5718-1965-0178586-1; Van Loan, Computational Frameworks for the Fast
Fourier Transform (1992), doi:10.1137/1.9781611970999.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from daasbench.compute.simd import compiled

from .butterflies import WAVE, plain, twiddled

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Index = int | np.int64
"""An index. In a call from compiled code, write a constant as ``np.int64(0)``: for a plain 0 all is compiled again."""

SHORTEST = 4
_AT_ONCE = 256  # places in one part: 32 KiB, the size of a first-level cache
_WAVE = np.int64(WAVE)

_eight_forward, _eight_inverse = plain(8, -1), plain(8, 1)
_four_forward, _four_inverse = plain(4, -1), plain(4, 1)
_eight_forward_twiddled, _eight_inverse_twiddled = twiddled(8, -1), twiddled(8, 1)
_four_forward_twiddled, _four_inverse_twiddled = twiddled(4, -1), twiddled(4, 1)


class Plan(NamedTuple):
    """The tables for transforms of one length; compiled code takes it as an argument.

    Attributes
    ----------
    length
        Places of each signal.
    steps
        i64[steps, 5]: the steps of :func:`forward`, in order; :func:`inverse` makes them from the last to the first.
        Each has: radix (below zero: without twiddles), first place, number of blocks, butterflies per block, index of
        the first twiddle.
    twiddles
        f32: cosine and sine of each twiddle, in the order of their use.
    frequencies
        i64[length]: the frequency at each place.
    places
        i64[length]: the place of each frequency.
    """

    length: int
    steps: I64
    twiddles: F32
    frequencies: I64
    places: I64


def make_plan(length: int) -> Plan:
    """Return the tables for transforms of a length that is a power of two, at least 4.

    Raises
    ------
    ValueError
        If the length is not such a number.
    """
    if length < SHORTEST or length & (length - 1):
        raise ValueError(f"the length of the signals is {length}; it must be a power of two, at least 4")
    radices = _radices(length)
    frequencies = np.zeros(1, np.int64)
    for radix in reversed(radices):
        frequencies = np.concatenate([radix * frequencies + first for first in range(radix)])
    places = np.empty_like(frequencies)
    places[frequencies] = np.arange(length)
    return Plan(
        length=length,
        steps=np.array(list(_steps(radices, length))),
        twiddles=_twiddles(radices, length),
        frequencies=frequencies,
        places=places,
    )


def _radices(length: int) -> list[int]:
    """Return the radix of each pass: as few passes as possible; the last, without twiddles, has radix 8 if possible."""
    bits, made = length.bit_length() - 1, []
    while bits:
        made.append(3 if bits in (3, 6) or bits >= 8 else 2)
        bits -= made[-1]
    return [2**one for one in made]


def _twiddles(radices: list[int], length: int) -> F32:
    """Return cosines and sines of the twiddles of all passes but the last: per butterfly, for its waves from 1 on."""
    made = [np.zeros(0, np.complex64)]
    for radix in radices[:-1]:
        angles = -2j * np.pi * np.outer(np.arange(length // radix), np.arange(1, radix)) / length
        made.append(np.exp(angles).astype(np.complex64).ravel())
        length //= radix
    return np.concatenate(made).view(np.float32)


def _steps(radices: list[int], length: int, first: int = 0, blocks: int = 1, twiddles: int = 0) -> Iterator[list[int]]:
    """Yield the steps for `blocks` blocks of this length from a place on."""
    radix, *others = radices
    span = length // radix
    if not others:
        yield [-radix, first, blocks, span, twiddles]
        return
    yield [radix, first, blocks, span, twiddles]
    twiddles += 2 * span * (radix - 1)
    if blocks * length <= _AT_ONCE:
        yield from _steps(others, span, first, blocks * radix, twiddles)
    else:
        for part in range(first, first + blocks * length, span):
            yield from _steps(others, span, part, 1, twiddles)


@compiled()
def forward(signals: F32, start: Index, plan: Plan) -> None:
    """Transform in place the sixteen signals that begin at the float `start`, to the order of the plan."""
    twiddles, steps = plan.twiddles, plan.steps
    for k in range(len(steps)):
        radix, blocks, span, twiddle = steps[k, 0], steps[k, 2], steps[k, 3], steps[k, 4]
        at, step = start + steps[k, 1] * _WAVE, span * _WAVE
        if radix == -8:
            _eight_forward(signals, at, step, signals, at, step, blocks)
        elif radix == -4:
            _four_forward(signals, at, step, signals, at, step, blocks)
        elif radix == 8:
            for _ in range(blocks):
                _eight_forward_twiddled(signals, at, step, signals, at, step, span, twiddles, twiddle)
                at += 8 * step
        else:
            for _ in range(blocks):
                _four_forward_twiddled(signals, at, step, signals, at, step, span, twiddles, twiddle)
                at += 4 * step


@compiled()
def inverse(signals: F32, start: Index, plan: Plan) -> None:
    """Transform back in place the signals that begin at `start`, from the order of the plan; times the length."""
    twiddles, steps = plan.twiddles, plan.steps
    for k in range(len(steps) - 1, -1, -1):
        radix, blocks, span, twiddle = steps[k, 0], steps[k, 2], steps[k, 3], steps[k, 4]
        at, step = start + steps[k, 1] * _WAVE, span * _WAVE
        if radix == -8:
            _eight_inverse(signals, at, step, signals, at, step, blocks)
        elif radix == -4:
            _four_inverse(signals, at, step, signals, at, step, blocks)
        elif radix == 8:
            for _ in range(blocks):
                _eight_inverse_twiddled(signals, at, step, signals, at, step, span, twiddles, twiddle)
                at += 8 * step
        else:
            for _ in range(blocks):
                _four_inverse_twiddled(signals, at, step, signals, at, step, span, twiddles, twiddle)
                at += 4 * step


@compiled()
def forward_sorted(signals: F32, spectra: F32, work: F32, plan: Plan) -> None:
    """Write the transforms of sixteen signals in natural order; all three arrays are f32[32 length]."""
    twiddles, steps, frequencies, one = plan.twiddles, plan.steps, plan.frequencies, np.int64(1)
    for k in range(len(steps)):
        radix, first, blocks, span, twiddle = steps[k, 0], steps[k, 1], steps[k, 2], steps[k, 3], steps[k, 4]
        source, at, step = signals if k == 0 else work, first * _WAVE, span * _WAVE
        if radix == -8:
            for place in range(first, first + 8 * blocks, 8):
                into, apart = frequencies[place] * _WAVE, plan.length // 8 * _WAVE
                _eight_forward(source, place * _WAVE, step, spectra, into, apart, one)
        elif radix == -4:
            for place in range(first, first + 4 * blocks, 4):
                into, apart = frequencies[place] * _WAVE, plan.length // 4 * _WAVE
                _four_forward(source, place * _WAVE, step, spectra, into, apart, one)
        elif radix == 8:
            for _ in range(blocks):
                _eight_forward_twiddled(source, at, step, work, at, step, span, twiddles, twiddle)
                at += 8 * step
        else:
            for _ in range(blocks):
                _four_forward_twiddled(source, at, step, work, at, step, span, twiddles, twiddle)
                at += 4 * step
