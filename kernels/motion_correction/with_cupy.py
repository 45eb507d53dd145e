"""Alignment and summation on a CUDA device: one frame at a time for the transforms, all frames for the correlations.

`align` has the array library as an argument, so that a test can run it with numpy. Of a frame only the band is kept,
an eighth of its spectrum. Therefore a frame is transformed twice, and the device needs memory for four more frames in
float32, or for eight if several are transformed together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import Resources

from .definition import CONVERGED_PX, Aligned, Grid, frequencies

if TYPE_CHECKING:
    from .problem import Problem

TOGETHER_BYTES = 1 << 28  # of float32 frames that are transformed together


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Aligned]:  # noqa: ARG001  (one device)
    """Return the function that aligns a block of movies on the device."""
    import cupy

    return lambda movies: align(cupy, movies, problem.grid)


def align(xp: Any, movies: Any, grid: Grid) -> Aligned:
    """Return shifts and sums of movies, as arrays of the library `xp`."""
    shifts = xp.empty((*movies.shape[:2], 2), xp.float64)
    sums = xp.empty((movies.shape[0], *movies.shape[2:]), xp.float32)
    for index, movie in enumerate(movies):
        found = find_shifts(xp, movie, grid)
        shifts[index] = xp.asarray(found)
        sums[index] = sum_aligned(xp, movie, found)
    return Aligned(shifts=shifts, sums=sums)


def find_shifts(xp: Any, movie: Any, grid: Grid) -> Any:
    """Return f64[frames, 2] in host memory: shift of each frame of one movie relative to the first, in pixels."""
    ky, kx = frequencies(grid.rows), np.arange(grid.columns // 2 + 1, dtype=np.float64)
    root = xp.asarray(np.sqrt(grid.weights(ky, kx)).astype(np.float32))
    half, across = grid.rows // 2, grid.columns // 2 + 1
    bands = xp.empty((len(movie), grid.rows, across), xp.complex64)
    for part in _together(movie):
        spectra = xp.fft.fft(_rows(xp, movie[part])[:, :, :across], axis=1)
        bands[part, :half], bands[part, half:] = spectra[:, :half], spectra[:, spectra.shape[1] - half :]
    bands *= root
    shifts, found = np.zeros((len(movie), 2)), np.zeros((len(movie), 2))
    for _ in range(grid.iterations):
        bands *= _waves(xp, found, ky / grid.frame[0], kx / grid.frame[1])
        found = _peaks(xp, bands, grid)
        found -= found[0].copy()
        shifts += found
        if np.sqrt((found**2).sum(axis=1).mean()) < CONVERGED_PX:
            break
    return shifts


def sum_aligned(xp: Any, movie: Any, shifts: Any) -> Any:
    """Return f32[rows, columns]: the sum of the frames of one movie, each shifted back."""
    rows, columns = movie.shape[1:]
    ky, kx = frequencies(rows), np.arange(columns // 2 + 1, dtype=np.float64)
    total = xp.zeros((rows, columns // 2 + 1), xp.complex64)
    for part in _together(movie):
        spectra = xp.fft.fft(_rows(xp, movie[part]), axis=1).astype(xp.complex64, copy=False)
        spectra *= _waves(xp, shifts[part], ky / rows, kx / columns)
        total += spectra.sum(axis=0)
    if rows % 2 == 0:
        total[rows // 2] = 0
    if columns % 2 == 0:
        total[:, columns // 2] = 0
    return xp.fft.irfft2(total, (rows, columns)).astype(xp.float32, copy=False)


def _together(movie: Any) -> list[slice]:
    """Return the groups of frames that are transformed together."""
    count = max(1, TOGETHER_BYTES // (4 * movie.shape[1] * movie.shape[2]))
    return [slice(first, min(first + count, len(movie))) for first in range(0, len(movie), count)]


def _rows(xp: Any, frames: Any) -> Any:
    """Return c64[frames, rows, columns / 2 + 1]: the transforms of rows."""
    return xp.fft.rfft(frames.astype(xp.float32), axis=2).astype(xp.complex64, copy=False)


def _waves(xp: Any, shifts: Any, ky: Any, kx: Any) -> Any:
    """Return c64[frames, ky, kx]: the factors that shift frames back; frequencies in cycles per pixel."""
    down = np.exp(2j * np.pi * np.outer(shifts[:, 0], ky)).astype(np.complex64)
    across = np.exp(2j * np.pi * np.outer(shifts[:, 1], kx)).astype(np.complex64)
    return xp.asarray(down)[:, :, None] * xp.asarray(across)[:, None, :]


def _peaks(xp: Any, bands: Any, grid: Grid) -> Any:
    """Return f64[frames, 2] in host memory: position of each correlation's largest value, in pixels."""
    down, across = grid.reach
    y, x = np.arange(-down - 1, down + 2), np.arange(-across - 1, across + 2)
    correlations = xp.fft.irfft2(xp.conj(bands.sum(axis=0) - bands) * bands, (grid.rows, grid.columns))
    near = correlations[:, xp.asarray(y)[:, None], xp.asarray(x)]
    inner = near[:, 1:-1, 1:-1]
    best = inner.reshape(len(near), -1).argmax(axis=1)
    frames, i, j = xp.arange(len(near)), best // inner.shape[2] + 1, best % inner.shape[2] + 1

    def vertex(before: Any, behind: Any) -> Any:
        bend = before - 2 * near[frames, i, j] + behind
        return xp.where(bend < 0, 0.5 * (before - behind) / xp.where(bend < 0, bend, -1), 0)

    peaks = xp.stack(
        [
            i - 1 - down + vertex(near[frames, i - 1, j], near[frames, i + 1, j]),
            j - 1 - across + vertex(near[frames, i, j - 1], near[frames, i, j + 1]),
        ],
        axis=1,
    )
    host = peaks.get() if hasattr(peaks, "get") else peaks
    return np.asarray(host, np.float64) * grid.step
