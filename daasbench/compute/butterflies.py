"""Butterflies of Fourier transforms of sixteen signals at once: loads, arithmetic and stores of whole vectors.

Each butterfly is a fragment of LLVM code that the short recursion :func:`_transformed` makes. numba sees one call. It
would take numba a tenth of a second to compile the hundred operations on vectors; LLVM takes some milliseconds.

A wave is sixteen complex numbers: sixteen real parts, then sixteen imaginary parts, 32 floats of a flat float32 array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from daasbench.compute.simd import LANES

WAVE = 2 * LANES
"""Floats of a wave."""

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_LANE = ir.IntType(32)
_INDEX = ir.IntType(64)
_ALIGN = 4  # bytes: arrays need no larger alignment
_HALF_ROOT = ir.Constant(_VECTOR, [float(np.float32(np.sqrt(0.5)))] * LANES)

Wave = tuple[Any, Any]
"""Real and imaginary parts, as LLVM values."""

# numba's own types do not say what these take and return
_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic
_declare: Callable[..., Any] = cgutils.get_or_insert_function
_loop: Callable[..., Any] = cgutils.for_range


def plain(radix: int, sign: int) -> Callable[..., Any]:
    """Return the compiled step ``(source, at, step, target, into, apart, count)``.

    It reads `radix` waves of `source`: the first at `at`, the others `step` floats apart. It writes their transform, by
    ``exp(sign 2 pi i / radix)``, to `target`: the first wave at `into`, the others `apart` floats apart. It then does
    the same with the next `radix` waves, `count` times in all. The ends of the arrays are not checked.
    """

    @_llvm
    def step(  # noqa: PLR0913  (compiled: addresses and sizes one by one)
        _: Any, source: Any, at: Any, step: Any, target: Any, into: Any, apart: Any, count: Any
    ) -> tuple[Any, Any]:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            run = _Run(context, builder, signature, values, radix, radix * WAVE)
            with _loop(builder, run.count) as loop:
                run.store(_transformed(builder, run.load(loop.index), sign), loop.index)
            return context.get_dummy_value()

        return types.void(source, at, step, target, into, apart, count), generate

    return step


def twiddled(radix: int, sign: int) -> Callable[..., Any]:
    """Return the compiled step ``(source, at, step, target, into, apart, count, twiddles, first)``.

    It does the same as :func:`plain`, with two differences. The first waves of the `count` butterflies are neighbours
    in memory. All waves of a butterfly but the first are multiplied by twiddles: after the transform if `sign` is
    below zero, otherwise before the transform and by the conjugate twiddles. From `first` on, the array of twiddles has
    a cosine and a sine for each, in the order of their use.
    """

    @_llvm
    def step(  # noqa: PLR0913  (compiled: addresses and sizes one by one)
        _: Any,
        source: Any,
        at: Any,
        step: Any,
        target: Any,
        into: Any,
        apart: Any,
        count: Any,
        twiddles: Any,
        first: Any,
    ) -> tuple[Any, Any]:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            run = _Run(context, builder, signature, values, radix, WAVE)
            with _loop(builder, run.count) as loop:
                waves, index = run.load(loop.index), loop.index
                if sign < 0:
                    run.store(run.twiddle(_transformed(builder, waves, sign), index, sign), index)
                else:
                    run.store(_transformed(builder, run.twiddle(waves, index, sign), sign), index)
            return context.get_dummy_value()

        return types.void(source, at, step, target, into, apart, count, twiddles, first), generate

    return step


class _Run:
    """Loads and stores the waves of a series of butterflies."""

    def __init__(self, context: Any, builder: Any, signature: Any, values: Any, radix: int, advance: int) -> None:
        def array(which: int) -> Any:
            return context.make_array(signature.args[which])(context, builder, values[which]).data

        def integer(which: int) -> Any:
            return context.cast(builder, values[which], signature.args[which], types.intp)

        self._builder, self._radix, self._advance = builder, radix, advance
        self._source, self._target = (array(0), integer(1), integer(2)), (array(3), integer(4), integer(5))
        self.count = integer(6)
        self._twiddles = (array(7), integer(8)) if len(values) > 7 else (None, None)

    def load(self, index: Any) -> list[Wave]:
        """Return the waves of a butterfly."""
        load = self._builder.load
        return [
            (load(real, align=_ALIGN), load(imaginary, align=_ALIGN))
            for real, imaginary in self._places(*self._source, index)
        ]

    def store(self, waves: Sequence[Wave], index: Any) -> None:
        """Write the waves of a butterfly."""
        for wave, places in zip(waves, self._places(*self._target, index), strict=True):
            for part, place in zip(wave, places, strict=True):
                self._builder.store(part, place, align=_ALIGN)

    def twiddle(self, waves: Sequence[Wave], index: Any, sign: int) -> list[Wave]:
        """Return the waves of a butterfly, all but the first multiplied by their twiddles."""
        builder = self._builder
        twiddles, first = self._twiddles
        at = builder.add(first, builder.mul(index, ir.Constant(_INDEX, 2 * (self._radix - 1))))
        made = [waves[0]]
        for k, (real, imaginary) in enumerate(waves[1:]):
            cosine, sine = (
                _splat(
                    builder, builder.load(builder.gep(twiddles, [builder.add(at, ir.Constant(_INDEX, 2 * k + part))]))
                )
                for part in range(2)
            )
            if sign > 0:
                sine = builder.fneg(sine)
            less = builder.fneg(builder.fmul(imaginary, sine))
            made.append((_fma(builder, real, cosine, less), _fma(builder, real, sine, builder.fmul(imaginary, cosine))))
        return made

    def _places(self, array: Any, first: Any, step: Any, index: Any) -> list[Wave]:
        """Return the addresses of real and imaginary parts of a butterfly's waves."""
        builder = self._builder
        at = builder.add(first, builder.mul(index, ir.Constant(_INDEX, self._advance)))
        found = []
        for k in range(self._radix):
            real = builder.gep(array, [builder.add(at, builder.mul(step, ir.Constant(_INDEX, k)))])
            parts = real, builder.gep(real, [ir.Constant(_INDEX, LANES)])
            found.append(tuple(builder.bitcast(part, _VECTOR.as_pointer()) for part in parts))
        return found


