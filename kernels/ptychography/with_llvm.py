"""Vector operations in addition to ``daasbench.compute.simd``: roots, quotients and selections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from daasbench.compute.simd import LANES, float32x16

_VECTOR = ir.VectorType(ir.FloatType(), LANES)

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
    """Return the absolute values."""
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
    """Return `b` where `test` is negative, else `a`."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        below = builder.fcmp_ordered("<", values[0], ir.Constant(_VECTOR, [0.0] * LANES))
        return builder.select(below, values[2], values[1])

    return float32x16(test, a, b), generate
