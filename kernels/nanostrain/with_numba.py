"""Sixteen positions at a time: their volumes are interleaved, and a pixel is one addition of sixteen counts.

All positions have the same table of voxels, so it is read once for sixteen positions. Sums are integers and exact; only
the sums that the current angle needs are kept, so that they remain in the cache of the core (`schedule.py`). Threads
share the batches of sixteen; if there are fewer batches than threads, several threads share the angles of a batch, each
with its own sums. Memory limits the speed: each count is read once, each voxel is written once.

A step of a fit is one pass over a projection, with an exponential function that the compiler can vectorise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources
from daasbench.compute.simd import aligned_zeros, compiled

from . import gaussian
from .grid import Grid
from .results import Analysed, Fitted, Gridded
from .schedule import BLOCK, EMPTY, Schedule, blocks_of, make_schedule
from .with_llvm import LANES, add_counts, power_of_two, take_means, take_planes

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
Counts = NDArray[Any]

# numba does not declare its arguments and its result
_njit: Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]] = numba.njit
_FREE = {"reassoc", "contract", "nsz", "arcp"}  # sums may be in any order, but NaN remains NaN


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:
    """Return the function of the problem's stage."""
    numba.set_num_threads(resources.threads)
    grid = problem.grid
    if problem.stage == "fits":
        return lambda projections: Fitted(gaussians=_fits(grid, projections))
    waves = _waves(grid, problem.geometry.angles, resources.threads)
    if problem.stage == "gridding":
        return _gridding(grid, waves)
    return _everything(grid, waves)


class _Wave(NamedTuple):
    """Batches of sixteen positions that threads compute at the same time; `parts` threads share a batch."""

    first: int
    batches: int
    parts: int
    schedule: Schedule
    sums: U32


