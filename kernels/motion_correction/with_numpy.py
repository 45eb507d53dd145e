"""The reference: alignment of movies exactly as in the formula, in float64. Read it first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

from .definition import CONVERGED_PX, Aligned, Grid, frequencies, vertex

if TYPE_CHECKING:
    from .problem import Frames, Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]


def prepare(problem: Problem, resources: Resources) -> Callable[[Frames], Aligned]:  # noqa: ARG001  (one thread)
    """Return the function that aligns a block of movies; it uses one thread."""

    def compute(movies: Frames) -> Aligned:
        shifts = [find_shifts(movie, problem.grid) for movie in movies]
        sums = [sum_aligned(movie, moved) for movie, moved in zip(movies, shifts, strict=True)]
        return Aligned(shifts=np.array(shifts), sums=np.array(sums))

    return compute


def find_shifts(movie: Frames, grid: Grid) -> F64:
    """Return f64[frames, 2]: shift of each frame of one movie relative to the first, in pixels."""
    ky, kx = frequencies(grid.rows), np.arange(grid.columns // 2 + 1, dtype=np.float64)
    weights = grid.weights(ky, kx)
    spectra = np.array([band_of(np.fft.rfft2(frame), grid) for frame in movie])
    shifts = np.zeros((len(movie), 2))
    for _ in range(grid.iterations):
        moved = [
            spectrum * _wave(ky / grid.frame[0], kx / grid.frame[1], shift)
            for spectrum, shift in zip(spectra, shifts, strict=True)
        ]
        total = np.sum(moved, axis=0)
        correlations = [
            np.fft.irfft2(weights * np.conj(total - band) * band, (grid.rows, grid.columns)) for band in moved
        ]
        found = np.array([peak_of(correlation, grid) for correlation in correlations]) * grid.step
        found -= found[0]
        shifts += found
        if np.sqrt((found**2).sum(axis=1).mean()) < CONVERGED_PX:
            break
    return shifts


def sum_aligned(movie: Frames, shifts: F64) -> F32:
    """Return f32[rows, columns]: the sum of the frames of one movie, each shifted back."""
    rows, columns = movie.shape[1:]
    ky, kx = frequencies(rows), np.arange(columns // 2 + 1, dtype=np.float64)
    total = np.zeros((rows, columns // 2 + 1), np.complex128)
    for frame, shift in zip(movie, shifts, strict=True):
        total += np.fft.rfft2(frame) * _wave(ky / rows, kx / columns, shift)
    total[2 * np.abs(ky) == rows] = 0
    total[:, 2 * kx == columns] = 0
    return np.fft.irfft2(total, (rows, columns)).astype(np.float32)


def band_of(spectrum: C128, grid: Grid) -> C128:
    """Return c128[grid.rows, grid.columns / 2 + 1]: the low frequencies of a half spectrum."""
    half, across = grid.rows // 2, grid.columns // 2 + 1
    return np.concatenate([spectrum[:half, :across], spectrum[len(spectrum) - half :, :across]])


def peak_of(correlation: F64, grid: Grid) -> tuple[float, float]:
    """Return the position of the largest correlation within the search range, down and across, in its own pixels."""
    down, across = grid.reach
    near = correlation[np.ix_(np.arange(-down, down + 1), np.arange(-across, across + 1))]
    y, x = np.unravel_index(near.argmax(), near.shape) - np.array([down, across])
    top = correlation[y, x]
    columns, rows = correlation.shape[1], correlation.shape[0]
    return (
        y + vertex(correlation[y - 1, x], top, correlation[(y + 1) % rows, x]),
        x + vertex(correlation[y, x - 1], top, correlation[y, (x + 1) % columns]),
    )


def _wave(ky: F64, kx: F64, shift: F64) -> C128:
    """Return c128[ky, kx]: the factor that shifts a frame back by `shift`; frequencies in cycles per pixel."""
    wave: C128 = np.exp(2j * np.pi * shift[0] * ky)[:, None] * np.exp(2j * np.pi * shift[1] * kx)
    return wave
