"""Instructions that numba cannot express: counts of sixteen positions are transposed, and added to sixteen volumes.

Frames are stored position by position. The counts of one pixel at sixteen positions, which are needed together, are in
sixteen streams; a cache line of each of sixteen positions is loaded, and transposed in registers as a matrix of 16 x 16
numbers of 32 bits. If counts have 16 bits, such a number is two pixels: its halves are separated afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16  # positions per vector; also pixels, or voxels, per step
_LINE_BYTES = 64
_AHEAD_BYTES = 256  # per stream: what is read during the memory latency of 100 ns

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_WIDE, _LONG, _FLOATS = (ir.VectorType(kind, LANES) for kind in (_I32, _I64, ir.FloatType()))
_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic  # numba does not declare its type


def _is_flat(array: Any, *kinds: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C" and array.dtype in kinds


@_llvm
def add_counts(_: Any, frames: Any, first: Any, stride: Any, lanes: Any, slots: Any, pixel: Any, sums: Any) -> Any:
    """Add a cache line, 32 pixels of 16 bits or 16 of 32, of sixteen positions to their sums.

    Parameters
    ----------
    frames
        u16 or u32, flat; lane l is read from ``first + min(l, lanes - 1) * stride + pixel`` on.
    slots
        i32, flat: pixel k is added to ``sums[16 * slots[pixel + k]]`` and the fifteen after it, unchecked.
    sums
        u32, flat, aligned to 64 bytes.
    """
    integers = (first, stride, lanes, pixel)
    if not (
        _is_flat(frames, types.uint16, types.uint32)
        and _is_flat(slots, types.int32)
        and _is_flat(sums, types.uint32)
        and all(isinstance(integer, types.Integer) for integer in integers)
    ):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data, start, stride_, count, table, pixel_, totals = _arguments(context, builder, signature, values)
        halves = signature.args[0].dtype.bitwidth < _I32.width
        rows = []
        for address in _streams(builder, data, builder.add(start, pixel_), stride_, count):
            rows.append(builder.load(builder.bitcast(address, _WIDE.as_pointer()), align=2 if halves else 4))
            _prefetch(builder, address)
        at = 0
        for column in _transposed(builder, rows):
            for counts in _halves(builder, column) if halves else (column,):
                place = _slot(builder, totals, table, builder.add(pixel_, _I64(at)))
                builder.store(builder.add(builder.load(place, align=_LINE_BYTES), counts), place, align=_LINE_BYTES)
                at += 1
        return context.get_dummy_value()

    return types.void(frames, first, stride, lanes, slots, pixel, sums), generate


@_llvm
def take_means(
    _: Any,
    sums: Any,
    place: Any,
    hits: Any,
    inverse: Any,
    voxel: Any,
    photons: Any,
    volumes: Any,
    first: Any,
    stride: Any,
    lanes: Any,
) -> Any:
    """Write sixteen voxels of sixteen positions in counts per pixel, add their photons, and clear their sums.

    Parameters
    ----------
    sums
        u32, flat, aligned to 64 bytes: those of the voxels are the 256 of `place`.
    hits, inverse
        f32, flat: pixels of voxel k, at least 1, and 1 over it.
    photons
        u64[16].
    volumes
        f32, flat; lane l is written from ``first + min(l, lanes - 1) * stride + voxel`` on, with non-temporal
        stores if that and `stride` are a multiple of 16, which is a multiple of 64 bytes.
    """
    flat = (
        _is_flat(sums, types.uint32),
        _is_flat(hits, types.float32),
        _is_flat(inverse, types.float32),
        _is_flat(photons, types.uint64),
        _is_flat(volumes, types.float32),
    )
    if not (all(flat) and all(isinstance(integer, types.Integer) for integer in (place, voxel, first, stride, lanes))):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        totals, place_, pixels, over, voxel_, photons_, out, start, stride_, count = _arguments(
            context, builder, signature, values
        )
        rows, total = [], ir.Constant(_WIDE, [0] * LANES)
        for k in range(LANES):
            line = builder.gep(totals, [builder.add(builder.mul(place_, _I64(LANES * LANES)), _I64(k * LANES))])
            counts, at = _taken(builder, builder.bitcast(line, _WIDE.as_pointer())), builder.add(voxel_, _I64(k))
            total = builder.add(total, counts)
            divisor, factor = (_splat(builder, builder.load(builder.gep(one, [at]))) for one in (pixels, over))
            rows.append(_quotient(builder, builder.uitofp(counts, _FLOATS), divisor, factor))
        found = builder.bitcast(photons_, _LONG.as_pointer())
        builder.store(builder.add(builder.load(found, align=8), builder.zext(total, _LONG)), found, align=8)
        columns, begin = _transposed(builder, rows), builder.add(start, voxel_)
        uneven = builder.and_(builder.or_(begin, stride_), _I64(LANES - 1))
        with builder.if_else(builder.icmp_signed("==", uneven, _I64(0))) as (whole_lines, pieces):
            for branch, past_the_cache in ((whole_lines, True), (pieces, False)):
                with branch:
                    for address, column in zip(_streams(builder, out, begin, stride_, count), columns, strict=True):
                        line = builder.bitcast(address, _FLOATS.as_pointer())
                        stored = builder.store(column, line, align=_LINE_BYTES if past_the_cache else 4)
                        if past_the_cache:
                            stored.set_metadata("nontemporal", builder.module.add_metadata([_I32(1)]))
        return context.get_dummy_value()

    return types.void(sums, place, hits, inverse, voxel, photons, volumes, first, stride, lanes), generate


@_llvm
def take_planes(_: Any, sums: Any, slot: Any, voxel: Any, planes: Any, totals: Any, hits: Any, highest: Any) -> Any:
    """Add the sums of a voxel to those of its three planes, keep the largest counts per pixel, and clear its slot.

    `planes` i32: three per voxel; `totals` u32: sixteen per plane; `hits` f32: one per voxel; `highest` f32[16]; flat.
    """
    flat = (
        _is_flat(sums, types.uint32),
        _is_flat(planes, types.int32),
        _is_flat(totals, types.uint32),
        _is_flat(hits, types.float32),
        _is_flat(highest, types.float32),
    )
    if not (all(flat) and isinstance(slot, types.Integer) and isinstance(voxel, types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        sums_, slot_, at, table, totals_, pixels, brightest = _arguments(context, builder, signature, values)
        place = builder.bitcast(builder.gep(sums_, [builder.mul(slot_, _I64(LANES))]), _WIDE.as_pointer())
        counts = _taken(builder, place)
        for axis in range(3):
            plane = _slot(builder, totals_, table, builder.add(builder.mul(at, _I64(3)), _I64(axis)))
            builder.store(builder.add(builder.load(plane, align=4), counts), plane, align=4)
        mean = builder.fdiv(builder.uitofp(counts, _FLOATS), _splat(builder, builder.load(builder.gep(pixels, [at]))))
        largest = builder.bitcast(brightest, _FLOATS.as_pointer())
        before = builder.load(largest, align=4)
        builder.store(builder.select(builder.fcmp_ordered(">", mean, before), mean, before), largest, align=4)
        return context.get_dummy_value()

    return types.void(sums, slot, voxel, planes, totals, hits, highest), generate


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
    """Prefetch the data after `address`: a processor does not follow sixteen streams by itself."""
    bytes_ = builder.bitcast(address, ir.IntType(8).as_pointer())
    ahead = builder.gep(bytes_, [_I64(_AHEAD_BYTES)])
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), _I32, _I32, _I32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    builder.call(function, [ahead, _I32(0), _I32(3), _I32(1)])  # to read, into every cache, data


def _taken(builder: Any, place: Any) -> Any:
    """Return sixteen sums, and clear them."""
    counts = builder.load(place, align=_LINE_BYTES)
    builder.store(ir.Constant(_WIDE, [0] * LANES), place, align=_LINE_BYTES)
    return counts


def _halves(builder: Any, pairs: Any) -> tuple[Any, Any]:
    """Return the lower and the upper 16 bits of sixteen numbers."""
    return (
        builder.and_(pairs, ir.Constant(_WIDE, [0xFFFF] * LANES)),
        builder.lshr(pairs, ir.Constant(_WIDE, [16] * LANES)),
    )


def _quotient(builder: Any, number: Any, divisor: Any, inverse: Any) -> Any:
    """Return ``number / divisor``, rounded once: a product, and a correction by its remainder (Markstein)."""
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    near = builder.fmul(number, inverse)
    left = builder.call(fma, [builder.fneg(near), divisor, number])
    return builder.call(fma, [left, inverse, near])


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of a matrix of sixteen rows.

    First within quarters of a register, which is faster than across them: pairs of rows are interleaved, then pairs of
    pairs, so that for each four rows vector c has column 4 q + c in its quarter q. Then the quarters are collected.
    """
    low, high, even, odd = (
        _within_quarters(one) for one in ((0, 16, 1, 17), (2, 18, 3, 19), (0, 1, 16, 17), (2, 3, 18, 19))
    )
    first, second = (
        ir.Constant(_WIDE, [4 * quarter + k for quarter in quarters for k in range(4)])
        for quarters in ((0, 2, 4, 6), (1, 3, 5, 7))
    )

    def both(a: Any, b: Any, *masks: Any) -> list[Any]:
        return [builder.shuffle_vector(a, b, mask) for mask in masks]

    fours = []
    for i in range(0, LANES, 4):
        (a, b), (c, d) = both(rows[i], rows[i + 1], low, high), both(rows[i + 2], rows[i + 3], low, high)
        fours.append([*both(a, c, even, odd), *both(b, d, even, odd)])
    columns: list[Any] = [None] * LANES
    for c in range(4):
        above = both(fours[0][c], fours[1][c], first, second)
        below = both(fours[2][c], fours[3][c], first, second)
        columns[c], columns[8 + c] = both(above[0], below[0], first, second)
        columns[4 + c], columns[12 + c] = both(above[1], below[1], first, second)
    return columns


def _within_quarters(four: tuple[int, ...]) -> Any:
    """Return the mask that selects `four` numbers of the first quarters, and the same numbers of the others."""
    return ir.Constant(_WIDE, [4 * quarter + k for quarter in range(4) for k in four])


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
