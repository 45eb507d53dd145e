"""Instructions for which numba has no word: counts of sixteen positions turned, and added to sixteen volumes at once.

Frames lie position by position. What is needed together, the counts of one pixel at sixteen positions, lies
sixteen streams apart; sixteen pixels of sixteen positions are loaded and transposed in registers, in four rounds
of interleaving, which costs a quarter of an instruction a count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

LANES = 16  # positions in one vector; and pixels taken at once

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic  # numba's own types do not say


def _is_flat(array: Any, *kinds: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C" and array.dtype in kinds


@_llvm
def add_counts(_: Any, frames: Any, first: Any, stride: Any, lanes: Any, slots: Any, pixel: Any, sums: Any) -> Any:
    """Add sixteen pixels of sixteen positions to their sums.

    Parameters
    ----------
    frames
        u16 or u32, flat; lane l is read from ``first + min(l, lanes - 1) * stride + pixel`` on.
    slots
        i32, flat: pixel k is added to ``sums[16 * slots[pixel + k]]`` and the fifteen after it. Nothing is checked.
    sums
        u32, flat, aligned to 64 bytes.
    """
    integers = (first, stride, lanes, pixel)
    if not (
        _is_flat(frames, types.uint16, types.uint32)
        and _is_flat(slots, types.int32)
        and _is_flat(sums, types.uint32)
        and all(isinstance(one, types.Integer) for one in integers)
    ):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args
        data, table, totals = (context.make_array(kinds[at])(context, builder, values[at]).data for at in (0, 4, 6))
        start, stride_, count, pixel_ = (
            context.cast(builder, values[at], kinds[at], types.intp) for at in (1, 2, 3, 5)
        )
        last = builder.sub(count, _I64(1))
        origin = builder.add(start, pixel_)
        rows = []
        for lane in range(LANES):
            clipped = builder.select(builder.icmp_signed("<", _I64(lane), last), _I64(lane), last)
            address = builder.gep(data, [builder.add(origin, builder.mul(clipped, stride_))])
            vector = ir.VectorType(ir.IntType(kinds[0].dtype.bitwidth), LANES)
            rows.append(builder.load(builder.bitcast(address, vector.as_pointer()), align=vector.element.width // 8))
        wide = ir.VectorType(_I32, LANES)
        for k, column in enumerate(_transposed(builder, rows)):
            slot = builder.load(builder.gep(table, [builder.add(pixel_, _I64(k))]))
            offset = builder.mul(builder.zext(slot, _I64), _I64(LANES))
            place = builder.bitcast(builder.gep(totals, [offset]), wide.as_pointer())
            counts = column if column.type == wide else builder.zext(column, wide)
            builder.store(builder.add(builder.load(place, align=64), counts), place, align=64)
        return context.get_dummy_value()

    return types.void(frames, first, stride, lanes, slots, pixel, sums), generate


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of a matrix of sixteen rows: each round interleaves row i with row i + 8."""
    half = LANES // 2
    masks = [
        ir.Constant(ir.VectorType(_I32, LANES), [base + k // 2 + LANES * (k % 2) for k in range(LANES)])
        for base in (0, half)
    ]
    for _ in range(LANES.bit_length() - 1):
        rows = [builder.shuffle_vector(rows[i], rows[i + half], mask) for i in range(half) for mask in masks]
    return rows


@_llvm
def power_of_two(_: Any, exponent: Any) -> Any:
    """Return 2**exponent as float64, of an int64 from -1022 to 1023, by writing it into the exponent's bits."""
    if not isinstance(exponent, types.Integer):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        whole = context.cast(builder, values[0], signature.args[0], types.int64)
        bits = builder.shl(builder.add(whole, _I64(1023)), _I64(52))
        return builder.bitcast(bits, ir.DoubleType())

    return types.float64(exponent), generate
