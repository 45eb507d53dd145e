"""Bitshuffle-LZ4 chunks, HDF5 filter 32008: the compression of Dectris and many other detectors.

A chunk is its unpacked size (8 bytes, big-endian), the size of its blocks (4 bytes), and the blocks: each its packed
size (4 bytes) and an LZ4 block. Unpacked, a block of n elements is bit planes: bit k of all elements, n / 8 bytes,
before bit k + 1. What is left behind the last multiple of eight elements stands at the end as it is.
Masui et al., Astronomy and Computing 12, 181 (2015), doi:10.1016/j.ascom.2015.07.002.

A plane is 0 where counts are small: what stands above the low byte, or the low two, is looked for first, and only
spread where there is something.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from daasbench.lz4 import HASH_BITS, SLACK, most_packed, pack_block, unpack_block
from daasbench.memory import all_integers, byte_at, i64_at, pointer, put_byte
from daasbench.simd import compiled

HEADER = 12
GROUP = 64  # elements that are spread or gathered at once
MOST_BLOCK = 1 << 20  # bytes; the library makes blocks of 8192

WHOLE, WRONG_SIZE, WRONG_BLOCK, CUT_OFF, DAMAGED = range(5)
SAID = {
    WRONG_SIZE: "its header tells of another size than the frame has",
    WRONG_BLOCK: "its header tells of blocks of an impossible size",
    CUT_OFF: "it ends too early",
    DAMAGED: "an LZ4 block in it is damaged",
}
"""What is wrong with a chunk, by the status of :func:`unpack_chunk`."""

_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic
_address: Any = np.int64  # numpy gives an unsigned one, and the two kinds do not mix
_I64 = ir.IntType(64)
_BYTES = ir.VectorType(ir.IntType(8), GROUP)
_FLAGS = ir.VectorType(ir.IntType(1), GROUP)
_WORDS = ir.VectorType(_I64, 8)


def _splat(kind: Any, number: int) -> Any:
    return ir.Constant(kind, [number] * kind.count)


def _plane(builder: Any, planes: Any, stride: Any, number: int) -> Any:
    return builder.add(planes, builder.mul(stride, ir.Constant(_I64, number)))


def _byte_of(builder: Any, planes: Any, stride: Any, byte: int) -> Any:
    """Return <64 x i8>: byte number `byte` of the 64 elements whose bits stand at `planes`."""
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
    """Return the function that makes 64 elements of `size` bytes, of which the first `used` are not 0, of planes."""

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
    """Write to `found` the 64 bytes whose bits are set where one of eight planes has one, 512 elements on."""
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


def _gatherer(size: int) -> Callable[..., Any]:
    """Return the function that makes planes of 64 elements of `size` bytes."""

    @_llvm
    def gather(_: Any, elements: Any, planes: Any, stride: Any) -> Any:
        if not all_integers(elements, planes, stride):
            return None

        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            elements, planes, stride = values
            kind = ir.VectorType(ir.IntType(8 * size), GROUP)
            whole = builder.load(pointer(builder, elements, kind), align=1)
            for byte in range(size):
                part = whole if size == 1 else builder.trunc(builder.lshr(whole, _splat(kind, 8 * byte)), _BYTES)
                for bit in range(8):
                    here = builder.and_(part, _splat(_BYTES, 1 << bit))
                    flags = builder.icmp_unsigned("!=", here, _splat(_BYTES, 0))
                    at = _plane(builder, planes, stride, 8 * byte + bit)
                    builder.store(builder.bitcast(flags, _I64), pointer(builder, at, _I64), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), generate

    return gather


gather1, gather2, gather4 = _gatherer(1), _gatherer(2), _gatherer(4)


@compiled()
def spread_planes(planes: int, count: int, size: int, target: int, work: int) -> None:
    """Write `count` elements (a multiple of 8) of `size` bytes whose bit planes stand at `planes`.

    `work` is the address of ``work_bytes(size)`` bytes; as many behind the planes are read, and are of no effect.
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
    """Return how many bytes of working memory the functions here need behind a block, and for themselves."""
    return 1024


@compiled(inline=True)
def _u32_be(at: int) -> int:
    number: int = (byte_at(at) << 24) | (byte_at(at + 1) << 16) | (byte_at(at + 2) << 8) | byte_at(at + 3)
    return number


@compiled()
def block_elements(source: int, end: int, count: int, size: int) -> int:
    """Return how many elements the blocks of a chunk of `count` have; below 0: what is wrong, a status."""
    if end - source < HEADER:
        return -CUT_OFF
    if (_u32_be(source) << 32) | _u32_be(source + 4) != count * size:
        return -WRONG_SIZE
    block = _u32_be(source + 8)
    if block <= 0 or block > MOST_BLOCK or block % (8 * size) != 0:
        return -WRONG_BLOCK
    return block // size


