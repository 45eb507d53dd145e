"""One pass over each frame in bands of rows, with running sums of columns; spots from the list of strong pixels.

A window's count m, sum x and sum of squares y follow from running sums of seven rows for each column, kept in the
first-level cache. The second inequality of the definition needs only m and x. In the form ``b |b| > nsig_s² m x`` it
is evaluated without root or division for sixteen pixels at once, in single precision and slightly too generously. The
few pixels that pass (0.4 % of Poisson noise, 4 % where counts are rare) are decided by the definition itself in double
precision; if a running sum cannot hold the counts of the window, from its 49 pixels. The strong pixels are listed in
the order of their rows. A second pointer into the same list finds the preceding neighbours of a pixel, so that
union-find accesses only this list.

Little is written: the operating system provides the mask zeroed, so that pages without a strong pixel are never
accessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from daasbench.authoring import Resources
from daasbench.compute.simd import Threads, compiled

from .definition import COUNTED_BELOW, REACH, WINDOW, FoundSpots

if TYPE_CHECKING:
    from .problem import Problem

Array = Any

BAND_ROWS = 240  # a band starts with 6 rows of its neighbour
ROOM = 8  # the list of a band has space for one strong pixel in so many; if there are more, all is repeated with 1
CAPPED = 1 << 25  # larger counts certainly pass; 49 times as many still fit into 32 bits
SHIFT = 6  # a column sum holds counts and, in its low bits, the number of pixels: 49 is less than 2**6
CLIPPED = (1 << 20) - 1  # 49 times as many fit into the other bits; a sum that is too small only lets more pixels pass
SQUARED_UP_TO = 6600  # counts; 49 times its square fits into 32 bits
EVIDENT = SQUARED_UP_TO**2
GENEROUS = 1 - 1e-5  # single precision is good to 3e-7 here
DISPERSION, THRESHOLD = 0, 1


def prepare(problem: Problem, resources: Resources) -> Callable[[Array], FoundSpots]:
    """Return the function that finds the spots in a block of frames."""
    share = Threads(resources.threads)
    valid = np.ascontiguousarray(~problem.mask).view(np.uint8)
    criteria = problem.criteria
    method = THRESHOLD if criteria.method == "threshold" else DISPERSION
    limits = (method, criteria.nsig_b, criteria.nsig_s, criteria.min_count, criteria.threshold)
    sizes = (criteria.min_pixels, criteria.max_pixels)
    rooms = [ROOM]

    def compute(frames: Array) -> FoundSpots:
        mask = np.zeros(frames.shape, np.uint8)
        bands = -(-frames.shape[1] // BAND_ROWS)
        while True:
            room = BAND_ROWS * frames.shape[2] // rooms[-1] + 1
            strong = np.empty((frames.shape[0], bands, room), np.int32)  # only used pages are accessed
            counts = np.zeros((frames.shape[0], bands), np.int64)
            share(_find, counts.size, frames, valid, limits, mask, strong, counts)
            if counts.max() <= room:
                break
            rooms.append(1)
        totals = counts.sum(axis=1)
        starts = np.concatenate([[0], np.cumsum(totals)])
        whole = int(starts[-1])
        y, x = np.empty(whole), np.empty(whole)
        intensity, pixels = np.empty(whole, np.int64), np.empty(whole, np.int32)
        spots = np.zeros(frames.shape[0], np.int32)
        share(_join, len(frames), frames, strong, counts, starts, sizes, spots, y, x, intensity, pixels)
        kept = np.concatenate([np.arange(start, start + n) for start, n in zip(starts, spots, strict=False)])
        return FoundSpots(mask=mask, spots=spots, y=y[kept], x=x[kept], intensity=intensity[kept], pixels=pixels[kept])

    return compute


@compiled()
def _find(
    first_task: int, end: int, frames: Array, valid: Array, limits: Array, mask: Array, strong: Array, counts: Array
) -> None:
    """Mark the strong pixels of some bands of frames in `mask`, list those of each in `strong`, and count them."""
    ny = frames.shape[1]
    bands = counts.shape[1]
    for task in range(first_task, end):
        frame, band = task // bands, task % bands
        first, last = band * BAND_ROWS, min(band * BAND_ROWS + BAND_ROWS, ny)
        if limits[0] == THRESHOLD:
            found = _band_above(frames[frame], valid, limits[4], first, last, mask[frame], strong[frame, band])
        else:
            found = _band_dispersed(frames[frame], valid, limits, first, last, mask[frame], strong[frame, band])
        counts[frame, band] = found


@compiled()
def _band_above(frame: Array, valid: Array, threshold: int, first: int, last: int, mask: Array, strong: Array) -> int:
    found, nx = 0, frame.shape[1]
    for row in range(first, last):
        for i in range(nx):
            if frame[row, i] > threshold and frame[row, i] >= 0 and valid[row, i]:
                mask[row, i] = 1
                if found < strong.size:
                    strong[found] = row * nx + i
                found += 1
    return found


@compiled()
def _band_dispersed(
    frame: Array, valid: Array, limits: Array, first: int, last: int, mask: Array, strong: Array
) -> int:
    ny, nx = frame.shape
    sums = np.zeros(nx + 2 * REACH, np.uint32)  # of seven rows, for each column; with a margin of zeros on both sides
    squares = np.zeros(nx + 2 * REACH, np.uint32)
    passed = np.zeros((nx + 63) // 64 * 64, np.uint8)
    eight = passed.view(np.uint64)
    factor = np.float32(limits[2] * limits[2] * GENEROUS)
    found = 0
    for row in range(max(first - REACH, 0), min(first + REACH, ny)):
        _add_row(frame[row], valid[row], sums, squares)
    for row in range(first, last):
        new, old = row + REACH, row - REACH - 1
        enters, leaves = new < ny, row > first and old >= 0
        if enters and leaves:
            _exchange_rows(frame[new], valid[new], frame[old], valid[old], sums, squares)
        elif enters:
            _add_row(frame[new], valid[new], sums, squares)
        elif leaves:
            _exchange_rows(frame[old], np.zeros(nx, np.uint8), frame[old], valid[old], sums, squares)
        _sift(frame[row], valid[row], sums, factor, passed)
        for chunk in range(0, eight.size, 8):
            if not _any_of_eight(eight, chunk):
                continue
            for word in range(chunk, chunk + 8):
                rest = eight[word]
                while rest:  # its bytes are 0 or 1
                    i = 8 * word + (trailing_zeros(rest) >> 3)
                    rest &= rest - np.uint64(1)
                    if _is_strong(frame, valid, row, i, sums, squares, limits):
                        mask[row, i] = 1
                        if found < strong.size:
                            strong[found] = row * nx + i
                        found += 1
    return found


@compiled(inline=True)
def _packed(value: Any, valid: Any) -> Any:
    """Return counts and, in the low 6 bits, that it is one pixel; 0 for a pixel that is not counted."""
    counts = np.uint32(value)
    unit = np.uint32(np.uint32(min(counts, np.uint32(CLIPPED)) << np.uint32(SHIFT)) + np.uint32(1))
    return unit if (valid != 0) & (counts < np.uint32(COUNTED_BELOW)) else np.uint32(0)


@compiled(inline=True)
def _squared(value: Any, valid: Any) -> Any:
    """Return counts squared, or EVIDENT where they are too many; 0 for a pixel that is not counted."""
    counts = np.uint32(value)
    few = np.uint32(min(counts, np.uint32(SQUARED_UP_TO)))
    return np.uint32(few * few) if (valid != 0) & (counts < np.uint32(COUNTED_BELOW)) else np.uint32(0)


@compiled()
def _add_row(values: Array, valid: Array, sums: Array, squares: Array) -> None:
    for i in range(values.size):
        sums[i + REACH] += _packed(values[i], valid[i])
        squares[i + REACH] += _squared(values[i], valid[i])


@compiled()
def _exchange_rows(new: Array, new_valid: Array, old: Array, old_valid: Array, sums: Array, squares: Array) -> None:
    for i in range(new.size):
        sums[i + REACH] += np.uint32(_packed(new[i], new_valid[i]) - _packed(old[i], old_valid[i]))
        squares[i + REACH] += np.uint32(_squared(new[i], new_valid[i]) - _squared(old[i], old_valid[i]))


@compiled()
def _sift(values: Array, valid: Array, s: Array, factor: Any, passed: Array) -> None:
    """Write 1 where a pixel may exceed the mean of its window."""
    for i in range(values.size):
        window = np.uint32(s[i] + s[i + 1] + s[i + 2] + s[i + 3] + s[i + 4] + s[i + 5] + s[i + 6])
        x, m = np.int32(window >> np.uint32(SHIFT)), np.int32(window & np.uint32(63))
        above = np.float32(np.int32(m * min(values[i], np.int32(CAPPED)) - x))
        enough = factor * np.float32(np.int32(m)) * np.float32(x)
        passed[i] = np.uint8((above > np.float32(0)) & (above * above > enough) & (valid[i] != 0))


@compiled(inline=True)
def _any_of_eight(words: Array, k: int) -> Any:
    low = words[k] | words[k + 1] | words[k + 2] | words[k + 3]
    return (low | words[k + 4] | words[k + 5] | words[k + 6] | words[k + 7]) != 0


@compiled()
def _is_strong(frame: Array, valid: Array, row: int, column: int, sums: Array, squares: Array, limits: Array) -> Any:
    """Return whether the definition holds at a pixel that is data."""
    _, nsig_b, nsig_s, min_count, threshold = limits
    m = x = y = np.int64(0)
    for i in range(column, column + WINDOW):
        m += np.int64(sums[i] & np.uint32(63))
        x += np.int64(sums[i] >> np.uint32(SHIFT))
        y += np.int64(squares[i])
    if y >= EVIDENT:  # a sum may have been cut
        m, x, y = _whole_window(frame, valid, row, column)
    m_, x_, y_ = np.float64(m), np.float64(x), np.float64(y)
    value = np.float64(frame[row, column])
    dispersed = m_ * y_ - x_ * x_ - x_ * (m_ - 1) > x_ * nsig_b * np.sqrt(2 * (m_ - 1))
    stands_out = m_ * value - x_ > nsig_s * np.sqrt(x_ * m_)
    return m >= min_count and value > threshold and dispersed and stands_out


@compiled()
def _whole_window(frame: Array, valid: Array, row: int, column: int) -> tuple[Any, Any, Any]:
    """Return count, sum and sum of squares of the counted pixels."""
    m = x = y = np.int64(0)
    for j in range(max(row - REACH, 0), min(row + REACH + 1, frame.shape[0])):
        for i in range(max(column - REACH, 0), min(column + REACH + 1, frame.shape[1])):
            counted = (valid[j, i] != 0) & (np.uint32(frame[j, i]) < np.uint32(COUNTED_BELOW))
            v = np.int64(frame[j, i]) if counted else np.int64(0)
            m += counted
            x += v
            y += v * v
    return m, x, y


@compiled()
def _join(
    first: int, end: int, frames: Array, strong: Array, counts: Array, starts: Array, sizes: Array, spots: Array,
    y: Array, x: Array, intensity: Array, pixels: Array,
) -> None:  # fmt: skip
    """Write the spots of some frames from their `starts` on."""
    for frame in range(first, end):
        total, nx = starts[frame + 1] - starts[frame], frames.shape[2]
        here = np.empty(total, np.int32)
        filled = 0
        for band in range(counts.shape[1]):
            for k in range(counts[frame, band]):
                here[filled] = strong[frame, band, k]
                filled += 1
        parent = np.empty(total, np.int32)
        for k in range(total):
            parent[k] = k
        _link(here, nx, parent)
        part = slice(starts[frame], starts[frame + 1])
        spots[frame] = _sum_up(frames[frame], here, parent, sizes, y[part], x[part], intensity[part], pixels[part])


@compiled()
def _root(parent: Array, k: int) -> int:
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@compiled()
def _link(here: Array, nx: int, parent: Array) -> None:
    """Join each pixel with its neighbours before it: left, and the three above; the first pixel becomes the root."""
    above = 0
    for k in range(here.size):
        pixel = here[k]
        column = pixel % nx
        low = pixel - nx - (1 if column > 0 else 0)
        high = pixel - nx + (1 if column < nx - 1 else 0)
        if k and column and here[k - 1] == pixel - 1:
            _unite(parent, k - 1, k)
        while here[above] < low:
            above += 1
        other = above
        while here[other] <= high:
            _unite(parent, other, k)
            other += 1


@compiled()
def _unite(parent: Array, one: int, other: int) -> None:
    one, other = _root(parent, one), _root(parent, other)
    parent[max(one, other)] = min(one, other)


@compiled()
def _sum_up(
    frame: Array, here: Array, parent: Array, sizes: Array, y: Array, x: Array, intensity: Array, pixels: Array
) -> int:
    """Write the spots of one frame; return how many there are."""
    nx, total = frame.shape[1], here.size
    number = np.empty(total, np.int32)
    weighted_y, weighted_x = np.zeros(total, np.int64), np.zeros(total, np.int64)
    spots = 0
    for k in range(total):
        root = _root(parent, k)
        if root == k:
            number[k] = spots
            intensity[spots] = pixels[spots] = 0
            spots += 1
        spot, row, column = number[root], here[k] // nx, here[k] % nx
        value = np.int64(frame[row, column])
        intensity[spot] += value
        weighted_y[spot] += value * row
        weighted_x[spot] += value * column
        pixels[spot] += 1
    kept = 0
    for spot in range(spots):
        if sizes[0] <= pixels[spot] <= sizes[1]:
            y[kept] = weighted_y[spot] / intensity[spot]
            x[kept] = weighted_x[spot] / intensity[spot]
            intensity[kept], pixels[kept] = intensity[spot], pixels[spot]
            kept += 1
    return kept
