"""Three loops in LLVM instructions, because a compiler's plain loop does not reach the machine's limit.

Numba's plain loops over float64 reach a fifth of the memory bandwidth of a core, because bounds checks and strictly
ordered sums keep them scalar. They cannot use stores past the cache, which save a quarter of the triad's traffic: an
ordinary store first reads the line that it overwrites.
"""

# ruff: noqa: ARG001  (numba gives every intrinsic and every generator the same arguments)

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

STEP = 8
"""Elements of float64 in a cache line and in a vector of `triad_lines`."""

READ_STEP = 16 * STEP
"""Elements of float64 that one round of `sum_lines` adds: enough independent sums to hide an adder's latency."""

_INDEX = ir.IntType(64)
_LANE = ir.IntType(32)
_LINE = ir.VectorType(ir.DoubleType(), STEP)


def _splat(builder: Any, number: Any, vector: Any) -> Any:
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.Constant(_LANE, 0))
    everywhere = ir.Constant(ir.VectorType(_LANE, vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, first, everywhere)


def _add_all(builder: Any, vectors: Sequence[Any], lanes: int) -> Any:
    total = vectors[0]
    for one in vectors[1:]:
        total = builder.fadd(total, one)
    numbers = [builder.extract_element(total, ir.Constant(_LANE, lane)) for lane in range(lanes)]
    total = numbers[0]
    for number in numbers[1:]:
        total = builder.fadd(total, number)
    return total


def _first(context: Any, builder: Any, signature: Any, values: Any, which: int) -> Any:
    return context.make_array(signature.args[which])(context, builder, values[which]).data


def _line(builder: Any, first: Any, index: Any) -> Any:
    return builder.bitcast(builder.gep(first, [index]), _LINE.as_pointer())


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def triad_lines(typing: Any, a: Any, b: Any, c: Any, scale: Any, start: Any, stop: Any) -> Any:
    """Write ``b + scale * c`` to `a` from `start` to `stop`, past the cache (non-temporal stores).

    A thread that reads what another wrote to `a` needs a fence before (``daasbench.compute.addresses.fence``). The
    arrays are float64, flat; ``a[start]`` lies on a multiple of 64 bytes and ``stop - start`` is a multiple of `STEP`:
    nothing checks either.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        to, left, right = (_first(context, builder, signature, values, which) for which in range(3))
        factor = _splat(builder, values[3], _LINE)
        past_the_cache = builder.module.add_metadata([ir.Constant(_LANE, 1)])
        with cgutils.for_range_slice(builder, values[4], values[5], ir.Constant(_INDEX, STEP)) as (index, _):
            product = builder.fmul(factor, builder.load(_line(builder, right, index), align=8))
            total = builder.fadd(builder.load(_line(builder, left, index), align=8), product)
            builder.store(total, _line(builder, to, index), align=64).set_metadata("nontemporal", past_the_cache)
        return context.get_dummy_value()

    return types.void(a, b, c, types.float64, types.intp, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def sum_lines(typing: Any, b: Any, start: Any, stop: Any) -> Any:
    """Return the sum of the flat float64 array `b` from `start` to `stop`, a multiple of `READ_STEP` apart."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = _first(context, builder, signature, values, 0)
        sums = [cgutils.alloca_once_value(builder, ir.Constant(_LINE, [0.0] * STEP)) for _ in range(16)]
        step = ir.Constant(_INDEX, READ_STEP)
        with cgutils.for_range_slice(builder, values[1], values[2], step) as (index, _):
            for which, kept in enumerate(sums):
                at = builder.add(index, ir.Constant(_INDEX, which * STEP))
                builder.store(builder.fadd(builder.load(kept), builder.load(_line(builder, first, at), align=8)), kept)
        return _add_all(builder, [builder.load(kept) for kept in sums], STEP)

    return types.float64(b, types.intp, types.intp), generate


def registers() -> tuple[int, int]:
    """Return the bytes of this processor's widest vector register, and how many sums to keep in registers.

    Twelve sums and two factors fit into the 16 registers of AVX2 and hide a latency of 5 cycles on 2 units; 24
    fit where there are 32 registers, and hide 4 cycles on 4 units (Neoverse).
    """
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 24
    if features.get("avx"):
        return 32, 12
    return 16, 12 if features.get("sse2") else 24


def fused_loop(number: Any) -> tuple[Callable[..., Any], int]:
    """Return a loop of fused multiply-adds that stays in the registers, and the flop of one round.

    Parameters
    ----------
    number
        ``numba.types.float32`` or ``float64``; the loop is ``loop(rounds, x, y)`` and returns the sum of all its
        sums, each ``s = s * x + y`` done `rounds` times from ``s = which``.
    """
    width, kept = registers()
    lanes = width * 8 // number.bitwidth
    element = ir.FloatType() if number.bitwidth == 32 else ir.DoubleType()
    vector = ir.VectorType(element, lanes)

    @intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
    def loop(typing: Any, rounds: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            factor, summand = (_splat(builder, one, vector) for one in values[1:])
            starts = [ir.Constant(vector, [float(which)] * lanes) for which in range(kept)]
            sums = [cgutils.alloca_once_value(builder, one) for one in starts]
            kind = ir.FunctionType(vector, [vector] * 3)
            name = f"llvm.fmuladd.v{lanes}f{number.bitwidth}"
            fused = cgutils.get_or_insert_function(builder.module, kind, name)
            with cgutils.for_range(builder, values[0]):
                for one in sums:
                    builder.store(builder.call(fused, [builder.load(one), factor, summand]), one)
            return _add_all(builder, [builder.load(one) for one in sums], lanes)

        return number(types.intp, number, number), generate

    return loop, 2 * lanes * kept
