"""Bitshuffle-LZ4 chunks, HDF5 filter 32008: the compression of Dectris and many other detectors.

A chunk has its unpacked size (8 bytes, big-endian), the size of its blocks (4 bytes), and the blocks. Each block has
its packed size (4 bytes) and an LZ4 block. Unpacked, a block of n elements consists of bit planes: bit k of all
elements, n / 8 bytes, before bit k + 1. Elements after the last multiple of eight are stored unchanged at the end.
Masui et al., Astronomy and Computing 12, 181 (2015), doi:10.1016/j.ascom.2015.07.002.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from daasbench.compute.addresses import byte_at, put_byte
from daasbench.compute.simd import compiled
from daasbench.formats.bit_planes import GROUP, gather_planes, spread_planes, work_bytes
from daasbench.formats.chunks import CUT_OFF, DAMAGED, HEADER, MOST_BLOCK, WHOLE, WRONG_BLOCK, WRONG_SIZE
from daasbench.formats.lz4 import HASH_BITS, SLACK, most_packed, pack_block, unpack_block

_address: Any = np.int64  # numpy's addresses are unsigned, and the two kinds cannot be mixed


@compiled(inline=True)
def _u32_be(at: int) -> int:
    number: int = (byte_at(at) << 24) | (byte_at(at + 1) << 16) | (byte_at(at + 2) << 8) | byte_at(at + 3)
    return number


@compiled()
def block_elements(source: int, end: int, count: int, size: int) -> int:
    """Return how many elements the blocks of a chunk of `count` elements have; below 0: the status of an error."""
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
    """Return the address of the block that is `blocks` after the block at `at`; below 0: the status of an error."""
    for _ in range(blocks):
        if end - at < 4:
            return -CUT_OFF
        at += 4 + _u32_be(at)
    return at


@compiled()
def next_planes(at: int, end: int, readable: int, planes: int, size: int) -> int:
    """Unpack the `size` bytes of bit planes of the block at `at`; return the address of the next block.

    A negative result is the status of an error. `SLACK` bytes after the planes may be overwritten. No byte from
    `readable` on is read.
    """
    if end - at < 4:
        return -CUT_OFF
    stop = at + 4 + _u32_be(at)
    if stop > end:
        return -CUT_OFF
    return stop if unpack_block(at + 4, stop, readable, planes, size) else -DAMAGED


@compiled()
def unpack_chunk(  # noqa: PLR0913  (compiled: addresses and sizes one by one)
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
    memory[0] = 0  # still needed: numba frees an array after its last use, and does not know that its address is in use
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
    """Pack `count` elements of 1, 2 or 4 bytes in blocks of `block` elements; return the number of bytes.

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
        gather_planes(source + first * size, here, size, planes, spare)
        packed = pack_block(planes, here * size, to + 4, table)
        put_u32_be(to, packed)
        to += 4 + packed
    memory[0] = 0  # still needed
    for i in range(whole * size, count * size):
        put_byte(to, byte_at(source + i))
        to += 1
    return to - target


@compiled(inline=True)
def put_u32_be(to: int, number: int) -> None:
    """Write the lowest four bytes of a number, the highest first."""
    put_byte(to, number >> 24)
    put_byte(to + 1, number >> 16)
    put_byte(to + 2, number >> 8)
    put_byte(to + 3, number)


def most_chunk(count: int, size: int, block: int) -> int:
    """Return an upper bound of the bytes of `count` packed elements of `size` bytes."""
    blocks = -(-count // block)
    return HEADER + blocks * (4 + most_packed(block * size)) + 8 * size + SLACK
