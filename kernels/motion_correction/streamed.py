"""Alignment and summation with any library of transforms: each thread processes one frame at a time.

A frame is transformed twice, so that no full spectrum has to be kept: for the alignment its rows, and then only the
columns of the band; for the sum all of it. Every thread adds its own part of the frames.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from daasbench.authoring import Resources

from .definition import CONVERGED_PX, Aligned, Grid, frequencies, vertex

if TYPE_CHECKING:
    from .problem import Frames, Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
C64 = NDArray[np.complex64]

_ROWS = 64  # of a spectrum that are shifted together: they fit into the second-level cache


class Transforms(Protocol):
    """The transforms of frames of one shape, with their own memory; each thread has its own object."""

    def band(self, frame: Frames) -> C64:
        """Return c64[rows, columns of the band]: the low frequencies along a row, all along a column."""
        ...

    def whole(self, frame: Frames) -> C64:
        """Return c64[rows, columns / 2 + 1]: the half spectrum; valid until the next call."""
        ...

    def back(self, spectrum: C64) -> F32:
        """Return f32[rows, columns]: the image of a half spectrum, which may be overwritten."""
        ...


class Scipy:
    """Transforms by scipy, of any size."""

    def __init__(self, grid: Grid) -> None:
        self._shape = grid.frame
        self._across = grid.columns // 2 + 1

    def band(self, frame: Frames) -> C64:
        """See :class:`Transforms`."""
        lines = scipy.fft.rfft(frame.astype(np.float32), axis=1)[:, : self._across]
        made: Any = scipy.fft.fft(np.ascontiguousarray(lines), axis=0, overwrite_x=True)  # complex64
        return cast("C64", made)

    def whole(self, frame: Frames) -> C64:
        """See :class:`Transforms`."""
        made: Any = scipy.fft.rfft2(frame.astype(np.float32))  # complex64
        return cast("C64", made)

    def back(self, spectrum: C64) -> F32:
        """See :class:`Transforms`."""
        made: F32 = scipy.fft.irfft2(spectrum, self._shape, overwrite_x=True)
        return made


def prepare_with(
    problem: Problem, resources: Resources, transforms: Callable[[Grid], Transforms]
) -> Callable[[Frames], Aligned]:
    """Return the function that aligns a block of movies by these transforms."""
    aligner = _Aligner(problem.grid, [transforms(problem.grid) for _ in range(resources.threads)])

    def compute(movies: Frames) -> Aligned:
        shifts = np.empty((*movies.shape[:2], 2))
        sums = np.empty((len(movies), *movies.shape[2:]), np.float32)
        with ThreadPoolExecutor(resources.threads) as pool:
            for movie, shift, total in zip(movies, shifts, sums, strict=True):
                shift[:] = aligner.find_shifts(movie, pool)
                aligner.sum_aligned(movie, shift, pool, total)
        return Aligned(shifts=shifts, sums=sums)

    return compute


class _Aligner:
    def __init__(self, grid: Grid, transforms: list[Transforms]) -> None:
        self._grid, self._transforms = grid, transforms
        ky = frequencies(grid.rows)
        kx = np.arange(grid.columns // 2 + 1, dtype=np.float64)
        self._ky, self._kx = ky / grid.frame[0], kx / grid.frame[1]
        self._root = np.sqrt(grid.weights(ky, kx)).astype(np.float32)
        down, across = (np.arange(-reach - 1, reach + 2) for reach in grid.reach)
        self._down = np.exp(2j * np.pi / grid.rows * np.outer(down, ky)).astype(np.complex64)
        twice = np.where(kx > 0, 2.0, 1.0)[:, None]
        self._across = (twice * np.exp(2j * np.pi / grid.columns * np.outer(kx, across))).astype(np.complex64)
        rows, columns = grid.frame
        ky, kx = frequencies(rows), np.arange(columns // 2 + 1, dtype=np.float64)
        self._all_ky, self._all_kx = ky / rows, kx / columns
        self._alone = 2 * np.abs(ky) == rows, 2 * kx == columns

    def find_shifts(self, movie: Frames, pool: ThreadPoolExecutor) -> F64:
        """Return f64[frames, 2]: shift of each frame of one movie relative to the first, in pixels."""
        bands = np.empty((len(movie), *self._root.shape), np.complex64)
        self._in_threads(pool, len(movie), lambda transforms, f: self._see(transforms, movie[f], bands[f]))
        shifts, found = np.zeros((len(movie), 2)), np.zeros((len(movie), 2))
        total = np.empty(self._root.shape, np.complex64)

        def move(_: Transforms, frame: int) -> None:
            _move(bands[frame], found[frame], self._ky, self._kx)

        def find(_: Transforms, frame: int) -> None:
            self._find_peak(bands[frame], total, found[frame])

        for _ in range(self._grid.iterations):
            self._in_threads(pool, len(movie), move)
            np.sum(bands, axis=0, out=total)
            self._in_threads(pool, len(movie), find)
            np.subtract(found, found[0].copy(), out=found)
            shifts += found
            if np.sqrt((found**2).sum(axis=1).mean()) < CONVERGED_PX:
                break
        return shifts

    def sum_aligned(self, movie: Frames, shifts: F64, pool: ThreadPoolExecutor, total: F32) -> None:
        """Write the sum of the frames of one movie, each shifted back."""
        rows, columns = self._grid.frame
        sums = np.zeros((len(self._transforms), rows, columns // 2 + 1), np.complex64)

        def add(transforms: Transforms, frame: int) -> None:
            spectrum = transforms.whole(movie[frame])
            _move(spectrum, shifts[frame], self._all_ky, self._all_kx, sums[self._transforms.index(transforms)])

        self._in_threads(pool, len(movie), add)
        for other in sums[1:]:
            sums[0] += other
        sums[0][self._alone[0]] = 0
        sums[0][:, self._alone[1]] = 0
        total[:] = self._transforms[0].back(sums[0])

    def _in_threads(self, pool: ThreadPoolExecutor, frames: int, task: Callable[[Transforms, int], None]) -> None:
        """Call `task` for every frame; every thread has its own transforms, and always the same frames."""
        threads = len(self._transforms)

        def share(thread: int) -> None:
            for frame in range(thread, frames, threads):
                task(self._transforms[thread], frame)

        list(pool.map(share, range(threads)))

    def _see(self, transforms: Transforms, frame: Frames, band: C64) -> None:
        spectrum, half = transforms.band(frame), self._grid.rows // 2
        band[:half], band[half:] = spectrum[:half], spectrum[len(spectrum) - half :]
        band *= self._root

    def _find_peak(self, moved: C64, total: C64, found: F64) -> None:
        """Write the position, in pixels, of the largest correlation of a frame with the sum of the others."""
        near = (self._down @ (np.conj(total - moved) * moved) @ self._across).real
        inner = near[1:-1, 1:-1]
        y, x = np.unravel_index(inner.argmax(), inner.shape)
        down, across = near[y : y + 3, x + 1].tolist(), near[y + 1, x : x + 3].tolist()
        found[:] = y + vertex(*down) - inner.shape[0] // 2, x + vertex(*across) - inner.shape[1] // 2
        found *= self._grid.step


def _move(spectrum: C64, shift: F64, ky: F64, kx: F64, into: C64 | None = None) -> None:
    """Shift a spectrum back by `shift`, in place or added to another spectrum."""
    down = np.exp(2j * np.pi * shift[0] * ky).astype(np.complex64)
    across = np.exp(2j * np.pi * shift[1] * kx).astype(np.complex64)
    for first in range(0, len(spectrum), _ROWS):
        rows = spectrum[first : first + _ROWS]
        rows *= down[first : first + _ROWS, None]
        rows *= across
        if into is not None:
            into[first : first + _ROWS] += rows
