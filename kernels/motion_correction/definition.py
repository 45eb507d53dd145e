"""The formula, and the few numbers that every implementation shares.

A movie consists of frames x_f(r); each is the specimen shifted by d_f pixels (down, across) and counted anew. With the
Fourier transforms X_f(k), k in cycles per pixel, and A_f their part with ``|k| < band`` on each axis, without k = 0
[1]_ ::

    A_f <- X_f;  d_f = 0
    repeat:
        c_f(r) = IFT( exp(-2 B k²) conj(sum over g != f of A_g) A_f )      a grid of n / (2 band n) pixels
        u_f    = position of the largest c_f within the search range, by parabolas through its neighbours
        d_f   += u_f;  then d_f -= d_0
        A_f   <- exp(+2 pi i k . d_f) X_f
    until the u_f - u_0 are small (rms), or after the largest number of iterations

    S(r) = IFT( sum over f of exp(+2 pi i k . d_f) X_f(k) ),  |k| < 1/2

The frequencies of exactly one half, which have no partner, are excluded from S.

References
----------
.. [1] Zivanov, Nakane, Scheres: IUCrJ 6, 5 (2019), doi:10.1107/S205225251801463X (RELION's own implementation);
   Zheng et al.: Nat. Methods 14, 331 (2017), doi:10.1038/nmeth.4193 (MotionCor2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]

SEARCH_PX = 50.0  # largest distance of the peak from the last estimate; as in RELION
CONVERGED_PX = 0.02  # root mean square of the last shifts; RELION stops at 0.5


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """The result for some movies.

    Attributes
    ----------
    shifts
        f64[movies, frames, 2]: shift of each frame down and across, relative to the first, in pixels.
    sums
        f32[movies, rows, columns]: the sum of the frames, each shifted back.
    """

    shifts: F64
    sums: F32


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The cropped spectrum of frames: `rows` x `columns` pixels of the correlation, and the weights of frequencies."""

    frame: tuple[int, int]
    rows: int
    columns: int
    bfactor: float
    iterations: int

    @property
    def step(self) -> F64:
        """Return f64[2]: the distance of two pixels of the correlation in pixels of a frame, down and across."""
        return np.divide(self.frame, (self.rows, self.columns))

    @property
    def reach(self) -> tuple[int, int]:
        """Return the number of pixels of the correlation that are searched on either side."""
        down, across = (int(SEARCH_PX / step) for step in self.step)
        return min(max(down, 2), self.rows // 2 - 1), min(max(across, 2), self.columns // 2 - 1)

    def weights(self, ky: F64, kx: F64) -> F64:
        """Return f64[ky, kx] for frequencies in cycles per frame: exp(-2 B k²), and 0 beyond the band and at k = 0."""
        y, x = ky[:, None], kx[None, :]
        squared = (y / self.frame[0]) ** 2 + (x / self.frame[1]) ** 2
        inside = (np.abs(y) < self.rows // 2) & (np.abs(x) < self.columns // 2) & (squared > 0)
        weight: F64 = np.where(inside, np.exp(-2 * self.bfactor * squared), 0.0)
        return weight


def grid_of(frame: tuple[int, int], *, band: float, bfactor: float, iterations: int) -> Grid:
    """Return the grid for frames of rows x columns: even numbers, 512 for 2048 pixels and a band of 1/8."""
    rows, columns = (min(2 * int(np.ceil(band * size)), size // 2 * 2) for size in frame)
    return Grid(frame=frame, rows=rows, columns=columns, bfactor=bfactor, iterations=iterations)


def frequencies(size: int) -> F64:
    """Return f64[size]: whole cycles per frame, in the order of a transform."""
    return np.fft.fftfreq(size, 1 / size).astype(np.float64)


def vertex(before: float, top: float, behind: float) -> float:
    """Return where a parabola through values at -1, 0 and 1 has its vertex; 0 if it has none."""
    bend = before - 2 * top + behind
    return 0.5 * (before - behind) / bend if bend < 0 else 0.0


def coefficients_at(image: NDArray[np.generic], ky: F64, kx: F64) -> C128:
    """Return c128[ky, kx]: single coefficients of the Fourier transform of an image, each a plain sum."""
    rows, columns = image.shape
    across = np.exp(-2j * np.pi / columns * np.outer(np.arange(columns), kx)).astype(np.complex128)
    down = np.exp(-2j * np.pi / rows * np.outer(ky, np.arange(rows))).astype(np.complex128)
    waves = np.concatenate([across.real, across.imag], axis=1)
    halves = np.empty((rows, waves.shape[1]))
    for first in range(0, rows, 256):  # in float64, some rows at a time
        halves[first : first + 256] = image[first : first + 256].astype(np.float64) @ waves
    made: C128 = down @ (halves[:, : kx.size] + 1j * halves[:, kx.size :])
    return made
