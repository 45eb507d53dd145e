"""Two steps of `with_numba.py` for which numba has no word: sixteen counts as numbers, and a transposition.

Plain loops over the sixteen lanes compile to one move an element; these are a conversion and 64 shuffles of a register.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from daasbench.compute.simd import LANES, float32x16

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_BYTES_PER_FLOAT = 4

_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic  # numba's own types do not say what it makes


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


@_llvm
def transpose(_: Any, source: Any, start: Any, target: Any, where: Any) -> Any:
    """Write 16 x 16 numbers of a flat float32 array, from `start` on, transposed to another, from `where` on."""
    flat = types.Array(types.float32, 1, "C")
    if source != flat or target != flat:
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        start_, where_ = (context.cast(builder, values[i], signature.args[i], types.intp) for i in (1, 3))
        first = _at(context, builder, source, values[0], start_)
        lines = [builder.load(_line(builder, first, line), align=_BYTES_PER_FLOAT) for line in range(LANES)]
        for block in (8, 4, 2, 1):
            lines = _exchanged(builder, lines, block)
        first = _at(context, builder, target, values[2], where_)
        for line, vector in enumerate(lines):
            builder.store(vector, _line(builder, first, line), align=_BYTES_PER_FLOAT)
        return context.get_dummy_value()

    return types.void(source, start, target, where), generate


def _exchanged(builder: Any, lines: list[Any], block: int) -> list[Any]:
    """Return the lines with their blocks beside the diagonal exchanged."""
    made = list(lines)
    for upper in range(LANES):
        if not upper & block:
            pair = lines[upper], lines[upper + block]
            above = [lane if not lane & block else LANES + lane - block for lane in range(LANES)]
            below = [lane + block if not lane & block else LANES + lane for lane in range(LANES)]
            for line, mask in ((upper, above), (upper + block, below)):
                made[line] = builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(ir.IntType(32), LANES), mask))
    return made


def _at(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])


def _line(builder: Any, first: Any, line: int) -> Any:
    address = builder.gep(first, [ir.Constant(ir.IntType(64), line * LANES)])
    return builder.bitcast(address, _FLOATS.as_pointer())
