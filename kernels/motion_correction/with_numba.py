"""Alignment and summation by transforms of sixteen columns at a time, frame by frame.

A frame is transformed twice, so that no spectrum has to be kept. The alignment needs only an eighth of the
frequencies: a short filter halves the columns before they are transformed, and the rows after all but the low
frequencies of the columns are dropped. It is a half-band filter of 15 taps; its passband is flat enough for a
correction by division, and its stopband, which folds onto the band, is at 1e-4. For the sum, all frequencies are
multiplied by their phase factor and added; one inverse transform gives the image.

Two sets of sixteen columns are transformed by one complex transform, as its real and its imaginary part. Between
columns and rows, blocks of 16 x 16 numbers are transposed.

The correlation is needed only at a few pixels around its centre; these are computed as sums over the band, without a
transform.

Threads share the columns, rows or frames of each step.

Sizes that are not a power of two, or less than 64, are computed by `streamed.py` with the transforms of scipy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from daasbench.authoring import Resources
from daasbench.compute.simd import LANES, Threads, aligned_zeros, compiled, fma, load, splat, store
from daasbench.compute.transforms import Plan, forward, inverse, make_plan
from daasbench.compute.transposes import transpose

from .correlation import correlate, move_and_add
from .definition import CONVERGED_PX, Aligned, Grid, frequencies, vertex
from .with_llvm import load_counts

if TYPE_CHECKING:
    from .problem import Frames, Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_WAVE = 2 * LANES  # floats at one position of sixteen signals: the real parts, then the imaginary parts
_TAPS = 15  # of the half-band filter
_PAIR = 2 * LANES  # columns per transform
_HALVED_UP_TO = 0.125  # cycles per pixel: the filter is made for this band


def prepare(problem: Problem, resources: Resources) -> Callable[[Frames], Aligned]:
    """Return the function that aligns a block of movies."""
    if not all(_is_fast(size // 2) for size in problem.grid.frame):
        from . import streamed

        return streamed.prepare_with(problem, resources, streamed.Scipy)
    aligner = _Aligner(problem.grid, problem.blocks[0].shape[1], resources.threads)

    def compute(movies: Frames) -> Aligned:
        shifts = np.empty((*movies.shape[:2], 2))
        sums = np.empty((len(movies), *movies.shape[2:]), np.float32)
        for movie, shift, total in zip(movies, shifts, sums, strict=True):
            shift[:] = aligner.find_shifts(movie)
            aligner.sum_aligned(movie, shift, total)
        return Aligned(shifts=shifts, sums=sums)

    return compute


def _is_fast(length: int) -> bool:
    """Return whether this module can transform signals of this length: powers of two from 64 on."""
    return length >= 64 and length & (length - 1) == 0


def _pair(shape: tuple[int, ...]) -> tuple[F32, F32]:
    """Return zeros for real and imaginary parts."""
    return aligned_zeros(shape), aligned_zeros(shape)


class _Aligner:
    """Tables and memory for movies of one shape: two float32 frames for a sum, and the band of every frame."""

    def __init__(self, grid: Grid, frames: int, threads: int) -> None:
        rows, columns = grid.frame
        self._share = Threads(threads)
        self._grid = grid
        self._down, self._across = make_plan(rows), make_plan(columns)
        # groups of sixteen ky from 0 on, x or kx, real and imaginary parts
        self._total = aligned_zeros((rows // 2 * columns * 2,))
        self._half = aligned_zeros((rows // 2 * columns * 2,))
        # the band: groups of sixteen ky from 0 on, kx from -half to half
        self._taps, factor = _filter(grid)
        self._factor = factor
        self._band_down, self._band_across = make_plan(rows // factor), make_plan(columns // factor)
        self._groups, self._half_width = -(-grid.rows // 2 // LANES), grid.columns // 2 - 1
        self._gain_y, self._gain_x = self._gains()
        self._band = _pair((frames, self._groups * (2 * self._half_width + 1) * LANES))
        self._wave_y, self._wave_x = self._correlation_waves()

    def _gains(self) -> tuple[F32, F32]:
        """Return f32 for ky (whole groups) and kx: the root of the weight, divided by the gain of the filter."""
        grid = self._grid
        ky = np.arange(self._groups * LANES, dtype=np.float64)
        kx = np.arange(-self._half_width, self._half_width + 1, dtype=np.float64)
        gains = []
        for k, size in ((ky, grid.frame[0]), (kx, grid.frame[1])):
            offsets = np.arange(self._taps.size) - self._taps.size // 2
            response = (self._taps * np.cos(2 * np.pi / size * np.outer(k, offsets))).sum(axis=1)
            gains.append(np.exp(-grid.bfactor * (k / size) ** 2) / response)
        gains[0] *= ky < grid.rows // 2
        return gains[0].astype(np.float32), gains[1].astype(np.float32)

    def _correlation_waves(self) -> tuple[F32, F32]:
        """Return cosines and sines: f32[y, 2, ky], -reach - 1 to reach + 1, and f32[x, 2, kx], both from 0 on."""
        grid = self._grid
        down, across = grid.reach
        ky = np.arange(self._groups * LANES)
        y = 2 * np.pi / grid.rows * np.outer(np.arange(-down - 1, down + 2), ky)
        twice = np.where(ky > 0, 2.0, 1.0)
        x = 2 * np.pi / grid.columns * np.outer(np.arange(across + 2), np.arange(self._half_width + 1))
        wave_y = np.stack([twice * np.cos(y), -twice * np.sin(y)], axis=1).astype(np.float32)
        return wave_y, np.stack([np.cos(x), np.sin(x)], axis=1).astype(np.float32)

    def find_shifts(self, movie: Frames) -> F64:
        """Return f64[frames, 2]: shift of each frame of one movie relative to the first, in pixels."""
        real, imaginary = self._band[0][: len(movie)], self._band[1][: len(movie)]
        for index, frame in enumerate(movie):
            self._see(frame, real[index], imaginary[index])
        shifts = np.zeros((len(movie), 2))
        found = np.zeros_like(shifts)
        for _ in range(self._grid.iterations):
            total = _pair(real.shape[1:])
            phases = found / self._grid.frame
            self._share(move_and_add, self._groups, real, imaginary, phases, self._half_width, *total)
            found = self._peaks(real, imaginary, total) * self._grid.step
            found -= found[0]
            shifts += found
            if np.sqrt((found**2).sum(axis=1).mean()) < CONVERGED_PX:
                break
        return shifts

    def sum_aligned(self, movie: Frames, shifts: F64, total: F32) -> None:
        """Write the sum of the frames of one movie, each shifted back."""
        rows, columns = self._grid.frame
        self._total[:] = 0
        for frame, shift in zip(movie, shifts, strict=True):
            self._share(_columns, columns // _PAIR, frame, _WHOLE, 1, rows // 2, self._down, self._half)
            wave_y = np.exp(2j * np.pi * shift[0] / rows * np.arange(rows // 2)).astype(np.complex64)
            kx = frequencies(columns)[self._across.frequencies]
            wave_x = np.exp(2j * np.pi * shift[1] / columns * kx).astype(np.complex64)
            waves = wave_y.real.copy(), wave_y.imag.copy(), wave_x.view(np.float32)
            self._share(_rows, rows // 2 // LANES, self._half, *waves, self._across, self._total)
        self._share(_rows_back, rows // 2 // LANES, self._total, self._across)
        self._share(_columns_back, columns // _PAIR, self._total, self._down, total)

    def _see(self, frame: Frames, real: F32, imaginary: F32) -> None:
        """Write the weighted band of a frame."""
        low = self._taps, self._factor
        self._share(_columns, frame.shape[1] // _PAIR, frame, *low, self._groups * LANES, self._band_down, self._half)
        gains = self._gain_y, self._gain_x
        self._share(_low_rows, self._groups, self._half, *low, *gains, self._band_across, real, imaginary)

    def _peaks(self, real: F32, imaginary: F32, total: tuple[F32, F32]) -> F64:
        """Return f64[frames, 2]: position of the largest correlation of each frame with the sum of the others."""
        near = np.empty((len(real), len(self._wave_y), 2 * len(self._wave_x) - 1), np.float32)
        self._share(correlate, len(real), real, imaginary, *total, self._wave_y, self._wave_x, near)
        peaks = np.empty((len(near), 2))
        for peak, values in zip(peaks, near, strict=True):
            inner = values[1:-1, 1:-1]
            y, x = np.unravel_index(inner.argmax(), inner.shape)
            down, across = values[y : y + 3, x + 1].tolist(), values[y + 1, x : x + 3].tolist()
            peak[:] = y + vertex(*down) - inner.shape[0] // 2, x + vertex(*across) - inner.shape[1] // 2
        return peaks


_WHOLE = np.ones(1, np.float32)


def _filter(grid: Grid) -> tuple[F32, int]:
    """Return the taps of the filter before the alignment, and the factor by which the frame is decimated."""
    if (grid.step < 0.5 / _HALVED_UP_TO).any():
        return _WHOLE, 1
    taps = scipy.signal.remez(_TAPS, [0, _HALVED_UP_TO, 0.5 - _HALVED_UP_TO, 0.5], [1, 0])
    return taps.astype(np.float32), 2


@compiled()
def _columns(
    first_pair: int, end: int, frame: Any, taps: F32, factor: int, kept: int, plan: Plan, spectra: F32
) -> None:
    """Write ``[group of sixteen ky, x, 2, ky]``: the transforms of the columns, filtered and decimated, times two."""
    rows, columns = frame.shape
    length, places = plan.length, plan.places
    counts = frame.reshape(-1)
    signals, tile = np.empty(length * _WAVE, np.float32), np.empty(4 * LANES * LANES, np.float32)
    for pair in range(first_pair, end):
        x = pair * 2 * LANES
        if factor == 1:
            for y in range(rows):
                store(signals, y * _WAVE, load_counts(counts, y * columns + x))
                store(signals, y * _WAVE + LANES, load_counts(counts, y * columns + x + LANES))
        else:
            for half in range(0, _WAVE, LANES):
                _thin_columns(counts, rows, x + half, taps, factor, signals, half)
        forward(signals, np.int64(0), plan)
        for first in range(0, kept, LANES):
            for k in range(LANES):
                one = places[first + k] * _WAVE
                other = places[(length - first - k) % length] * _WAVE
                r, i, s, j = (
                    load(signals, one),
                    load(signals, one + 16),
                    load(signals, other),
                    load(signals, other + 16),
                )
                store(tile, k * LANES, r + s)
                store(tile, (LANES + k) * LANES, i - j)
                store(tile, (2 * LANES + k) * LANES, i + j)
                store(tile, (3 * LANES + k) * LANES, s - r)
            for half in range(2):
                at, part = (first * columns + (x + half * LANES) * LANES) * 2, half * 2 * LANES * LANES
                transpose(tile, part, LANES, spectra, at, _WAVE)
                transpose(tile, part + LANES * LANES, LANES, spectra, at + LANES, _WAVE)


@compiled()
def _thin_columns(counts: Any, rows: int, x: int, taps: F32, factor: int, thinned: F32, into: int) -> None:
    """Write every `factor`-th row of sixteen filtered columns."""
    columns, half = counts.size // rows, taps.size // 2
    for y in range(0, rows, factor):
        total = splat(taps[half]) * load_counts(counts, y * columns + x)
        for t in range(1, half + 1, 2):  # a half-band filter: the other taps are zero
            above, below = (y - t) % rows, (y + t) % rows
            both = load_counts(counts, above * columns + x) + load_counts(counts, below * columns + x)
            total = fma(splat(taps[half + t]), both, total)
        store(thinned, into + y // factor * _WAVE, total)


@compiled()
def _rows(
    first: int, end: int, spectra: F32, wave_y_r: F32, wave_y_i: F32, wave_x: F32, plan: Plan, totals: F32
) -> None:
    """Transform the rows in place, shift them, and add them to the totals; kx is in the order of the plan."""
    for group in range(first, end):
        start = group * plan.length * _WAVE
        forward(spectra, start, plan)
        yr, yi = load(wave_y_r, group * LANES), load(wave_y_i, group * LANES)
        for k in range(plan.length):
            xr, xi = splat(wave_x[2 * k]), splat(wave_x[2 * k + 1])
            wr, wi = xr * yr - xi * yi, fma(xr, yi, xi * yr)
            at = start + k * _WAVE
            r, i = load(spectra, at), load(spectra, at + LANES)
            store(totals, at, load(totals, at) + (r * wr - i * wi))
            store(totals, at + LANES, load(totals, at + LANES) + fma(r, wi, i * wr))


@compiled()
def _rows_back(first: int, end: int, totals: F32, plan: Plan) -> None:
    """Transform the rows of the sum back, in place, without the frequency that has no partner."""
    for group in range(first, end):
        start = group * plan.length * _WAVE
        alone = start + plan.places[plan.length // 2] * _WAVE
        store(totals, alone, splat(0.0))
        store(totals, alone + LANES, splat(0.0))
        inverse(totals, start, plan)


@compiled()
def _columns_back(first_pair: int, end: int, totals: F32, plan: Plan, image: F32) -> None:
    """Transform the columns of the sum back, and write the image."""
    rows, columns = image.shape
    places, factor = plan.places, splat(np.float32(0.5 / rows / columns))
    signals = np.empty(rows * _WAVE, np.float32)
    tile, line = np.empty(4 * LANES * LANES, np.float32), np.empty(2 * LANES, np.float32)
    for pair in range(first_pair, end):
        alone = places[rows // 2] * _WAVE
        store(signals, alone, splat(0.0))
        store(signals, alone + LANES, splat(0.0))
        for first in range(0, rows // 2, LANES):
            for part in range(4):
                at = (first * columns + (pair * 2 + part // 2) * LANES * LANES) * 2 + part % 2 * LANES
                transpose(totals, at, _WAVE, tile, part * LANES * LANES, LANES)
            for k in range(LANES):
                r, i = load(tile, k * LANES), load(tile, (LANES + k) * LANES)
                s, j = load(tile, (2 * LANES + k) * LANES), load(tile, (3 * LANES + k) * LANES)
                if first + k == 0:
                    i, j = splat(0.0), splat(0.0)
                else:
                    other = places[rows - first - k] * _WAVE
                    store(signals, other, r + j)
                    store(signals, other + LANES, s - i)
                one = places[first + k] * _WAVE
                store(signals, one, r - j)
                store(signals, one + LANES, i + s)
        inverse(signals, np.int64(0), plan)
        for y in range(rows):
            store(line, 0, factor * load(signals, y * _WAVE))
            store(line, LANES, factor * load(signals, y * _WAVE + LANES))
            for lane in range(2 * LANES):
                image[y, pair * 2 * LANES + lane] = line[lane]


@compiled()
def _low_rows(
    first: int, end: int, spectra: F32, taps: F32, factor: int, gain_y: F32, gain_x: F32, plan: Plan,
    band_r: F32, band_i: F32,
) -> None:  # fmt: skip
    """Write ``[group of sixteen ky, kx, ky]``: the transforms of the rows, decimated, times the gains; 0 at k = 0."""
    length, width, places = plan.length, gain_x.size, plan.places
    columns = length * factor
    signals = np.empty(length * _WAVE, np.float32)
    for group in range(first, end):
        for part in range(0, _WAVE, LANES):
            _thin_rows(spectra, group * columns * _WAVE + part, columns, taps, factor, signals, part)
        forward(signals, np.int64(0), plan)
        gain = load(gain_y, group * LANES)
        for k in range(width):
            at, into = places[(k - width // 2) % length] * _WAVE, (group * width + k) * LANES
            both = gain * splat(gain_x[k])
            store(band_r, into, both * load(signals, at))
            store(band_i, into, both * load(signals, at + LANES))
        if group == 0:
            band_r[width // 2 * LANES] = 0
            band_i[width // 2 * LANES] = 0


@compiled()
def _thin_rows(lines: F32, start: int, columns: int, taps: F32, factor: int, thinned: F32, into: int) -> None:
    """Write every `factor`-th position of sixteen filtered lines."""
    half = taps.size // 2
    for x in range(0, columns, factor):
        total = splat(taps[half]) * load(lines, start + x * _WAVE)
        for t in range(1, half + 1, 2):
            left, right = start + (x - t) % columns * _WAVE, start + (x + t) % columns * _WAVE
            total = fma(splat(taps[half + t]), load(lines, left) + load(lines, right), total)
        store(thinned, into + x // factor * _WAVE, total)
