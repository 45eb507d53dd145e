"""Shift projections along the detector by fractions of a pixel, for packages with a fixed rotation axis."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ..definition import padded_length

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


class Shift:
    """A shift of the projections of a sinogram, by a phase ramp over their spectra.

    Parameters
    ----------
    detector
        Pixels of a projection.
    columns
        Pixels of a shifted projection.
    pixels
        f64[angles]: the shift of each projection towards higher pixels.
    """

    def __init__(self, detector: int, columns: int, pixels: F64) -> None:
        self._length = padded_length(max(detector, columns))
        frequencies = scipy.fft.rfftfreq(self._length)
        self._waves = np.exp(-2j * np.pi * np.outer(pixels, frequencies)).astype(np.complex64)
        self._columns = columns

    def __call__(self, sinogram: F32) -> F32:
        """Return f32[angles, columns]: the shifted projections."""
        spectra = scipy.fft.rfft(sinogram, self._length) * self._waves
        moved: F32 = scipy.fft.irfft(spectra, self._length)[:, : self._columns]
        return np.ascontiguousarray(moved)
