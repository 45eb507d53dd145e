"""Instructions for which numba has no word: counts of sixteen positions turned, and added to sixteen volumes at once.

Frames lie position by position. What is needed together, the counts of one pixel at sixteen positions, lies
sixteen streams apart; sixteen pixels of sixteen positions are loaded and transposed in registers, in four rounds
of interleaving, which costs a quarter of an instruction a count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16  # positions in one vector; and pixels, or voxels, taken at once
_AHEAD_BYTES = 512  # of a stream: what is read in the 100 ns that memory takes

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_WIDE, _FLOATS = ir.VectorType(_I32, LANES), ir.VectorType(ir.FloatType(), LANES)
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
        data, start, stride_, count, table, pixel_, totals = _arguments(context, builder, signature, values)
        vector = ir.VectorType(ir.IntType(signature.args[0].dtype.bitwidth), LANES)
        rows = []
        for address in _streams(builder, data, builder.add(start, pixel_), stride_, count):
            rows.append(builder.load(builder.bitcast(address, vector.as_pointer()), align=vector.element.width // 8))
            _prefetch(builder, address)
        for k, column in enumerate(_transposed(builder, rows)):
            place = _slot(builder, totals, table, builder.add(pixel_, _I64(k)))
            counts = column if column.type == _WIDE else builder.zext(column, _WIDE)
            builder.store(builder.add(builder.load(place, align=64), counts), place, align=64)
        return context.get_dummy_value()

    return types.void(frames, first, stride, lanes, slots, pixel, sums), generate


@_llvm
def take_means(
    _: Any,
    sums: Any,
    slots: Any,
    hits: Any,
    voxel: Any,
    photons: Any,
    volumes: Any,
    first: Any,
    stride: Any,
    lanes: Any,
) -> Any:
    """Write sixteen voxels of sixteen positions, counts a pixel, add up their photons, and clear their sums.

    Parameters
    ----------
    sums, slots
        As for `add_counts`: voxel k has the slot ``slots[voxel + k]``.
    hits
        f32, flat: pixels of voxel k, at least 1.
    photons
        u32[16].
    volumes
        f32, flat; lane l is written from ``first + min(l, lanes - 1) * stride + voxel`` on.
    """
    flat = (
        _is_flat(sums, types.uint32),
        _is_flat(slots, types.int32),
        _is_flat(hits, types.float32),
        _is_flat(photons, types.uint32),
        _is_flat(volumes, types.float32),
    )
    if not (all(flat) and all(isinstance(one, types.Integer) for one in (voxel, first, stride, lanes))):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        totals, table, pixels, voxel_, photons_, out, start, stride_, count = _arguments(
            context, builder, signature, values
        )
        found, rows = builder.bitcast(photons_, _WIDE.as_pointer()), []
        total = builder.load(found, align=4)
        for k in range(LANES):
            at = builder.add(voxel_, _I64(k))
            place = _slot(builder, totals, table, at)
            counts = builder.load(place, align=64)
            builder.store(ir.Constant(_WIDE, [0] * LANES), place, align=64)
            total = builder.add(total, counts)
            rows.append(
                builder.fdiv(builder.uitofp(counts, _FLOATS), _splat(builder, builder.load(builder.gep(pixels, [at]))))
            )
        builder.store(total, found, align=4)
        places = _streams(builder, out, builder.add(start, voxel_), stride_, count)
        for address, column in zip(places, _transposed(builder, rows), strict=True):
            builder.store(column, builder.bitcast(address, _FLOATS.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(sums, slots, hits, voxel, photons, volumes, first, stride, lanes), generate


@_llvm
def take_planes(_: Any, sums: Any, slot: Any, planes: Any, totals: Any, hits: Any, highest: Any) -> Any:
    """Add the sums of a slot to those of its three planes, keep the largest count a pixel, and clear the slot.

    `planes` i32: three a slot; `totals` u32: sixteen a plane; `hits` f32: one a slot; `highest` f32[16]; all flat.
    """
    flat = (
        _is_flat(sums, types.uint32),
        _is_flat(planes, types.int32),
        _is_flat(totals, types.uint32),
        _is_flat(hits, types.float32),
        _is_flat(highest, types.float32),
    )
    if not (all(flat) and isinstance(slot, types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        sums_, at, table, totals_, pixels, brightest = _arguments(context, builder, signature, values)
        place = builder.bitcast(builder.gep(sums_, [builder.mul(at, _I64(LANES))]), _WIDE.as_pointer())
        counts = builder.load(place, align=64)
        builder.store(ir.Constant(_WIDE, [0] * LANES), place, align=64)
        for axis in range(3):
            plane = _slot(builder, totals_, table, builder.add(builder.mul(at, _I64(3)), _I64(axis)))
            builder.store(builder.add(builder.load(plane, align=4), counts), plane, align=4)
        mean = builder.fdiv(builder.uitofp(counts, _FLOATS), _splat(builder, builder.load(builder.gep(pixels, [at]))))
        largest = builder.bitcast(brightest, _FLOATS.as_pointer())
        before = builder.load(largest, align=4)
        builder.store(builder.select(builder.fcmp_ordered(">", mean, before), mean, before), largest, align=4)
        return context.get_dummy_value()

    return types.void(sums, slot, planes, totals, hits, highest), generate


def _arguments(context: Any, builder: Any, signature: Any, values: Any) -> list[Any]:
    """Return arrays as pointers to their first element, and integers as i64."""
    return [
        context.make_array(kind)(context, builder, value).data
        if isinstance(kind, types.Array)
        else context.cast(builder, value, kind, types.intp)
        for kind, value in zip(signature.args, values, strict=True)
    ]


def _streams(builder: Any, first: Any, start: Any, stride: Any, lanes: Any) -> list[Any]:
    """Return the addresses ``first[start + min(lane, lanes - 1) * stride]`` of sixteen lanes."""
    last, found = builder.sub(lanes, _I64(1)), []
    for lane in range(LANES):
        clipped = builder.select(builder.icmp_signed("<", _I64(lane), last), _I64(lane), last)
        found.append(builder.gep(first, [builder.add(start, builder.mul(clipped, stride))]))
    return found


def _slot(builder: Any, sums: Any, table: Any, index: Any) -> Any:
    """Return the address of the sixteen sums of slot ``table[index]``."""
    slot = builder.zext(builder.load(builder.gep(table, [index])), _I64)
    return builder.bitcast(builder.gep(sums, [builder.mul(slot, _I64(LANES))]), _WIDE.as_pointer())


def _splat(builder: Any, number: Any) -> Any:
    one = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), number, _I32(0))
    return builder.shuffle_vector(one, one, ir.Constant(_WIDE, [0] * LANES))


def _prefetch(builder: Any, address: Any) -> None:
    """Ask for what follows at `address`: sixteen streams are more than a processor foresees by itself."""
    bytes_ = builder.bitcast(address, ir.IntType(8).as_pointer())
    ahead = builder.gep(bytes_, [_I64(_AHEAD_BYTES)])
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), _I32, _I32, _I32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    builder.call(function, [ahead, _I32(0), _I32(3), _I32(1)])  # to read, into every cache, data


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
