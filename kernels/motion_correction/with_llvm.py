"""A step of `with_numba.py` that numba cannot express: the conversion of sixteen counts to float32.

Simple loops over the sixteen lanes compile to one move per element; this is one conversion of a register.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from daasbench.compute.simd import LANES, float32x16

_FLOATS = ir.VectorType(ir.FloatType(), LANES)

_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic  # numba does not declare its type


@_llvm
def load_counts(_: Any, array: Any, index: Any) -> Any:
    """Return sixteen elements of a flat array of u8, u16 or f32 from `index` on, as float32; nothing checks its end."""
    if not isinstance(array, types.Array) or array.ndim != 1 or array.dtype not in (
        types.uint8, types.uint16, types.float32,
    ):  # fmt: skip
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        element = context.get_data_type(array.dtype)
        vector = ir.VectorType(element, LANES)
        at = context.cast(builder, values[1], signature.args[1], types.intp)
        address = builder.bitcast(_at(context, builder, array, values[0], at), vector.as_pointer())
        counts = builder.load(address, align=array.dtype.bitwidth // 8)
        return counts if array.dtype == types.float32 else builder.uitofp(counts, _FLOATS)

    return float32x16(array, index), generate


def _at(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])
