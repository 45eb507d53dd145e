"""Sixteen pixels in a register, and their past rows in the second-level cache: memory is read once.

A tile is some groups of sixteen pixels, processed through the whole series. Its counts are converted chunk by chunk to
float32 rows ``[group, row, 16]``, after seven rows of the past. Four rows are correlated at a time, eight lags in
eight registers, and their two pair sums are written to the next level, which is processed when it has a chunk of
rows. Meanwhile the counts of the next chunk are prefetched from memory.

Counts and sums of counts are integers: float32 represents them, their products and their sums exactly up to 2**24.
Larger products are rounded; those of a chunk are added to float64, so that rounding errors do not accumulate.
The sums of the earlier and of the later rows of the pairs need no work per lag: they are the sum of all rows minus
the last or the first rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources
from daasbench.compute.simd import LANES, Threads, aligned_zeros, compiled, fma, load, splat, store

from .definition import CHANNELS, Sums, slots_of, sums_of_slots
from .parts import frames_of, labels_of
from .with_llvm import accumulate, prefetch, widen

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U16 = NDArray[np.uint16]

GROUPS = 8  # of a tile: 256 bytes of every frame
CHUNK = 32  # rows processed at a time; a multiple of 4
AHEAD = 2  # parts of a chunk between the prefetch of a cache line and its use
_PAST = (CHANNELS - 1) * LANES  # numbers of a group: the past of a level, that and its new rows, its products
_ROWS = _PAST + CHUNK * LANES
_LAGS = CHANNELS * LANES
_FOLD = 4  # sums per group that are added last


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], F64]:
    """Return the function that turns a block of frames into g2, f64[lags, q]."""
    sums = prepare_sums(problem, resources)

    def compute(frames: Any) -> F64:
        return sums(frames).g2(problem.schedule)

    return compute


def prepare_sums(problem: Problem, resources: Resources) -> Callable[[Any], Sums]:
    """Return the function that sums the pixels of a block, or of a part of a block."""
    share = Threads(resources.threads)
    schedule, rings, threads = problem.schedule, problem.rings, resources.threads
    labels = labels_of(problem, problem.blocks[0])
    starts, ring_of = groups_of(labels)
    rows = np.array(schedule.rows, np.int64)
    pixels = np.bincount(labels, minlength=rings + 1)[1:].astype(np.float64)
    planes, past = (rows.size + 2) * GROUPS * _ROWS, rows.size * GROUPS * _PAST
    work = aligned_zeros((threads, planes + past))
    products = aligned_zeros((threads, rows.size * GROUPS * _LAGS), np.float64)

    def compute(block: Any) -> Sums:
        frames = frames_of(block)
        if frames.shape[1] < LANES:  # of a group that is read completely
            frames = np.pad(frames, ((0, 0), (0, LANES - frames.shape[1])))
        lanes = np.zeros((threads, rings + 1, slots_of(rows.size), _FOLD))
        flat = frames.reshape(-1)
        share(_correlate, threads, flat, frames.shape[1], starts, ring_of, rows, work, products, lanes)
        return sums_of_slots(lanes.sum(axis=(0, 3))[1:].T, schedule, pixels)

    return compute


def groups_of(labels: NDArray[np.int32]) -> tuple[I64, NDArray[np.int32]]:
    """Return the first pixel of each group of sixteen that holds a label, and i32[groups, 16] the labels.

    The last group of a row of pixels may overlap the group before; pixels in both are counted once.
    """
    count = -(-labels.size // LANES)
    starts = np.minimum(np.arange(count) * LANES, max(labels.size - LANES, 0))
    lanes = np.zeros((count, LANES), np.int32)
    for group, start in ((count - 1, starts[-1]),):
        ours = labels[group * LANES :]
        lanes[group, group * LANES - start :][: ours.size] = ours
    lanes[:-1] = labels[: (count - 1) * LANES].reshape(-1, LANES)
    held = lanes.any(axis=1)
    return starts[held], np.ascontiguousarray(lanes[held])


@compiled()
def _correlate(
    first: int, end: int,
    counts: U16, pixels: int, starts: I64, labels: Any, rows: I64, work: F32, products: F64, lanes: F64,
) -> None:  # fmt: skip
    """Add the sums of the tiles of parts `first` to `end` to `lanes`, f64[parts, rings + 1, slots, 4].

    The rows of a level are in its plane of the buffer. Those of level 0 alternate between plane 0 and the last plane:
    the next chunk is written to one while the other is processed. Pair sums of the highest level go to the last but
    one plane.
    """
    levels, parts = rows.size, lanes.shape[0]
    tiles = (starts.size + GROUPS - 1) // GROUPS
    planes = (levels + 2) * GROUPS * _ROWS
    for part in range(first, end):
        buffer, heads = work[part, :planes], work[part, planes:]
        totals = np.zeros(GROUPS * LANES, np.float64)
        filled, chunks = np.zeros(levels + 1, np.int64), np.zeros(levels, np.int64)
        for tile in range(tiles * part // parts, tiles * (part + 1) // parts):
            places = starts[tile * GROUPS : (tile + 1) * GROUPS]
            _clear(levels, buffer, products[part], totals, filled, chunks)
            plane: Any = np.int64(0)  # not a literal: for each literal, all called functions would be compiled again
            _fill(counts, pixels, places, 0, min(CHUNK, rows[0]), plane, buffer)
            for row in range(0, rows[0], CHUNK):
                filled[0] = min(CHUNK, rows[0] - row)
                last, other = row + CHUNK >= rows[0], levels + 1 - plane
                level: Any = np.int64(0)
                while level < levels and (filled[level] == CHUNK or last):
                    new, above, chunk = filled[level], filled[level + 1], chunks[level]
                    for g in range(places.size):
                        if level == 0:
                            _advance(plane, other, level, g, new, above, chunk, buffer, products[part], heads)
                            _fill_share(counts, pixels, places, row + CHUNK, rows[0], g, other, buffer)
                        else:
                            _advance(level, level, level, g, new, above, chunk, buffer, products[part], heads)
                    if level == levels - 1:
                        _sum_rows(plane if level == 0 else level, places.size, new, buffer, totals)
                    filled[level + 1] += new // 2
                    chunks[level], filled[level] = chunk + 1, 0
                    level += 1
                filled[levels], plane = 0, other
            group_rings = labels[tile * GROUPS : (tile + 1) * GROUPS]
            _reduce(rows, group_rings, plane, buffer, products[part], heads, totals, lanes[part])


@compiled()
def _clear(levels: int, buffer: F32, products: F64, totals: F64, filled: I64, chunks: I64) -> None:
    """Begin a tile: set its past rows and sums to zero."""
    for level_group in range((levels + 2) * GROUPS):
        for i in range(0, _PAST, LANES):
            store(buffer, level_group * _ROWS + i, splat(0.0))
    products[:] = 0
    totals[:] = 0
    filled[:] = 0
    chunks[:] = 0


@compiled()
def _fill(counts: U16, pixels: int, places: I64, row: int, new: int, plane: int, buffer: F32) -> None:
    """Write the counts of `new` frames from `row` on after the past rows of level 0."""
    for r in range(new):
        for g in range(places.size):
            to = (plane * GROUPS + g) * _ROWS + _PAST + r * LANES
            store(buffer, to, widen(counts, (row + r) * pixels + places[g]))


@compiled()
def _fill_share(counts: U16, pixels: int, places: I64, row: int, end: int, share: int, plane: int, buffer: F32) -> None:
    """Write some frames of the chunk from `row` on, and prefetch those that are written two parts later.

    No more frames are prefetched at a time: frames of 2**n bytes use the same cache sets and would evict each other.
    """
    size = -(-CHUNK // places.size)
    for r in range(share * size, (share + 1) * size):
        if r < CHUNK and row + r < end:
            for g in range(places.size):
                to = (plane * GROUPS + g) * _ROWS + _PAST + r * LANES
                store(buffer, to, widen(counts, (row + r) * pixels + places[g]))
        if row + r + AHEAD * size < end:
            for g in range(0, places.size, 2):
                prefetch(counts, (row + r + AHEAD * size) * pixels + places[g])


@compiled()
def _advance(
    plane: int, other: int, level: int, g: int, new: int, above: int, chunk: int, buffer: F32, products: F64, heads: F32
) -> None:
    """Correlate the new rows of a group with themselves and the seven before; write pair sums to the next level."""
    at, past = (plane * GROUPS + g) * _ROWS + _PAST, (other * GROUPS + g) * _ROWS
    to = ((level + 1) * GROUPS + g) * _ROWS + _PAST + above * LANES
    sums = (level * GROUPS + g) * _LAGS
    if chunk == 0:
        for i in range(0, _PAST, LANES):
            store(heads, (level * GROUPS + g) * _PAST + i, load(buffer, at + i))
    if level == 0:
        _all_lags(buffer, at, new, to, products, sums)
    else:
        _upper_lags(buffer, at, new, to, products, sums)
    for i in range(0, _PAST, LANES):
        store(buffer, past + i, load(buffer, at - _PAST + new * LANES + i))


@compiled(inline=True)
def _all_lags(buffer: F32, at: int, new: int, above: int, products: F64, sums: int) -> None:
    """Add the products of `new` rows with those 0 to 7 rows before, four rows at a time."""
    p0 = p1 = p2 = p3 = p4 = p5 = p6 = p7 = splat(0.0)
    for r in range(0, new - 3, 4):
        k = at + r * LANES
        h7, h6, h5 = load(buffer, k - 7 * LANES), load(buffer, k - 6 * LANES), load(buffer, k - 5 * LANES)
        h4, h3, h2 = load(buffer, k - 4 * LANES), load(buffer, k - 3 * LANES), load(buffer, k - 2 * LANES)
        h1 = load(buffer, k - LANES)
        x0, x1 = load(buffer, k), load(buffer, k + LANES)
        x2, x3 = load(buffer, k + 2 * LANES), load(buffer, k + 3 * LANES)
        store(buffer, above + r // 2 * LANES, x0 + x1)
        store(buffer, above + (r // 2 + 1) * LANES, x2 + x3)
        p0, p1, p2, p3 = fma(x0, x0, p0), fma(x0, h1, p1), fma(x0, h2, p2), fma(x0, h3, p3)
        p4, p5, p6, p7 = fma(x0, h4, p4), fma(x0, h5, p5), fma(x0, h6, p6), fma(x0, h7, p7)
        p0, p1, p2, p3 = fma(x1, x1, p0), fma(x1, x0, p1), fma(x1, h1, p2), fma(x1, h2, p3)
        p4, p5, p6, p7 = fma(x1, h3, p4), fma(x1, h4, p5), fma(x1, h5, p6), fma(x1, h6, p7)
        p0, p1, p2, p3 = fma(x2, x2, p0), fma(x2, x1, p1), fma(x2, x0, p2), fma(x2, h1, p3)
        p4, p5, p6, p7 = fma(x2, h2, p4), fma(x2, h3, p5), fma(x2, h4, p6), fma(x2, h5, p7)
        p0, p1, p2, p3 = fma(x3, x3, p0), fma(x3, x2, p1), fma(x3, x1, p2), fma(x3, x0, p3)
        p4, p5, p6, p7 = fma(x3, h1, p4), fma(x3, h2, p5), fma(x3, h3, p6), fma(x3, h4, p7)
    accumulate(products, sums, p0)
    accumulate(products, sums + LANES, p1)
    accumulate(products, sums + 2 * LANES, p2)
    accumulate(products, sums + 3 * LANES, p3)
    accumulate(products, sums + 4 * LANES, p4)
    accumulate(products, sums + 5 * LANES, p5)
    accumulate(products, sums + 6 * LANES, p6)
    accumulate(products, sums + 7 * LANES, p7)
    _odd_rows(buffer, at, new, above, 0, products, sums)


@compiled(inline=True)
def _upper_lags(buffer: F32, at: int, new: int, above: int, products: F64, sums: int) -> None:
    """Add the products of `new` rows with those 4 to 7 rows before, four rows at a time."""
    p4 = p5 = p6 = p7 = splat(0.0)
    q4 = q5 = q6 = q7 = splat(0.0)  # twice as many sums: an addition waits for the previous addition
    for r in range(0, new - 3, 4):
        k = at + r * LANES
        h7, h6, h5 = load(buffer, k - 7 * LANES), load(buffer, k - 6 * LANES), load(buffer, k - 5 * LANES)
        h4, h3, h2 = load(buffer, k - 4 * LANES), load(buffer, k - 3 * LANES), load(buffer, k - 2 * LANES)
        h1 = load(buffer, k - LANES)
        x0, x1 = load(buffer, k), load(buffer, k + LANES)
        x2, x3 = load(buffer, k + 2 * LANES), load(buffer, k + 3 * LANES)
        store(buffer, above + r // 2 * LANES, x0 + x1)
        store(buffer, above + (r // 2 + 1) * LANES, x2 + x3)
        p4, p5, p6, p7 = fma(x0, h4, p4), fma(x0, h5, p5), fma(x0, h6, p6), fma(x0, h7, p7)
        q4, q5, q6, q7 = fma(x1, h3, q4), fma(x1, h4, q5), fma(x1, h5, q6), fma(x1, h6, q7)
        p4, p5, p6, p7 = fma(x2, h2, p4), fma(x2, h3, p5), fma(x2, h4, p6), fma(x2, h5, p7)
        q4, q5, q6, q7 = fma(x3, h1, q4), fma(x3, h2, q5), fma(x3, h3, q6), fma(x3, h4, q7)
    accumulate(products, sums + 4 * LANES, p4 + q4)
    accumulate(products, sums + 5 * LANES, p5 + q5)
    accumulate(products, sums + 6 * LANES, p6 + q6)
    accumulate(products, sums + 7 * LANES, p7 + q7)
    _odd_rows(buffer, at, new, above, CHANNELS // 2, products, sums)


@compiled(inline=True)
def _odd_rows(buffer: F32, at: int, new: int, above: int, least: int, products: F64, sums: int) -> None:
    """Do the same for the last rows, fewer than four, at the end of the series."""
    for r in range(new // 4 * 4, new):
        for lag in range(least, CHANNELS):
            now, then = load(buffer, at + r * LANES), load(buffer, at + (r - lag) * LANES)
            accumulate(products, sums + lag * LANES, now * then)
        if r % 2:
            pair = load(buffer, at + (r - 1) * LANES) + load(buffer, at + r * LANES)
            store(buffer, above + r // 2 * LANES, pair)


@compiled()
def _sum_rows(plane: int, groups: int, new: int, buffer: F32, totals: F64) -> None:
    """Add the new rows of the highest level to the sum of its rows."""
    for g in range(groups):
        for r in range(new):
            at = (plane * GROUPS + g) * _ROWS + _PAST + r * LANES
            for lane in range(LANES):
                totals[g * LANES + lane] += buffer[at + lane]


@compiled()
def _reduce(rows: I64, rings: Any, plane: int, buffer: F32, products: F64, heads: F32, totals: F64, lanes: F64) -> None:
    """Add a tile to the sums of its rings: f64[rings + 1, slots, 4]."""
    levels, past = rows.size, CHANNELS - 1
    chosen = np.empty(LANES, np.float64)
    for g in range(rings.shape[0]):
        for lane in range(LANES):
            ring = rings[g, lane]
            if ring == 0 or (lane > 0 and _seen(rings, g, lane)):
                continue
            for other in range(LANES):
                chosen[other] = 1.0 if rings[g, other] == ring else 0.0
            sums = lanes[ring]
            for level in range(levels):
                for lag in range(CHANNELS // 2 if level else 0, CHANNELS):
                    _fold(products, (level * GROUPS + g) * _LAGS + lag * LANES, chosen, sums, level * CHANNELS + lag)
            slot = levels * CHANNELS
            for level in range(levels):
                for row in range(past):
                    _fold(heads, (level * GROUPS + g) * _PAST + row * LANES, chosen, sums, slot)
                    slot += 1
            for level in range(levels):
                place = level if level else plane
                for row in range(past):  # the last one first
                    _fold(buffer, (place * GROUPS + g) * _ROWS + (past - 1 - row) * LANES, chosen, sums, slot)
                    slot += 1
            _fold(totals, g * LANES, chosen, sums, slot)


@compiled(inline=True)
def _seen(rings: Any, g: int, lane: int) -> bool:
    """Return whether an earlier pixel of the group has the same ring."""
    found = False
    for before in range(lane):
        found |= rings[g, before] == rings[g, lane]
    return found


@compiled(inline=True)
def _fold(numbers: Any, at: int, chosen: F64, sums: F64, slot: int) -> None:
    """Add the chosen numbers of sixteen to four sums."""
    for i in range(_FOLD):
        some = chosen[i] * numbers[at + i] + chosen[i + 4] * numbers[at + i + 4]
        sums[slot, i] += some + chosen[i + 8] * numbers[at + i + 8] + chosen[i + 12] * numbers[at + i + 12]
