"""LZ4 blocks, packed and unpacked by compiled code without the interpreter lock.

The format: https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md. A block is a list of sequences. A sequence has
literal bytes and a match: the length and the distance of bytes that were already unpacked.
"""

from __future__ import annotations

from daasbench.compute.addresses import (
    STEP,
    byte_at,
    clear_step,
    copy_step,
    differing,
    put_byte,
    put_u16,
    trailing_zeros,
    u16_at,
    u32_at,
)
from daasbench.compute.simd import compiled

SLACK = 2 * STEP
"""Bytes after an unpacked block that may be overwritten."""

LEAST_MATCH = 4
LAST_LITERALS = 5  # the format: the last five bytes are never part of a match,
LAST_MATCH = 12  # and no match begins within the last twelve
HASH_BITS = 12


@compiled(inline=True)
def _copy(to: int, source: int, length: int) -> None:
    """Copy at least `length` bytes, in whole steps, forwards: correct if the source is at least one step back."""
    end = to + length
    while to < end:
        copy_step(to, source)
        to += STEP
        source += STEP


@compiled(inline=True)
def _repeat(to: int, distance: int, length: int) -> None:
    """Write `length` bytes that repeat the bytes at `distance` before them, and up to one step more."""
    source, end = to - distance, to + length
    while distance < STEP and to < end:
        copy_step(to, source)
        to += distance
        distance *= 2
    _copy(to, source, end - to)


@compiled()
def unpack_block(  # noqa: C901, PLR0911, PLR0912  (one compiled loop, which no call interrupts)
    source: int, end: int, readable: int, target: int, size: int
) -> bool:
    """Unpack one block; return whether it is complete and has `size` bytes.

    Parameters
    ----------
    source, end
        Addresses of its first byte and after its last byte.
    readable
        Address after the last byte that may be read; at least `end`.
    target
        Address of the unpacked bytes; `SLACK` bytes after them may be overwritten.
    """
    at, to, stop = source, target, target + size
    while at < end:
        token = byte_at(at)
        at += 1
        length = token >> 4
        if length == 15:
            more = 255
            while more == 255:
                if at >= end:
                    return False
                more = byte_at(at)
                at += 1
                length += more
        if length > end - at or length > stop - to:
            return False
        if at + length + STEP <= readable:
            _copy(to, at, length)
        else:
            for i in range(length):
                put_byte(to + i, byte_at(at + i))
        at += length
        to += length
        if at == end:
            return bool(to == stop)
        if end - at < 2:
            return False
        distance = u16_at(at)
        at += 2
        if distance == 0 or distance > to - target:
            return False
        length = token & 15
        if length == 15:
            more = 255
            while more == 255:
                if at >= end:
                    return False
                more = byte_at(at)
                at += 1
                length += more
        length += LEAST_MATCH
        if length > stop - to:
            return False
        if distance >= STEP:
            _copy(to, to - distance, length)
        else:
            _repeat(to, distance, length)
        to += length
    return False


def most_packed(size: int) -> int:
    """Return an upper bound of the packed size of `size` bytes."""
    return size + size // 255 + 16


@compiled(inline=True)
def _hash(four: int) -> int:
    return ((four * 2654435761) & 0xFFFFFFFF) >> (32 - HASH_BITS)


@compiled(inline=True)
def _put_length(to: int, length: int) -> int:
    """Write the part of a length that does not fit into its half of the token; return the address after it."""
    while length >= 255:
        put_byte(to, 255)
        to += 1
        length -= 255
    put_byte(to, length)
    return to + 1


@compiled(inline=True)
def _match_length(a: int, b: int, stop: int) -> int:
    """Return how many bytes from `a` on, up to `stop`, are equal to the bytes from `b` on."""
    start = a
    while a + STEP <= stop:
        differ = differing(a, b)
        if differ != 0:
            return a - start + int(trailing_zeros(differ))
        a += STEP
        b += STEP
    while a < stop and byte_at(a) == byte_at(b):
        a += 1
        b += 1
    return a - start


@compiled()
def pack_block(source: int, size: int, target: int, table: int) -> int:
    """Pack one block of `size` bytes, below 64 KiB; return the number of packed bytes.

    `target` is the address of at least ``most_packed(size)`` bytes, and `STEP` more that may be overwritten. `table`
    is the address of 2 * 2**HASH_BITS bytes of working memory. One step after the block's end must be readable.
    """
    for i in range(0, 2 << HASH_BITS, STEP):
        clear_step(table + i)
    anchor, at, to, end = source, source + 1, target, source + size
    misses = 0
    while at < end - LAST_MATCH:
        four = u32_at(at)
        slot = table + 2 * _hash(four)
        found = source + u16_at(slot)
        put_u16(slot, at - source)
        if found >= at or u32_at(found) != four:
            misses += 1
            at += 1 + (misses >> 6)  # with growing steps in incompressible data
            continue
        while at > anchor and found > source and byte_at(at - 1) == byte_at(found - 1):
            at -= 1
            found -= 1
        length = LEAST_MATCH + _match_length(at + LEAST_MATCH, found + LEAST_MATCH, end - LAST_LITERALS)
        to = _put_sequence(to, anchor, at - anchor, at - found, length)
        at += length
        anchor, misses = at, 0
    literals = end - anchor
    put_byte(to, min(literals, 15) << 4)
    to += 1
    if literals >= 15:
        to = _put_length(to, literals - 15)
    _copy(to, anchor, literals)
    return to + literals - target


@compiled(inline=True)
def _put_sequence(to: int, anchor: int, literals: int, distance: int, length: int) -> int:
    """Write literals and a match; return the address after them."""
    rest = length - LEAST_MATCH
    put_byte(to, (min(literals, 15) << 4) | min(rest, 15))
    to += 1
    if literals >= 15:
        to = _put_length(to, literals - 15)
    _copy(to, anchor, literals)
    to += literals
    put_u16(to, distance)
    to += 2
    return _put_length(to, rest - 15) if rest >= 15 else to
