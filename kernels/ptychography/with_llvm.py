"""Instructions beyond ``daasbench.compute.simd``: roots, quotients, choices, and a transposition of 16 x 16 numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from daasbench.compute.simd import LANES, float32x16

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)
_ALIGN = 4  # bytes: nothing is asked of an array

# numba's own types do not say what these take and return
_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic
_declare: Callable[..., Any] = cgutils.get_or_insert_function


def _call(builder: Any, name: str, *values: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(values))
    return builder.call(_declare(builder.module, kind, f"llvm.{name}.v{LANES}f32"), values)


@_llvm
def root(_: Any, a: Any) -> Any:
    """Return the square roots."""
    return float32x16(a), lambda _context, builder, _signature, values: _call(builder, "sqrt", *values)


@_llvm
def modulus(_: Any, a: Any) -> Any:
    """Return the numbers without their signs."""
    return float32x16(a), lambda _context, builder, _signature, values: _call(builder, "fabs", *values)


@_llvm
def larger(_: Any, a: Any, b: Any) -> Any:
    """Return the larger of each pair."""
    return float32x16(a, b), lambda _context, builder, _signature, values: _call(builder, "maxnum", *values)


@_llvm
def ratio(_: Any, a: Any, b: Any) -> Any:
    """Return ``a / b``."""
    return float32x16(a, b), lambda _context, builder, _signature, values: builder.fdiv(*values)


@_llvm
def unless_negative(_: Any, test: Any, a: Any, b: Any) -> Any:
    """Return `a`, but `b` where `test` is below zero."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        below = builder.fcmp_ordered("<", values[0], ir.Constant(_VECTOR, [0.0] * LANES))
        return builder.select(below, values[2], values[1])

    return float32x16(test, a, b), generate


@_llvm
def transpose(_: Any, source: Any, first: Any, step: Any, target: Any, start: Any, stride: Any) -> Any:
    """Write sixteen vectors of `source`, `step` apart from `first` on, as columns to `target`; no end is checked.

    Vector i of the target, at ``start + i * stride``, has the i-th numbers of all vectors of the source.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def address(array: int, index: int, distance: int, i: int) -> Any:
            offsets = [context.cast(builder, values[k], signature.args[k], types.intp) for k in (index, distance)]
            data = context.make_array(signature.args[array])(context, builder, values[array]).data
            place = builder.add(offsets[0], builder.mul(offsets[1], ir.Constant(offsets[1].type, i)))
            return builder.bitcast(builder.gep(data, [place]), _VECTOR.as_pointer())

        vectors = [builder.load(address(0, 1, 2, i), align=_ALIGN) for i in range(LANES)]
        for distance in (8, 4, 2, 1):  # exchanges one bit of the row with that of the column
            _exchange(builder, vectors, distance)
        for i, vector in enumerate(vectors):
            builder.store(vector, address(3, 4, 5, i), align=_ALIGN)
        return context.get_dummy_value()

    return types.void(source, first, step, target, start, stride), generate


def _exchange(builder: Any, vectors: list[Any], distance: int) -> None:
    lanes = range(LANES)
    upper = [c if not c & distance else LANES + c - distance for c in lanes]
    lower = [c + distance if not c & distance else LANES + c for c in lanes]
    for i in lanes:
        if not i & distance:
            a, b = vectors[i], vectors[i + distance]
            vectors[i] = builder.shuffle_vector(a, b, ir.Constant(_INTEGERS, upper))
            vectors[i + distance] = builder.shuffle_vector(a, b, ir.Constant(_INTEGERS, lower))