def _waves(grid: Grid, angles: int, threads: int) -> Callable[[int], Iterator[_Wave]]:
    """Return an iterable of the waves of a number of positions: full waves of all threads, then the rest."""

    @cache
    def made(parts: int) -> tuple[Schedule, U32]:
        schedule = make_schedule(grid, angles, parts)
        return schedule, aligned_zeros((threads, schedule.places * BLOCK * LANES), np.uint32)

    def waves(positions: int) -> Iterator[_Wave]:
        batches = -(-positions // LANES)
        whole = batches // threads * threads
        if whole:
            yield _Wave(0, whole, 1, *made(1))
        if whole < batches:
            parts = min(threads // (batches - whole), angles)
            yield _Wave(whole, batches - whole, parts, *made(parts))

    return waves


def _gridding(grid: Grid, waves: Callable[[int], Iterator[_Wave]]) -> Callable[[Counts], Gridded]:
    hits = _padded(grid, np.maximum(grid.hits, 1).astype(np.float32), 1)
    inverse = (1 / hits).astype(np.float32)

    @cache  # new memory for the volumes would take longer than computing them
    def kept(positions: int) -> F32:
        volumes: F32 = aligned_zeros((positions, grid.voxels), np.float32)
        return volumes

    def gridding(frames: Counts) -> Gridded:
        positions, flat = len(frames), frames.reshape(-1)
        volumes, photons = kept(positions), np.zeros((-(-positions // LANES), LANES), np.uint64)
        for first, batches, parts, schedule, sums in waves(positions):
            found = np.zeros((batches * parts, LANES), np.uint64)
            _fill_volumes(flat, positions, first, parts, schedule, sums, hits, inverse, volumes, found)
            if parts > 1:
                _join(sums, batches, parts, schedule)
                for batch in range(batches):
                    place, at = (first + batch) * LANES, schedule.shared_at[:, 0].copy()
                    outputs = sums[batch], hits, inverse, volumes[place : place + LANES], found[batch]
                    _write_means(schedule.shared, at, 0, at.size, *outputs)
            photons[first : first + batches] = found.reshape(parts, batches, LANES).sum(axis=0)
        return Gridded(volumes=volumes.reshape(-1, *grid.shape), photons=photons.ravel()[:positions].astype(np.int64))

    return gridding


def _everything(grid: Grid, waves: Callable[[int], Iterator[_Wave]]) -> Callable[[Counts], Analysed]:
    hits = _padded(grid, np.maximum(grid.hits, 1).astype(np.float32), 1)
    axes = np.unravel_index(np.arange(grid.voxels), grid.shape)
    planes = np.stack([_padded(grid, axis + start, 0) for axis, start in zip(axes, grid.starts, strict=True)], axis=1)
    planes, plane_hits = planes.astype(np.int32).ravel(), np.maximum(grid.plane_hits(), 1)[:, None]

    def everything(frames: Counts) -> Analysed:
        positions, flat = len(frames), frames.reshape(-1)
        batches = -(-positions // LANES)
        counts, highest = np.zeros((batches, grid.bins, LANES), np.int64), np.zeros((batches, LANES), np.float32)
        for first, batches, parts, schedule, sums in waves(positions):
            totals = np.zeros((batches * parts, grid.bins * LANES), np.uint32)
            brightest = np.zeros((batches * parts, LANES), np.float32)
            _fill_planes(flat, positions, first, parts, schedule, sums, planes, hits, totals, brightest)
            if parts > 1:
                _join(sums, batches, parts, schedule)
                for batch in range(batches):
                    at = schedule.shared_at[:, 0].copy()
                    _add_planes(
                        schedule.shared, at, 0, at.size, sums[batch], planes, hits, totals[batch], brightest[batch]
                    )
            here = slice(first, first + batches)
            counts[here] = totals.reshape(parts, batches, grid.bins, LANES).sum(axis=0, dtype=np.int64)
            highest[here] = brightest.reshape(parts, batches, LANES).max(axis=0)
        projections = (counts / plane_hits).astype(np.float32).transpose(0, 2, 1).reshape(-1, grid.bins)[:positions]
        return Analysed(
            photons=counts[:, : grid.shape[0]].sum(axis=1).ravel()[:positions],
            brightest=highest.ravel()[:positions],
            projections=projections,
            gaussians=_fits(grid, projections),
        )

    return everything


def _padded(grid: Grid, values: NDArray[Any], filler: int) -> NDArray[Any]:
    """Return `values` of the voxels, and `filler` for the voxels of the last block beyond them."""
    return np.append(values, np.full(blocks_of(grid) * BLOCK - grid.voxels, filler, values.dtype))


def _fits(grid: Grid, projections: F32) -> F64:
    """Return f64[positions, 3, 3]."""
    fitted = np.full((len(projections), 3, 3), np.nan)
    _fit_all(np.ascontiguousarray(projections), np.array([*grid.starts, grid.bins]), fitted)
    return gaussian.in_units(fitted, grid.first, grid.step)


@compiled()
def _scatter(frames: Counts, first: int, stride: int, lanes: int, angle: int, schedule: Schedule, sums: U32) -> None:
    """Add one frame of up to sixteen positions, `stride` counts apart, to their sums."""
    slots, pixels, step = schedule.slot_of_pixel, schedule.pixels, 64 // frames.itemsize
    begin = angle * pixels
    whole = begin + pixels // step * step
    for pixel in range(begin, whole, step):
        add_counts(frames, first, stride, lanes, slots, pixel, sums)
    for pixel in range(whole, begin + pixels):
        for lane in range(LANES):
            sums[slots[pixel] * LANES + lane] += frames[first + min(lane, lanes - 1) * stride + pixel]


@compiled(parallel=True)
def _join(sums: U32, batches: int, parts: int, schedule: Schedule) -> None:
    """Add the sums of shared blocks of all parts of each batch to those of its first part; clear the others."""
    for index in numba.prange(schedule.shared.size):
        for batch in range(batches):
            to = schedule.shared_at[index, 0] * (BLOCK * LANES)
            for part in range(1, parts):
                at = schedule.shared_at[index, part] * (BLOCK * LANES)
                for k in range(BLOCK * LANES):
                    sums[batch, to + k] += sums[batch + part * batches, at + k]
                    sums[batch + part * batches, at + k] = 0


@compiled()
def _write_means(
    blocks: I32, at: I32, begin: int, end: int, sums: U32, hits: F32, inverse: F32, volumes: F32, photons: U64
) -> None:
    """Write complete blocks of up to sixteen volumes f32[positions, voxels], and clear their sums."""
    (lanes, voxels), flat = volumes.shape, volumes.reshape(-1)
    for index in range(begin, end):
        voxel, place = np.int64(blocks[index]) * BLOCK, np.int64(at[index])
        if voxel + BLOCK <= voxels:
            take_means(sums, place, hits, inverse, voxel, photons, flat, 0, voxels, lanes)
            continue
        for k in range(voxels - voxel):
            for lane in range(LANES):
                slot = (place * BLOCK + k) * LANES + lane
                photons[lane] += sums[slot]
                if lane < lanes:
                    volumes[lane, voxel + k] = np.float32(sums[slot]) / hits[voxel + k]
                sums[slot] = 0


@compiled(parallel=True)
def _fill_volumes(
    frames: Counts,
    positions: int,
    first: int,
    parts: int,
    schedule: Schedule,
    sums: U32,
    hits: F32,
    inverse: F32,
    volumes: F32,
    photons: U64,
) -> None:
    """Write the volumes f32[positions, voxels] of batches from `first` on, except shared blocks; photons by part."""
    batches, stride = photons.shape[0] // parts, schedule.slot_of_pixel.size
    threads = batches * parts if parts > 1 else sums.shape[0]
    for task in numba.prange(threads):
        for batch in range(task % (threads // parts), batches, threads // parts):
            part, position = task // (threads // parts), (first + batch) * LANES
            lanes = min(LANES, positions - position)
            mine, found = volumes[position : position + lanes], photons[part * batches + batch]
            for angle in range(schedule.first_angle[part], schedule.first_angle[part + 1]):
                _scatter(frames, position * stride, stride, lanes, angle, schedule, sums[task])
                begin, end = schedule.first_done[angle], schedule.first_done[angle + 1]
                _write_means(schedule.blocks, schedule.at, begin, end, sums[task], hits, inverse, mine, found)


@compiled()
def _add_planes(
    blocks: I32, at: I32, begin: int, end: int, sums: U32, planes: I32, hits: F32, totals: U32, brightest: F32
) -> None:
    """Add complete blocks to the sums of their planes, keep the brightest, and clear their sums."""
    for index in range(begin, end):
        if at[index] != EMPTY:
            for k in range(BLOCK):
                slot, voxel = np.int64(at[index]) * BLOCK + k, np.int64(blocks[index]) * BLOCK + k
                take_planes(sums, slot, voxel, planes, totals, hits, brightest)


@compiled(parallel=True)
def _fill_planes(
    frames: Counts,
    positions: int,
    first: int,
    parts: int,
    schedule: Schedule,
    sums: U32,
    planes: I32,
    hits: F32,
    totals: U32,
    brightest: F32,
) -> None:
    """Add up the planes, and keep the brightest voxels, of batches from `first` on, except shared blocks; by part."""
    batches, stride = totals.shape[0] // parts, schedule.slot_of_pixel.size
    threads = batches * parts if parts > 1 else sums.shape[0]
    for task in numba.prange(threads):
        for batch in range(task % (threads // parts), batches, threads // parts):
            part, position = task // (threads // parts), (first + batch) * LANES
            lanes, place = min(LANES, positions - position), part * batches + batch
            for angle in range(schedule.first_angle[part], schedule.first_angle[part + 1]):
                _scatter(frames, position * stride, stride, lanes, angle, schedule, sums[task])
                begin, end = schedule.first_done[angle], schedule.first_done[angle + 1]
                results = totals[place], brightest[place]
                _add_planes(schedule.blocks, schedule.at, begin, end, sums[task], planes, hits, *results)


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
    """Return the sum of squared residuals, and the sums of the normal equations (`gaussian.py`)."""
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
    """Write height, centre and sigma in bins; leave them unchanged if there is no Gaussian."""
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
