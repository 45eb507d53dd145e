"""Bit planes (bit k of all elements is stored before bit k + 1 of all elements), converted to elements and back.

64 elements at a time are made from eight bytes of each plane: LLVM's ``select`` of <64 x i1> is one masked
instruction per plane with registers of 512 bits. If counts are small, the high planes are 0. Therefore the planes above
the low byte, or above the low two bytes, are tested first, and converted only if they are not 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from daasbench.compute.addresses import all_integers, byte_at, i64_at, pointer, put_byte
from daasbench.compute.simd import compiled

GROUP = 64
"""Elements that are converted at once."""

_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic  # numba has no types for them
_I64 = ir.IntType(64)
_BYTES = ir.VectorType(ir.IntType(8), GROUP)
_FLAGS = ir.VectorType(ir.IntType(1), GROUP)
_WORDS = ir.VectorType(_I64, 8)


def _splat(kind: Any, number: int) -> Any:
    return ir.Constant(kind, [number] * kind.count)


def _plane(builder: Any, planes: Any, stride: Any, number: int) -> Any:
    return builder.add(planes, builder.mul(stride, ir.Constant(_I64, number)))


def _byte_of(builder: Any, planes: Any, stride: Any, byte: int) -> Any:
    """Return <64 x i8>: byte number `byte` of the 64 elements whose bits are at `planes`."""
    total = _splat(_BYTES, 0)
    for bit in range(8):
        at = _plane(builder, planes, stride, 8 * byte + bit)
        flags = builder.bitcast(builder.load(pointer(builder, at, _I64), align=1), _FLAGS)
        total = builder.or_(total, builder.select(flags, _splat(_BYTES, 1 << bit), _splat(_BYTES, 0)))
    return total


def _quarter(builder: Any, vector: Any, number: int) -> Any:
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), 16), list(range(16 * number, 16 * number + 16)))
    return builder.shuffle_vector(vector, vector, lanes)


def _spreader(size: int, used: int) -> Callable[..., Any]:
    """Return the function that makes 64 elements of `size` bytes from planes; only the first `used` bytes are not 0."""

    @_llvm
    def spread(_: Any, planes: Any, stride: Any, target: Any) -> Any:
        if not all_integers(planes, stride, target):
            return None

        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            planes, stride, target = values
            kind = ir.VectorType(ir.IntType(8 * size), 16)
            bytes_ = [_byte_of(builder, planes, stride, byte) for byte in range(used)]
            for quarter in range(4):
                total = _splat(kind, 0)
                for byte, vector in enumerate(bytes_):
                    part = _quarter(builder, vector, quarter)
                    part = builder.zext(part, kind) if size > 1 else part
                    total = builder.or_(total, builder.shl(part, _splat(kind, 8 * byte)))
                at = builder.add(target, ir.Constant(_I64, 16 * size * quarter))
                builder.store(total, pointer(builder, at, kind), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), generate

    return spread


spread1, spread2, spread4 = _spreader(1, 1), _spreader(2, 2), _spreader(4, 4)
spread2_low, spread4_low, spread4_half = _spreader(2, 1), _spreader(4, 1), _spreader(4, 2)


@_llvm
def any_bit(_: Any, planes: Any, stride: Any, found: Any) -> Any:
    """Write to `found`, for 512 elements, 64 bytes whose bits are set where one of eight planes is set."""
    if not all_integers(planes, stride, found):
        return None

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        total = _splat(_WORDS, 0)
        for bit in range(8):
            at = _plane(builder, values[0], values[1], bit)
            total = builder.or_(total, builder.load(pointer(builder, at, _WORDS), align=1))
        builder.store(total, pointer(builder, values[2], _WORDS), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


def _gatherer(size: int, used: int) -> Callable[..., Any]:
    """Return the function that makes planes from 64 elements of `size` bytes; only the first `used` bytes are not 0."""

    @_llvm
    def gather(_: Any, elements: Any, planes: Any, stride: Any) -> Any:
        if not all_integers(elements, planes, stride):
            return None

        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            elements, planes, stride = values
            kind = ir.VectorType(ir.IntType(8 * size), GROUP)
            whole = builder.load(pointer(builder, elements, kind), align=1)
            for plane in range(8 * size):
                word = ir.Constant(_I64, 0)
                if plane < 8 * used:
                    shifted = whole if size == 1 else builder.lshr(whole, _splat(kind, plane // 8 * 8))
                    part = shifted if size == 1 else builder.trunc(shifted, _BYTES)
                    here = builder.and_(part, _splat(_BYTES, 1 << plane % 8))
                    word = builder.bitcast(builder.icmp_unsigned("!=", here, _splat(_BYTES, 0)), _I64)
                builder.store(word, pointer(builder, _plane(builder, planes, stride, plane), _I64), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), generate

    return gather


gather1, gather2, gather4 = _gatherer(1, 1), _gatherer(2, 2), _gatherer(4, 4)
gather2_low, gather4_low, gather4_half = _gatherer(2, 1), _gatherer(4, 1), _gatherer(4, 2)


def _uniter(size: int) -> Callable[..., Any]:
    """Return the function that returns the bits that are set in any of 64 elements of `size` bytes."""

    @_llvm
    def united(_: Any, elements: Any) -> Any:
        if not all_integers(elements):
            return None

        def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            kind, scalar = ir.VectorType(ir.IntType(8 * size), GROUP), ir.IntType(8 * size)
            whole = builder.load(pointer(builder, values[0], kind), align=1)
            name = f"llvm.vector.reduce.or.v{GROUP}i{8 * size}"
            reduce = cgutils.get_or_insert_function(builder.module, ir.FunctionType(scalar, [kind]), name)
            return builder.zext(builder.call(reduce, [whole]), _I64)

        return types.int64(types.int64), generate

    return united


united2, united4 = _uniter(2), _uniter(4)


@compiled()
def spread_planes(  # noqa: C901, PLR0912  (one compiled loop, which no call interrupts)
    planes: int, count: int, size: int, target: int, work: int
) -> None:
    """Write `count` elements (a multiple of 8) of `size` bytes whose bit planes are at `planes`.

    `work` is the address of ``work_bytes()`` bytes. The same number of bytes after the planes is read and not used.
    """
    stride, spare = count >> 3, work + 3 * GROUP
    for start in range(0, count, 8 * GROUP):
        for byte in range(1, size if size in (2, 4) else 1):
            any_bit(planes + 8 * byte * stride + (start >> 3), stride, work + (byte - 1) * GROUP)
        for first in range(start, min(start + 8 * GROUP, count), GROUP):
            at, flags = planes + (first >> 3), work + ((first - start) >> 3)
            left = count - first
            to = target + first * size if left >= GROUP else spare
            if size == 4:
                if i64_at(flags + GROUP) | i64_at(flags + 2 * GROUP) != 0:
                    spread4(at, stride, to)
                elif i64_at(flags) != 0:
                    spread4_half(at, stride, to)
                else:
                    spread4_low(at, stride, to)
            elif size == 2:
                if i64_at(flags) != 0:
                    spread2(at, stride, to)
                else:
                    spread2_low(at, stride, to)
            elif size == 1:
                spread1(at, stride, to)
            else:
                _spread_bytes(at, stride, size, target + first * size, min(left, GROUP), work)
            if to == spare and (size == 1 or size == 2 or size == 4):
                for i in range(left * size):
                    put_byte(target + first * size + i, byte_at(spare + i))


@compiled()
def _spread_bytes(planes: int, stride: int, size: int, target: int, count: int, work: int) -> None:
    """Write elements of any size, byte by byte."""
    for byte in range(size):
        spread1(planes + 8 * byte * stride, stride, work)
        for i in range(count):
            put_byte(target + i * size + byte, byte_at(work + i))


@compiled(inline=True)
def work_bytes() -> int:
    """Return how many bytes of working memory the functions of this module need, and may read after a block."""
    return 1024


@compiled()
def gather_planes(source: int, count: int, size: int, planes: int, spare: int) -> None:
    """Write the bit planes of `count` elements (a multiple of 8)."""
    stride = count >> 3
    last = (count - 1) // GROUP
    for first in range(last * GROUP, -1, -GROUP):  # backwards: overwrites the excess bytes of the short group
        at, to = source + first * size, planes + (first >> 3)
        if count - first < GROUP:
            for i in range((count - first) * size):
                put_byte(spare + i, byte_at(at + i))
            at = spare
        if size == 4:
            bits = united4(at)
            if bits < 1 << 8:
                gather4_low(at, to, stride)
            elif bits < 1 << 16:
                gather4_half(at, to, stride)
            else:
                gather4(at, to, stride)
        elif size == 2:
            if united2(at) < 1 << 8:
                gather2_low(at, to, stride)
            else:
                gather2(at, to, stride)
        else:
            gather1(at, to, stride)