@compiled()
def skip_blocks(at: int, end: int, blocks: int) -> int:
    """Return the address of the block that comes `blocks` after that at `at`; below 0: a status."""
    for _ in range(blocks):
        if end - at < 4:
            return -CUT_OFF
        at += 4 + _u32_be(at)
    return at


@compiled()
def next_planes(at: int, end: int, readable: int, planes: int, size: int) -> int:
    """Unpack the `size` bytes of bit planes of the block at `at`; return where the next begins; below 0: a status.

    `SLACK` bytes behind the planes may be overwritten, and nothing at `readable` or behind is read.
    """
    if end - at < 4:
        return -CUT_OFF
    stop = at + 4 + _u32_be(at)
    if stop > end:
        return -CUT_OFF
    return stop if unpack_block(at + 4, stop, readable, planes, size) else -DAMAGED


@compiled()
def unpack_chunk(
    source: int, end: int, readable: int, target: int, count: int, size: int, part: int, parts: int
) -> int:
    """Unpack part `part` of `parts` of a chunk of `count` elements of `size` bytes; return its status.

    `source` and `end` are addresses of the chunk, `target` that of its first element.
    """
    block = block_elements(source, end, count, size)
    if block < 0:
        return -block
    whole = count // 8 * 8
    blocks = -(-whole // block)
    first, last = blocks * part // parts, blocks * (part + 1) // parts
    memory = np.empty(block * size + 2 * work_bytes() + SLACK, np.uint8)
    planes = _address(memory.ctypes.data)
    work = planes + block * size + work_bytes() + SLACK
    at = skip_blocks(source + HEADER, end, first)
    for number in range(first, last):
        if at < 0:
            return -at
        here = min(block, whole - number * block)
        at = next_planes(at, end, readable, planes, here * size)
        if at >= 0:
            spread_planes(planes, here, size, target + number * block * size, work)
    if at < 0:
        return -at
    if part + 1 < parts:
        return WHOLE
    rest = (count - whole) * size
    for i in range(rest if end - at >= rest else 0):
        put_byte(target + whole * size + i, byte_at(at + i))
    return WHOLE if end - at == rest else CUT_OFF


@compiled()
def pack_chunk(source: int, count: int, size: int, block: int, target: int) -> int:
    """Pack `count` elements of 1, 2 or 4 bytes in blocks of `block` elements; return how many bytes that takes.

    `target` is the address of at least :func:`most_chunk` bytes.
    """
    planes_bytes = block * size + work_bytes()
    memory = np.empty(planes_bytes + (2 << HASH_BITS) + 4 * GROUP, np.uint8)
    planes = _address(memory.ctypes.data)
    table, spare = planes + planes_bytes, planes + planes_bytes + (2 << HASH_BITS)
    put_u32_be(target, (count * size) >> 32)
    put_u32_be(target + 4, count * size)
    put_u32_be(target + 8, block * size)
    to, whole = target + HEADER, count // 8 * 8
    for first in range(0, whole, block):
        here = min(block, whole - first)
        _gather_planes(source + first * size, here, size, planes, spare)
        packed = pack_block(planes, here * size, to + 4, table)
        put_u32_be(to, packed)
        to += 4 + packed
    for i in range(whole * size, count * size):
        put_byte(to, byte_at(source + i))
        to += 1
    return to - target


@compiled()
def _gather_planes(source: int, count: int, size: int, planes: int, spare: int) -> None:
    """Write the bit planes of `count` elements (a multiple of 8)."""
    stride = count >> 3
    last = (count - 1) // GROUP
    for first in range(last * GROUP, -1, -GROUP):  # what the last, short group writes too far is written over
        at, to = source + first * size, planes + (first >> 3)
        if count - first < GROUP:
            for i in range((count - first) * size):
                put_byte(spare + i, byte_at(at + i))
            at = spare
        if size == 4:
            gather4(at, to, stride)
        elif size == 2:
            gather2(at, to, stride)
        else:
            gather1(at, to, stride)


@compiled(inline=True)
def put_u32_be(to: int, number: int) -> None:
    """Write the lowest four bytes of a number, the highest first."""
    put_byte(to, number >> 24)
    put_byte(to + 1, number >> 16)
    put_byte(to + 2, number >> 8)
    put_byte(to + 3, number)


def most_chunk(count: int, size: int, block: int) -> int:
    """Return how many bytes `count` packed elements of `size` bytes take at most, and a little more."""
    blocks = -(-count // block)
    return HEADER + blocks * (4 + most_packed(block * size)) + 8 * size + SLACK
