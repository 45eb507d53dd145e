"""Instructions for sixteen numbers at once that numba cannot express.

They convert sixteen 16-bit counts to float32, add sixteen numbers to float64, and prefetch a cache line.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from daasbench.compute.simd import LANES, float32x16

_COUNTS = ir.VectorType(ir.IntType(16), LANES)
_WIDE = ir.VectorType(ir.IntType(32), LANES)
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
_READ, _NEAR, _DATA = 0, 2, 1  # of llvm.prefetch: into the second-level cache


def _is_flat(array: Any, dtype: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C" and array.dtype == dtype


def _place(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return builder.gep(array.data, [context.cast(builder, values[1], signature.args[1], types.intp)])


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def widen(_: Any, counts: Any, index: Any) -> Any:
    """Return the sixteen counts of a flat uint16 array that begin at `index`, as float32; nothing checks its end."""
    if not _is_flat(counts, types.uint16) or not isinstance(index, types.Integer):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = builder.bitcast(_place(context, builder, signature, values), _COUNTS.as_pointer())
        return builder.sitofp(builder.zext(builder.load(address, align=2), _WIDE), _FLOATS)

    return float32x16(counts, index), generate


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def accumulate(_: Any, sums: Any, index: Any, vector: Any) -> Any:
    """Add sixteen float32 to those of a flat float64 array that begin at `index`; nothing checks its end."""
    if not _is_flat(sums, types.float64) or not isinstance(index, types.Integer) or vector != float32x16:
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = builder.bitcast(_place(context, builder, signature, values), _DOUBLES.as_pointer())
        total = builder.fadd(builder.load(address, align=8), builder.fpext(values[2], _DOUBLES))
        builder.store(total, address, align=8)
        return context.get_dummy_value()

    return types.void(sums, index, vector), generate


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def prefetch(_: Any, counts: Any, index: Any) -> Any:
    """Ask for the cache line of an item of a flat uint16 array; an item beyond its end is ignored."""
    if not _is_flat(counts, types.uint16) or not isinstance(index, types.Integer):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        bytes_ = ir.IntType(8).as_pointer()
        address = builder.bitcast(_place(context, builder, signature, values), bytes_)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [bytes_, number, number, number])
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(fetch, [address, number(_READ), number(_NEAR), number(_DATA)])
        return context.get_dummy_value()

    return types.void(counts, index), generate
