"""How the vector is cut into rows, the rows over ranks, and where each row finds what its bonds bring.

An index is a row (its high bits) and a place in the row (its low bits). A bond between two low bits stays in the
row. One between two high bits brings a whole row; that between the highest low and the lowest high bit brings
half of one; that between the first site and the last brings every second element of one. What lies on another
rank comes into a buffer behind the rank's own rows, every element once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import share

I64 = NDArray[np.int64]

NONE = -1
MOST_BITS = 11  # of a place: rows of 16 KiB, so that one of a vector and one of sums fit into the L1 cache
LEAST_ROWS = 16  # a rank, where the ring is long enough, so that shares are even

WHOLE, LOWER, UPPER, EVEN, ODD = range(5)
"""What of a row is brought."""


def place_bits(length: int, ranks: int) -> int:
    """Return how many of `length` bits are places in a row: at least 2, and as many as leave enough rows."""
    rows = (ranks * LEAST_ROWS - 1).bit_length()
    return min(max(length - rows, 2), MOST_BITS, length - 1)


@dataclass(frozen=True, kw_only=True)
class RankLayout:
    """What one rank holds, needs and gives.

    Offsets are of elements; from `own` x `width` on they count in the buffer of what came from other ranks.

    Attributes
    ----------
    length, width, first, own
        Sites; elements of a row; this rank's first row, and how many it has.
    partners
        i64[own, bonds between high bits]: where the row is that the bond brings; NONE: nothing changes.
    halves
        i64[own]: where the half row is that the middle bond brings.
    ends, end_strides
        i64[own]: where the elements are that the bond of the ends brings, and how far apart.
    received
        By rank, how many elements come from it, in the order in which they lie in the buffer.
    given
        By rank, which elements it needs: i64 offsets into this rank's rows.
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
    """Says where a part of a row begins, and how far apart its elements are."""

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
    """Return what the middle bond brings to a row: its upper half if the row's lowest bit is 0, and conversely.

    The half that is brought is the other one: where the low bit is 1 here, it is 0 there.
    """
    return row ^ 1, UPPER if row & 1 else LOWER


def _end(row: int, high: int) -> tuple[int, int]:
    """Return what the bond of the ends brings to a row: to odd places if the last spin is 0, from even ones."""
    top = 1 << (high - 1)
    return row ^ top, ODD if row & top else EVEN


def _wanted(length: int, bits: int, mine: slice) -> list[tuple[int, int]]:
    """Return, sorted, the parts of rows that are not in `mine` and that its bonds bring, none twice."""
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
    """Return the offsets of the elements of parts of rows, from the rank's first row on."""
    of_part = {
        WHOLE: np.arange(width),
        LOWER: np.arange(width // 2),
        UPPER: np.arange(width // 2, width),
        EVEN: np.arange(0, width, 2),
        ODD: np.arange(1, width, 2),
    }
    found = [(row - first) * width + of_part[part] for row, part in parts]
    return np.concatenate(found).astype(np.int64) if found else np.empty(0, np.int64)