def _splat(builder: Any, number: Any) -> Any:
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, ir.Constant(_LANE, 0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_LANE, LANES), [0] * LANES))


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    return builder.call(_declare(builder.module, kind, f"llvm.fmuladd.v{LANES}f32"), (a, b, c))


def _transformed(builder: Any, waves: Sequence[Wave], sign: int) -> list[Wave]:
    """Return ``sum over n of waves[n] exp(sign 2 pi i k n / radix)`` for each k; the radix is 2, 4 or 8."""
    radix = len(waves)
    if radix == 1:
        return list(waves)
    pairs = zip(_transformed(builder, waves[::2], sign), _transformed(builder, waves[1::2], sign), strict=True)
    made = [_sum_and_difference(builder, *pair, sign * k * 8 // radix) for k, pair in enumerate(pairs)]
    return [one for one, _ in made] + [one for _, one in made]


def _sum_and_difference(builder: Any, even: Wave, odd: Wave, eighths: int) -> tuple[Wave, Wave]:
    """Return `even` plus and minus `odd`, where `odd` is rotated by some eighths of a circle."""
    real, imaginary = odd
    for _ in range(eighths % 8 // 2):
        real, imaginary = builder.fneg(imaginary), real  # LLVM turns sums with it into differences
    if eighths % 2:  # multiply by 1 + i; the step of the sum also multiplies by the root of a half
        factors, parts = (
            (_HALF_ROOT, builder.fneg(_HALF_ROOT)),
            (builder.fsub(real, imaginary), builder.fadd(real, imaginary)),
        )
        plus, minus = (
            tuple(_fma(builder, factor, part, of) for part, of in zip(parts, even, strict=True)) for factor in factors
        )
    else:
        plus = builder.fadd(even[0], real), builder.fadd(even[1], imaginary)
        minus = builder.fsub(even[0], real), builder.fsub(even[1], imaginary)
    return plus, minus
