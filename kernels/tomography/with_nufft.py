"""Filtered back-projection by one non-uniform FFT, after the Fourier slice theorem.

The transform of a projection is the transform of the image along a line through the origin. Therefore the filtered
spectra are Fourier coefficients at the points of a polar grid, and their sum at all pixels is a two-dimensional
non-uniform transform of type 1 [1]_: N² log N work instead of N² Ntheta. Values between detector pixels are those of
the band-limited function through the pixels, not linearly interpolated.

Two slices are the real and the imaginary part of one complex transform, because all operations on them are real.

References
----------
.. [1] Barnett, Magland, af Klinteberg: SIAM J. Sci. Comput. 41, C479 (2019), doi:10.1137/18M120885X (FINUFFT).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import finufft
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from daasbench.authoring import Resources

from .definition import padded_length, ramp

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
C64 = NDArray[np.complex64]

_ACCURACY = 1e-4  # relative, requested from the transform
_SLICES = 16  # transformed together, to share the search for each point's neighbours


def prepare(problem: Problem, resources: Resources) -> Callable[[F32], F32]:
    """Return the function that turns a block of sinograms into a volume."""
    detector = problem.blocks[0].shape[2]
    length = padded_length(detector)
    weights = _weights(problem.angles, problem.centre, detector)
    frequencies = 2 * np.pi * scipy.fft.fftfreq(length)
    pairs = (min(problem.blocks[0].shape[0], _SLICES) + 1) // 2
    plan = finufft.Plan(
        1,
        (detector, detector),
        n_trans=pairs,
        eps=_ACCURACY,
        isign=1,
        dtype="complex64",
        nthreads=resources.threads,
    )
    plan.setpts(
        np.outer(np.sin(problem.angles), frequencies).astype(np.float32).ravel(),
        np.outer(np.cos(problem.angles), frequencies).astype(np.float32).ravel(),
    )

    def compute(sinograms: F32) -> F32:
        volume = np.empty((sinograms.shape[0], detector, detector), np.float32)
        for first in range(0, sinograms.shape[0], 2 * pairs):
            spectra = scipy.fft.fft(_paired(sinograms[first:], pairs), length, workers=resources.threads)
            spectra *= weights
            images = plan.execute(spectra.reshape(pairs, -1)).reshape(pairs, detector, detector)
            volume[first : first + 2 * pairs : 2] = images.real[: (len(volume) - first + 1) // 2]
            volume[first + 1 : first + 2 * pairs : 2] = images.imag[: (len(volume) - first) // 2]
        return volume

    return compute


def _paired(sinograms: F32, pairs: int) -> C64:
    """Return c64[pairs, angles, detector]: slices 0, 2, 4 ... as real, 1, 3, 5 ... as imaginary parts, then zeros."""
    paired = np.zeros((pairs, *sinograms.shape[1:]), np.complex64)
    even, odd = sinograms[: 2 * pairs : 2], sinograms[1 : 2 * pairs : 2]
    paired.real[: len(even)] = even
    paired.imag[: len(odd)] = odd
    return paired


def _weights(angles: F64, centre: float, detector: int) -> C64:
    """Return c64[angles, padded_length]: the ramp, the shift of the rotation axis to 0, and of the pixel grid.

    The transform's pixels lie at whole numbers, those of an image with an even number of pixels at halves.
    """
    length = padded_length(detector)
    frequencies = scipy.fft.fftfreq(length)
    offsets = (np.arange(length) + length // 2) % length - length // 2
    response = np.fft.fft(ramp(offsets)).real * np.pi / angles.size / length
    response[length // 2] = 0  # the last frequency has no partner
    half = 0.5 if detector % 2 == 0 else 0.0
    shift = centre + half * (np.cos(angles) + np.sin(angles))
    weights: C64 = (response * np.exp(2j * np.pi * np.outer(shift, frequencies))).astype(np.complex64)
    return weights
