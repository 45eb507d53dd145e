"""scikit-image: `phase_cross_correlation` of every frame with the sum of the others, iterated.

Its normalisation weights all frequencies equally, and most of them contain noise: with few electrons it finds wrong
peaks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from skimage import registration

from daasbench.authoring import Resources

from ..definition import CONVERGED_PX, Aligned, frequencies

if TYPE_CHECKING:
    from ..problem import Frames, Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
C64 = NDArray[np.complex64]

_UPSAMPLED = 20  # its positions are multiples of 1/20 pixel

_correlate: Any = registration.phase_cross_correlation  # has no types


def prepare(problem: Problem, resources: Resources) -> Callable[[Frames], Aligned]:  # noqa: ARG001  (one thread)
    """Return the function that aligns a block of movies."""

    def compute(movies: Frames) -> Aligned:
        found = [_align(movie, problem.grid.iterations) for movie in movies]
        return Aligned(shifts=np.stack([shifts for shifts, _ in found]), sums=np.stack([image for _, image in found]))

    return compute


def _align(movie: Frames, iterations: int) -> tuple[F64, F32]:
    """Return the shifts and the sum of one movie."""
    spectra = np.stack([scipy.fft.fft2(frame.astype(np.float32)) for frame in movie])
    shifts = np.zeros((len(movie), 2))
    for _ in range(iterations):
        total = spectra.sum(axis=0)
        moves = [
            _correlate(total - spectrum, spectrum, upsample_factor=_UPSAMPLED, space="fourier")[0]
            for spectrum in spectra
        ]
        found = -np.array(moves, np.float64)
        found -= found[0].copy()
        shifts += found
        for spectrum, shift in zip(spectra, found, strict=True):
            spectrum *= _wave(shift, spectrum.shape)
        if np.sqrt((found**2).sum(axis=1).mean()) < CONVERGED_PX:
            break
    return shifts, scipy.fft.ifft2(spectra.sum(axis=0)).real.astype(np.float32)


def _wave(shift: F64, shape: tuple[int, ...]) -> C64:
    """Return the factor that shifts a spectrum back by `shift`."""
    down, across = (
        np.exp(2j * np.pi * moved / size * frequencies(size)).astype(np.complex64)
        for moved, size in zip(shift, shape, strict=True)
    )
    wave: C64 = down[:, None] * across
    return wave
