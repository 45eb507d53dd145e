"""Products with sparse columns, then sixteen pixels at a time, one per lane (``daasbench.compute.simd``).

*Products.* The pseudo-inverse is ``(A^T A)^-1 A^T``, and a column of A has a few narrow lines. The product with A,
only where its columns are not zero, and then with the small inverse takes a quarter of the operations of the whole
pseudo-inverse. In float32 this is equally exact if the columns are far from dependent; otherwise the whole
pseudo-inverse is used. Counts are converted to float32 in a buffer of four spectra that stays in the first-level
cache; only the counts are read from memory, once.

*SNIP* works on that buffer: each pass reads one copy and writes the other, sixteen channels at a time.

*NNLS* starts from the clipped solution without the condition, and continues by coordinate descent on sixteen pixels
until no pixel changes; for most pixels the start is already the solution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources
from daasbench.compute.simd import LANES, aligned_zeros, compiled, fma, larger, load, smaller, splat, store, total

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_GROUP = 4  # spectra whose products are summed together
_PIXELS = 64  # spectra per task
_SWEEPS, _ACCURACY = 5000, 2e-7  # of coordinate descent; relative to the largest area of sixteen pixels
_NOTHING = 1e-9  # of the largest value of a column, below which it counts as zero
_BROAD = 0.5  # share of the channels from which on a column is treated as broad
_DEPENDENT = 30.0  # condition of the products' matrix from which on the whole pseudo-inverse is used


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], F32]:
    """Return the function that turns spectra into areas."""
    numba.set_num_threads(resources.threads)
    model = problem.model
    components = len(model.names)
    sweeps = _SWEEPS if problem.method == "nnls" else 0
    passes = problem.snip_width if problem.method == "snip" else 0
    rows, solve = _factors(model.matrix / model.norms)
    padded, support = _padded(rows), _support(rows)
    factors, gram, norms = (
        np.ascontiguousarray(table, np.float32).reshape(-1) for table in (solve, model.gram, model.norms)
    )
    flat = padded.reshape(-1)

    def compute(spectra: Any) -> F32:
        areas = np.empty((len(spectra), components), np.float32)
        _fit(spectra, model.first, model.last, passes, flat, support, factors, gram, norms, sweeps, areas)
        return areas

    return compute


def background_of(spectra: Any, width: int) -> F32:
    """Return f32[pixels, channels]: the SNIP background alone, by the passes that the fit uses."""
    background = np.empty(spectra.shape, np.float32)
    _backgrounds(spectra, width, background)
    return background


def _factors(matrix: F64) -> tuple[F64, F64]:
    """Return rows f64[components, channels] and a small matrix whose product is the pseudo-inverse.

    The rows are the narrow columns, and an orthonormal basis of the broad columns, which are almost dependent.
    """
    ends = _support(matrix.T)
    broad = ends[:, 1] - ends[:, 0] > _BROAD * len(matrix)
    rows = matrix.T.copy()
    rows[broad] = np.linalg.qr(matrix[:, broad])[0].T
    inverse = np.asarray(np.linalg.pinv(matrix), np.float64)
    if np.linalg.cond(rows) ** 2 > _DEPENDENT:
        return inverse, np.eye(len(rows))
    return rows, np.asarray(inverse @ np.linalg.pinv(rows), np.float64)


def _padded(rows: F64) -> F32:
    """Return f32[components, channels], filled up with zeros to whole vectors."""
    components, channels = rows.shape
    padded: F32 = aligned_zeros((components, -(-channels // LANES) * LANES))
    padded[:, :channels] = rows
    return padded


def _support(rows: F64) -> NDArray[np.int64]:
    """Return i64[components, 2]: the channels, in whole vectors, outside of which a row is zero."""
    ends = []
    for row in np.abs(rows):
        inside = np.flatnonzero(row > _NOTHING * row.max())
        ends.append((inside[0] // LANES * LANES, -(-(inside[-1] + 1) // LANES) * LANES))
    return np.array(ends, np.int64)


@compiled(parallel=True)
def _fit(
    spectra: Any, first: int, last: int, passes: int, rows: F32, support: Any,
    solve: F32, gram: F32, norms: F32, sweeps: int, areas: F32,
) -> None:  # fmt: skip
    """Write the areas of all spectra; SNIP if there are `passes`, NNLS if there are `sweeps`."""
    pixels, components = areas.shape
    width = (last - first + LANES - 1) // LANES * LANES
    for task in numba.prange((pixels + _PIXELS - 1) // _PIXELS):
        counts = np.zeros(_GROUP * width, np.float32)
        work = np.zeros(2 * width, np.float32)
        products = np.zeros(components * LANES, np.float32)
        x = np.zeros(components * LANES, np.float32)
        end = min(pixels, (task + 1) * _PIXELS)
        for pixel in range(task * _PIXELS, end, LANES):
            count = min(LANES, end - pixel)
            for p in range(count):
                part = counts[p % _GROUP * width : p % _GROUP * width + last - first]
                _copy(spectra[pixel + p, first:last], part)
                if passes > 0:
                    _subtract_background(part, passes, work)
                if p % _GROUP == _GROUP - 1 or p == count - 1:
                    _multiply(counts, width, rows, support, products, p // _GROUP * _GROUP)
            _combine(products, solve, x, components)
            if sweeps > 0:
                _combine(x, gram, products, components)  # with the columns themselves
                _descend(products, gram, x, components, sweeps)
            for p in range(count):
                for k in range(components):
                    areas[pixel + p, k] = x[k * LANES + p] / norms[k]


@compiled()
def _multiply(counts: F32, width: int, rows: F32, support: Any, products: F32, lane: int) -> None:
    """Write the products of four spectra with all rows into four lanes of f32[components, 16]."""
    for k in range(support.shape[0]):
        a = b = c = d = splat(0.0)
        for channel in range(support[k, 0], support[k, 1], LANES):
            row = load(rows, k * width + channel)
            a = fma(row, load(counts, channel), a)
            b = fma(row, load(counts, width + channel), b)
            c = fma(row, load(counts, 2 * width + channel), c)
            d = fma(row, load(counts, 3 * width + channel), d)
        place = k * LANES + lane
        products[place] = total(a)
        products[place + 1] = total(b)
        products[place + 2] = total(c)
        products[place + 3] = total(d)


@compiled()
def _combine(numbers: F32, matrix: F32, into: F32, components: int) -> None:
    """Write ``matrix @ numbers``, of f32[components, components] and f32[components, 16]."""
    for k in range(components):
        value = splat(0.0)
        for j in range(components):
            value = fma(splat(matrix[k * components + j]), load(numbers, j * LANES), value)
        store(into, k * LANES, value)


@compiled(inline=True)
def _copy(numbers: Any, into: F32) -> None:
    """Copy and convert; for slices LLVM vectorises this loop, which starts from zero."""
    for c in range(numbers.size):
        into[c] = numbers[c]


@compiled()
def _subtract_background(counts: F32, passes: int, work: F32) -> None:
    """Subtract the SNIP background from one spectrum."""
    channels = counts.size
    _copy(counts, work[:channels])
    final = _snip(work, work.size // 2, channels, passes)
    background = work[final : final + channels]
    for c in range(channels):
        counts[c] -= background[c]


@compiled()
def _snip(work: F32, width: int, channels: int, passes: int) -> int:
    """Return the row of the background in `work`, f32[2, width], whose first row is the spectrum."""
    before, after = 0, width
    for p in range(passes, 0, -1):
        for c in range(p):
            work[after + c] = work[before + c]
            work[after + channels - 1 - c] = work[before + channels - 1 - c]
        end = channels - p
        if end - p >= LANES:
            _smooth(work, before, after, p, p)  # overlaps the first aligned vector
            for c in range((p + LANES - 1) // LANES * LANES, end - LANES, LANES):
                _smooth(work, before, after, c, p)
            _smooth(work, before, after, end - LANES, p)  # overlaps the last
        else:
            for c in range(p, end):
                mean_ = np.float32(0.5) * (work[before + c - p] + work[before + c + p])
                work[after + c] = min(work[before + c], mean_)
        before, after = after, before
    return before


@compiled(inline=True)
def _smooth(work: F32, before: int, after: int, c: int, p: int) -> None:
    mean = splat(0.5) * (load(work, before + c - p) + load(work, before + c + p))
    store(work, after + c, smaller(load(work, before + c), mean))


@compiled(parallel=True)
def _backgrounds(spectra: Any, passes: int, background: F32) -> None:
    pixels, channels = spectra.shape
    width = (channels + LANES - 1) // LANES * LANES
    for pixel in numba.prange(pixels):
        work = np.zeros(2 * width, np.float32)
        _copy(spectra[pixel], work[:channels])
        final = _snip(work, width, channels, passes)
        _copy(work[final : final + channels], background[pixel])


@compiled()
def _descend(products: F32, gram: F32, x: F32, components: int, sweeps: int) -> None:
    """Replace the solutions x f32[components, 16] by the non-negative solutions."""
    zero, minus = splat(0.0), splat(-1.0)
    largest = zero
    moved = np.empty(LANES, np.float32)
    for k in range(components):
        value = larger(load(x, k * LANES), zero)
        largest = larger(largest, value)
        store(x, k * LANES, value)
    still = splat(_ACCURACY) * largest
    for _ in range(sweeps):
        furthest = zero
        for k in range(components):
            even, odd = load(products, k * LANES), zero
            row = k * components
            for j in range(0, components - 1, 2):
                even = fma(splat(-gram[row + j]), load(x, j * LANES), even)
                odd = fma(splat(-gram[row + j + 1]), load(x, (j + 1) * LANES), odd)
            if components % 2 == 1:
                odd = fma(splat(-gram[row + components - 1]), load(x, (components - 1) * LANES), odd)
            old = load(x, k * LANES)
            new = larger(old + (even + odd), zero)
            store(x, k * LANES, new)
            step = new - old
            furthest = larger(furthest, larger(step, minus * step))
        store(moved, 0, furthest - still)
        if not moved.max() > 0:
            break
