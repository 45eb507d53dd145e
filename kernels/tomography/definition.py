"""The formula, and its direct evaluation at single pixels, with which implementations are compared.

A pixel in row i and column j of an image of N x N lies at ``x = j - (N - 1) / 2``, ``y = i - (N - 1) / 2``.
At the angle theta it projects to the detector position ``t = x cos(theta) + y sin(theta) + centre``, in
pixels. With the projections p and the ramp h [1]_ ::

    q(theta, k) = sum over n of h(k - n) p(theta, n)
    f(x, y)     = pi / Ntheta * sum over theta of q(theta, t)

where q is interpolated linearly between two pixels and is zero beyond the detector. For methods that work in Fourier
space, q is the band-limited function through its samples (with the period `padded_length`).

This module shares only the values of the ramp and the geometry with the implementations.

References
----------
.. [1] Ramachandran, Lakshminarayanan: PNAS 68, 2236 (1971), doi:10.1073/pnas.68.9.2236;
   Kak, Slaney: Principles of Computerized Tomographic Imaging, doi:10.1137/1.9780898719277, eq. 61.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Index = NDArray[np.intp]

_ANGLES = 16  # angles at a time, which bounds the memory for exponentials


def padded_length(detector: int) -> int:
    """Return the power of two, at least twice the detector, to which projections are padded with zeros."""
    return 1 << (2 * detector - 1).bit_length()


def ramp(offsets: Index) -> F64:
    """Return the Ram-Lak filter at whole pixels: 1/4 at 0, -1 / (pi n)^2 at odd n, 0 at even n."""
    odd = offsets % 2 != 0
    values = np.zeros(offsets.shape)
    values[odd] = -1 / (np.pi * offsets[odd]) ** 2
    values[offsets == 0] = 0.25
    return values


def pixel_grid(size: int) -> F64:
    """Return f64[size]: the coordinates of the pixels along one axis of an image, from the rotation axis."""
    return np.arange(size, dtype=np.float64) - (size - 1) / 2


def linear_at(sinograms: F32, angles: F64, centre: float, slices: Index, rows: Index, columns: Index) -> F64:
    """Return f64[points]: the definition with linear interpolation, in float64, at single pixels.

    Parameters
    ----------
    sinograms
        f32[Nz, Ntheta, Nd], line integrals.
    slices, rows, columns
        The indices of the pixels, arrays of equal length.
    """
    detector = sinograms.shape[2]
    x, y = pixel_grid(detector)[columns], pixel_grid(detector)[rows]
    pixels = np.arange(detector)
    convolution = ramp(np.subtract.outer(pixels, pixels))
    values = np.zeros(slices.size)
    for z in np.unique(slices):
        chosen = np.flatnonzero(slices == z)
        t = np.outer(np.cos(angles), x[chosen]) + np.outer(np.sin(angles), y[chosen]) + centre + 1
        filtered = np.pad(sinograms[z].astype(np.float64) @ convolution, ((0, 0), (1, 1)))
        for q, position in zip(filtered, t, strict=True):
            values[chosen] += np.interp(position, np.arange(detector + 2), q)
    return values * np.pi / angles.size


def bandlimited_at(blocks: Sequence[F32], angles: F64, centre: float, rows: Index, columns: Index) -> F64:
    """Return f64[blocks, Nz, points]: the definition with band-limited interpolation, at single pixels.

    Each value is a direct sum over frequencies. The points are the same in all slices of all blocks, so that the
    exponentials are computed once.
    """
    slices, _, detector = blocks[0].shape
    length = padded_length(detector)
    x, y = pixel_grid(detector)[columns], pixel_grid(detector)[rows]
    response = np.fft.rfft(ramp((np.arange(length) + length // 2) % length - length // 2)).real
    response[1:] *= 2  # k and -k together
    response[-1] = 0  # the last frequency has no partner
    values = np.zeros((len(blocks) * slices, rows.size))
    for first in range(0, angles.size, _ANGLES):
        batch = angles[first : first + _ANGLES]
        t = np.outer(np.cos(batch), x) + np.outer(np.sin(batch), y) + centre
        waves = np.exp(2j * np.pi / length * np.arange(response.size)[:, None] * t[:, None])
        projections = np.concatenate([block[:, first : first + _ANGLES] for block in blocks]).astype(np.float64)
        spectra = np.fft.rfft(projections, length) * (response / length)
        values += (spectra.reshape(len(values), -1) @ waves.reshape(-1, rows.size)).real
    return values.reshape(len(blocks), slices, rows.size) * np.pi / angles.size
