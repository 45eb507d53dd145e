"""Sixteen positions at a time: their volumes lie interleaved, and a pixel is one addition of sixteen counts.

All positions share the table of voxels, so it is read once for sixteen. Only voxels that a pixel falls into have a
slot ``[slot, 16 positions]``; masked pixels go to one more that is never looked at. Sums are integers, and exact.
Waves of batches are shared between threads; where there are fewer batches than threads, several threads share
the pixels of a batch, each with sums of its own.

A fit is one pass over a projection a step, with an exponential function that the compiler can vectorise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from daasbench.contracts import Resources
from daasbench.simd import aligned_zeros, compiled

from . import gaussian
from .grid import NOWHERE, Grid
from .results import Analysed, Fitted, Gridded
from .with_llvm import LANES, add_counts, power_of_two, take_means, take_planes

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]
Counts = NDArray[Any]

# numba's own types do not say what it takes and returns
_njit: Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]] = numba.njit
_FREE = {"reassoc", "contract", "nsz", "arcp"}  # sums in any order; but NaN is NaN


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:
    """Return the function of the problem's stage."""
    numba.set_num_threads(resources.threads)
    grid = problem.grid
    if problem.stage == "fits":
        return lambda projections: Fitted(gaussians=_fits(grid, projections))
    tables = _tables(grid)
    sums = aligned_zeros((resources.threads, tables.slots * LANES), np.uint32)

    def waves(frames: Counts) -> Iterator[slice]:
        """Yield the positions whose sums are ready, one batch a thread."""
        flat = frames.reshape(-1)
        batches = -(-len(frames) // LANES)
        for first in range(0, batches, len(sums)):
            here = min(len(sums), batches - first)
            _scatter_wave(flat, len(frames), first, here, tables.slot_of_pixel, sums)
            yield slice(first * LANES, min(len(frames), (first + here) * LANES))

    kept: dict[int, F32] = {}  # fresh memory for the volumes would cost more than to compute them

    def gridding(frames: Counts) -> Gridded:
        volumes = kept.setdefault(len(frames), np.empty((len(frames), grid.voxels), np.float32))
        photons = np.empty(len(frames), np.int64)
        for part in waves(frames):
            _write_volumes(sums, tables.slot_of_voxel, tables.voxel_hits, volumes[part], photons[part])
        return Gridded(volumes=volumes.reshape(-1, *grid.shape), photons=photons)

    def everything(frames: Counts) -> Analysed:
        photons, brightest = np.zeros(len(frames), np.int64), np.zeros(len(frames), np.float32)
        projections = np.zeros((len(frames), grid.bins), np.float32)
        planes, hits, plane_hits = tables.planes, tables.slot_hits, tables.plane_hits
        for part in waves(frames):
            results = photons[part], brightest[part], projections[part]
            _write_planes(sums, planes, hits, plane_hits, grid.shape[0], *results)
        gaussians = _fits(grid, projections)
        return Analysed(photons=photons, brightest=brightest, projections=projections, gaussians=gaussians)

    return gridding if problem.stage == "gridding" else everything


class _Tables(NamedTuple):
    """What the compiled loops look up; sixteen sums a slot, one slot a voxel that is hit."""

    slots: int  # and two more: one that masked pixels are added to, one that voxels without pixels are read from
    slot_of_pixel: I32
    slot_of_voxel: I32
    voxel_hits: F32  # at least 1
    slot_hits: F32
    planes: I32  # three a slot
    plane_hits: I64  # at least 1


def _tables(grid: Grid) -> _Tables:
    voxels = np.flatnonzero(grid.hits)
    masked, empty = voxels.size, voxels.size + 1
    slot_of = np.full(grid.voxels + 1, empty, np.int32)
    slot_of[voxels] = np.arange(voxels.size)
    slot_of[NOWHERE] = masked  # -1: the last
    planes = np.stack(np.unravel_index(voxels, grid.shape), axis=1) + np.array(grid.starts)
    return _Tables(
        slots=voxels.size + 2,
        slot_of_pixel=slot_of[grid.voxel_of],
        slot_of_voxel=slot_of[:-1],
        voxel_hits=np.maximum(grid.hits, 1).astype(np.float32),
        slot_hits=grid.hits[voxels].astype(np.float32),
        planes=planes.astype(np.int32).ravel(),
        plane_hits=np.maximum(grid.plane_hits(), 1),
    )


def _fits(grid: Grid, projections: F32) -> F64:
    """Return f64[positions, 3, 3]."""
    fitted = np.full((len(projections), 3, 3), np.nan)
    _fit_all(np.ascontiguousarray(projections), np.array([*grid.starts, grid.bins]), fitted)
    return gaussian.in_units(fitted, grid.first, grid.step)


@compiled()
def _scatter(frames: Counts, first: int, lanes: int, slots: I32, part: int, parts: int, sums: U32) -> None:
    """Add part `part` of `parts` of the pixels of up to sixteen positions to their sums."""
    stride, whole = slots.size, slots.size // LANES
    for group in range(whole * part // parts, whole * (part + 1) // parts):
        add_counts(frames, first, stride, lanes, slots, group * LANES, sums)
    if part == parts - 1:
        for pixel in range(whole * LANES, stride):
            for lane in range(LANES):
                sums[slots[pixel] * LANES + lane] += frames[first + min(lane, lanes - 1) * stride + pixel]


@compiled(parallel=True)
def _scatter_wave(frames: Counts, positions: int, first_batch: int, batches: int, slots: I32, sums: U32) -> None:
    """Add the frames of `batches` batches, at most one a thread, to the sums of the first as many threads."""
    parts = sums.shape[0] // batches
    for task in numba.prange(batches * parts):
        batch, part = task % batches, task // batches
        position = (first_batch + batch) * LANES
        lanes = min(LANES, positions - position)
        _scatter(frames, position * slots.size, lanes, slots, part, parts, sums[task])
    if parts > 1:
        for batch in numba.prange(batches):
            for part in range(1, parts):
                for at in range(sums.shape[1]):
                    sums[batch, at] += sums[batch + part * batches, at]
                    sums[batch + part * batches, at] = 0


@compiled(parallel=True)
def _write_volumes(sums: U32, slot_of: I32, hits: F32, volumes: F32, photons: I64) -> None:
    """Write the volumes f32[positions, voxels] of a wave and their photons, and clear its sums."""
    positions, voxels = volumes.shape
    for batch in numba.prange((positions + LANES - 1) // LANES):
        lanes, mine = min(LANES, positions - batch * LANES), sums[batch]
        flat, first = volumes.reshape(-1), batch * LANES * voxels
        totals = np.zeros(LANES, np.uint32)
        whole = voxels // LANES * LANES
        for voxel in range(0, whole, LANES):
            take_means(mine, slot_of, hits, voxel, totals, flat, first, voxels, lanes)
        for voxel in range(whole, voxels):
            at = slot_of[voxel] * LANES
            for lane in range(LANES):
                totals[lane] += mine[at + lane]
                flat[first + min(lane, lanes - 1) * voxels + voxel] = np.float32(mine[at + lane]) / hits[voxel]
                mine[at + lane] = 0
        for lane in range(lanes):
            photons[batch * LANES + lane] = totals[lane]


@compiled(parallel=True)
def _write_planes(
    sums: U32, planes: I32, hits: F32, plane_hits: I64, along_x: int, photons: I64, brightest: F32, projections: F32
) -> None:
    """Write photons, brightest voxels and projections f32[positions, bins] of a wave, and clear its sums."""
    positions, bins = projections.shape
    for batch in numba.prange((positions + LANES - 1) // LANES):
        mine = sums[batch]
        totals, highest = np.zeros(bins * LANES, np.uint32), np.zeros(LANES, np.float32)
        for slot in range(hits.size):
            take_planes(mine, slot, planes, totals, hits, highest)
        for lane in range(min(LANES, positions - batch * LANES)):
            position = batch * LANES + lane
            brightest[position] = highest[lane]
            for at in range(bins):
                projections[position, at] = totals[at * LANES + lane] / plane_hits[at]
            for at in range(along_x):
                photons[position] += np.int64(totals[at * LANES + lane])


@_njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _exponential(x: float) -> Any:
    """Return exp(x) of x <= 0, to some 2e-16; 0 below -700."""
    x = max(x, -700.0)
    power = np.floor(x * 1.4426950408889634 + 0.5)
    t = (x - power * 0.693145751953125) - power * 1.4286068203094172e-06
    series = 1 / 479001600
    series = series * t + 1 / 39916800
    series = series * t + 1 / 3628800
    series = series * t + 1 / 362880
    series = series * t + 1 / 40320
    series = series * t + 1 / 5040
    series = series * t + 1 / 720
    series = series * t + 1 / 120
    series = series * t + 1 / 24
    series = series * t + 1 / 6
    series = series * t + 0.5
    series = series * t + 1
    return (series * t + 1) * power_of_two(np.int64(power))


@_njit(cache=True, nogil=True, error_model="numpy", fastmath=_FREE)
def _sums_of(projection: F32, height: float, centre: float, sigma: float) -> Any:
    """Return the sum of squared residuals, and what the normal equations are made of (`gaussian.py`)."""
    squares = m0 = m1 = m2 = m3 = m4 = r0 = r1 = r2 = 0.0
    inverse = 1 / sigma
    for i in range(projection.size):
        u = (i - centre) * inverse
        model = height * _exponential(-0.5 * u * u)
        residual = projection[i] - model
        weight, pull = model * model, model * residual
        squares += residual * residual
        m0 += weight
        m1 += weight * u
        m2 += weight * u * u
        m3 += weight * u * u * u
        m4 += weight * u * u * u * u
        r0 += pull
        r1 += pull * u
        r2 += pull * u * u
    return squares, m0, m1, m2, m3, m4, r0, r1, r2


@_njit(cache=True, nogil=True, error_model="numpy")
def _step_of(at: Any, damping: float) -> Any:
    """Return the relative step of height, centre and sigma: the damped normal equations, solved by Cramer's rule."""
    _, m0, m1, m2, m3, m4, r0, r1, r2 = at
    a, d, f, b, c, e = m0 * (1 + damping), m2 * (1 + damping), m4 * (1 + damping), m1, m2, m3
    one, two, three = d * f - e * e, c * e - b * f, b * e - c * d
    inverse = 1 / (a * one + b * two + c * three)
    return (
        (one * r0 + two * r1 + three * r2) * inverse,
        (two * r0 + (a * f - c * c) * r1 + (b * c - a * e) * r2) * inverse,
        (three * r0 + (b * c - a * e) * r1 + (a * d - b * b) * r2) * inverse,
    )


@compiled()
def _fit(projection: F32, fitted: F64) -> None:
    """Write height, centre and sigma in bins; leave them where there is no Gaussian."""
    bins, highest, area, centre = projection.size, 0.0, 0.0, 0.0
    for i in range(bins):
        area += projection[i]
        if projection[i] > highest:
            highest, centre = projection[i], i
    if bins < 3 or not highest > 0:
        return
    height, sigma, damping = highest, area * (bins - 1) / bins / (highest * gaussian.SQRT_2_PI), gaussian.FIRST_DAMPING
    at = _sums_of(projection, height, centre, sigma)
    for _ in range(gaussian.MOST_STEPS):
        by_height, by_centre, by_sigma = _step_of(at, damping)
        longest = max(abs(by_height), abs(by_centre), abs(by_sigma))
        if not longest < np.inf:
            return
        tried = (height + by_height * height, centre + by_centre * sigma, sigma + by_sigma * sigma)
        if longest < gaussian.CONVERGED and damping <= 1:
            if 0 <= tried[1] <= bins - 1 and abs(tried[2]) <= bins:
                fitted[0], fitted[1], fitted[2] = tried[0], tried[1], abs(tried[2])
            return
        found = _sums_of(projection, tried[0], tried[1], tried[2])
        if found[0] <= at[0]:
            (height, centre, sigma), at = tried, found
            damping = max(damping / gaussian.DAMPING_FACTOR, gaussian.LEAST_DAMPING)
        else:
            damping *= gaussian.DAMPING_FACTOR
            if not damping <= gaussian.MOST_DAMPING:
                return


@compiled(parallel=True)
def _fit_all(projections: F32, starts: I64, fitted: F64) -> None:
    """Write f64[positions, 3, 3] for projections f32[positions, bins] that begin at `starts`."""
    for index in numba.prange(projections.shape[0] * 3):
        position, axis = index // 3, index % 3
        _fit(projections[position, starts[axis] : starts[axis + 1]], fitted[position, axis])
