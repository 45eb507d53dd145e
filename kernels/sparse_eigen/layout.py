"""The division of the vector into rows, their partition over ranks, and the elements that each bond couples to a row.

An index consists of a row (its high bits) and a position in the row (its low bits). A bond between two low bits
couples elements of the same row. A bond between two high bits couples a whole row; the bond between the highest low
and the lowest high bit couples half a row; the bond between the first site and the last couples every second element
of a row. Elements of another rank are received into a buffer behind the rank's own rows, every element once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import share

I64 = NDArray[np.int64]

NONE = -1
MOST_BITS = 11  # of a position: rows of 16 KiB, so that a row of a vector and a row of sums fit into the L1 cache
LEAST_ROWS = 16  # per rank, if the ring is long enough, so that the parts are nearly equal

WHOLE, LOWER, UPPER, EVEN, ODD = range(5)
"""The part of a row that a bond couples."""


def place_bits(length: int, ranks: int) -> int:
    """Return how many of `length` bits are the position in a row: at least 2, but few enough for enough rows."""
    rows = (ranks * LEAST_ROWS - 1).bit_length()
    return min(max(length - rows, 2), MOST_BITS, length - 1)


@dataclass(frozen=True, kw_only=True)
class RankLayout:
    """The elements that one rank holds, receives and sends.

    Offsets count elements; those from `own` x `width` on are in the buffer of elements received from other ranks.

    Attributes
    ----------
    length, width, first, own
        Sites; elements of a row; this rank's first row, and its number of rows.
    partners
        i64[own, bonds between high bits]: offset of the row that the bond couples; NONE: nothing changes.
    halves
        i64[own]: offset of the half row that the middle bond couples.
    ends, end_strides
        i64[own]: offset and stride of the elements that the bond of the ends couples.
    received
        By rank, how many elements are received from it, in the order of the buffer.
    given
        By rank, which elements are sent to it: i64 offsets into this rank's rows.
    """

    length: int
    width: int
    first: int
    own: int
    partners: I64
    halves: I64
    ends: I64
    end_strides: I64
    received: list[int]
    given: list[I64]


def layout_of(length: int, ranks: int = 1, rank: int = 0) -> RankLayout:
    """Return the layout of one of `ranks` ranks."""
    bits = place_bits(length, ranks)
    width, rows = 1 << bits, 1 << (length - bits)
    wanted = [_wanted(length, bits, share(rows, ranks, other)) for other in range(ranks)]
    mine = share(rows, ranks, rank)
    places: dict[tuple[int, int], int] = {}  # of (row, part) in the buffer
    received, at = [], 0
    for other in range(ranks):
        theirs = share(rows, ranks, other)
        before = at
        for row, part in _between(wanted[rank], theirs) if other != rank else []:
            places[row, part] = at
            at += width if part == WHOLE else width // 2
        received.append(at - before)
    given = [
        _elements(_between(wanted[other], mine), mine.start, width) if other != rank else np.empty(0, np.int64)
        for other in range(ranks)
    ]
    offset = _Finder(mine, width, places)
    return RankLayout(
        length=length,
        width=width,
        first=mine.start,
        own=mine.stop - mine.start,
        received=received,
        given=given,
        **_tables(length, bits, mine, offset),
    )


class _Finder:
    """Returns the offset of the first element of a part of a row, and the stride of its elements."""

    def __init__(self, mine: slice, width: int, places: dict[tuple[int, int], int]) -> None:
        self.mine, self.width, self.places = mine, width, places
        self.behind = (mine.stop - mine.start) * width

    def __call__(self, row: int, part: int) -> tuple[int, int]:
        here = self.mine.start <= row < self.mine.stop
        if not here and (row, part) in self.places:
            return self.behind + self.places[row, part], 1
        start = (row - self.mine.start) * self.width if here else self.behind + self.places[row, WHOLE]
        within = {WHOLE: 0, LOWER: 0, UPPER: self.width // 2, EVEN: 0, ODD: 1}[part]
        return start + within, 2 if part in (EVEN, ODD) else 1


def _tables(length: int, bits: int, mine: slice, find: _Finder) -> dict[str, I64]:
    own, high = mine.stop - mine.start, length - bits
    partners = np.full((own, high - 1), NONE, np.int64)
    halves, ends, strides = (np.zeros(own, np.int64) for _ in range(3))
    for index, row in enumerate(range(mine.start, mine.stop)):
        for bond in range(high - 1):
            if (row >> bond ^ row >> (bond + 1)) & 1:
                partners[index, bond] = find(row ^ 3 << bond, WHOLE)[0]
        halves[index] = find(*_half(row))[0]
        ends[index], strides[index] = find(*_end(row, high))
    return {"partners": partners, "halves": halves, "ends": ends, "end_strides": strides}


def _half(row: int) -> tuple[int, int]:
    """Return what the middle bond couples to a row: the partner's upper half if the row's low bit is 1, else its lower.

    The partner's low bit is the opposite.
    """
    return row ^ 1, UPPER if row & 1 else LOWER


def _end(row: int, high: int) -> tuple[int, int]:
    """Return what the end bond couples to a row: the partner's odd positions if the last spin is 1, else even ones."""
    top = 1 << (high - 1)
    return row ^ top, ODD if row & top else EVEN


def _wanted(length: int, bits: int, mine: slice) -> list[tuple[int, int]]:
    """Return, sorted and without duplicates, the parts of rows outside `mine` that its bonds couple."""
    high = length - bits
    parts = set()
    for row in range(mine.start, mine.stop):
        for bond in range(high - 1):
            if (row >> bond ^ row >> (bond + 1)) & 1:
                parts.add((row ^ 3 << bond, WHOLE))
        parts.update((_half(row), _end(row, high)))
    outside = {(row, part) for row, part in parts if not mine.start <= row < mine.stop}
    return sorted((row, part) for row, part in outside if part == WHOLE or (row, WHOLE) not in outside)


def _between(wanted: list[tuple[int, int]], theirs: slice) -> list[tuple[int, int]]:
    return [(row, part) for row, part in wanted if theirs.start <= row < theirs.stop]


def _elements(parts: list[tuple[int, int]], first: int, width: int) -> I64:
    """Return the offsets of the elements of parts of rows, counted from the rank's first row."""
    of_part = {
        WHOLE: np.arange(width),
        LOWER: np.arange(width // 2),
        UPPER: np.arange(width // 2, width),
        EVEN: np.arange(0, width, 2),
        ODD: np.arange(1, width, 2),
    }
    found = [(row - first) * width + of_part[part] for row, part in parts]
    return np.concatenate(found).astype(np.int64) if found else np.empty(0, np.int64)
