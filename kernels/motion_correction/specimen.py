"""A movie whose drift is known exactly: particles in ice, imaged by a microscope and counted electron by electron.

The numbers are those of a measured data set (beta-galactosidase, EMPIAR-10204, as processed in RELION's
tutorial): 200 kV, 0.885 Å per pixel, Cs 1.4 mm, 0.8 to 1.2 µm of defocus; 24 frames that drift by 8 to 23 pixels,
more and more slowly, with 0.1 to 0.2 pixel of jitter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
C64 = NDArray[np.complex64]
U8 = NDArray[np.uint8]

_PIXEL_A, _WAVELENGTH_A, _CS_A, _AMPLITUDE = 0.885, 0.02508, 1.4e7, 0.1
_ENVELOPE_A2 = 60.0  # B of the microscope's envelope exp(-B k² / 4)
_PARTICLE_A = 65.0  # radius
_CONTRAST = 0.12  # standard deviation of the image, relative to the mean count
_LEVELS, _DRAWS = 128, 1 << 14  # of the table from which counts are drawn: rates, and equally likely outcomes
_MOST = 250  # electrons per pixel and frame


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """The specimens and drifts of the movies of a block.

    Attributes
    ----------
    contrasts
        c64[movies, rows, columns / 2 + 1]: the Fourier transform of the image, relative to the mean.
    drifts
        f64[movies, frames, 2]: shift of each frame down and across, relative to the first, in pixels.
    """

    contrasts: C64
    drifts: F64


def random_contrast(size: int, rng: np.random.Generator) -> C64:
    """Return c64[size, size / 2 + 1]: the Fourier transform of particles and ice as imaged by the microscope."""
    image = np.zeros((size, size), np.float32)
    radius = _PARTICLE_A / _PIXEL_A
    count = max(3, int(0.25 * size**2 / (np.pi * radius**2)))
    for y, x in rng.uniform(0, size, (count, 2)):
        _add_particle(image, y, x, rng.uniform(0.8, 1.2) * radius * min(1.0, size / 512), rng)
    ice = rng.standard_normal((size, size), np.float32)
    image = image / image.std() + 0.5 * ice
    spectrum = scipy.fft.rfft2(image) * _transfer(size, rng.uniform(0.8e4, 1.2e4))
    spectrum[0, 0] = 0
    seen = scipy.fft.irfft2(spectrum, (size, size))
    made: C64 = (spectrum * np.float32(_CONTRAST / seen.std())).astype(np.complex64)
    return made


def random_drift(frames: int, rng: np.random.Generator) -> F64:
    """Return f64[frames, 2]: a drift that decelerates, with jitter, relative to the first frame, pixels."""
    direction, length = rng.uniform(0, 2 * np.pi), rng.uniform(10, 20)
    bend = rng.uniform(-0.5, 0.5)
    progress = 1 - np.exp(-np.arange(frames) / (frames / 2.4))
    angle = direction + bend * progress
    track = length * progress[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    track += rng.normal(0, 0.15, (frames, 2))
    drift: F64 = track - track[0]
    return drift


def count_electrons(contrast: C64, drift: F64, dose: float, rng: np.random.Generator) -> U8:
    """Return u8[frames, rows, columns]: the specimen along its drift, counted at `dose` electrons per pixel."""
    size = contrast.shape[0]
    ky, kx = scipy.fft.fftfreq(size)[:, None], scipy.fft.rfftfreq(size)[None]
    movie = np.empty((len(drift), size, size), np.uint8)
    for frame, (down, across) in zip(movie, drift, strict=True):
        shifted = contrast * np.exp(-2j * np.pi * down * ky).astype(np.complex64)
        shifted *= np.exp(-2j * np.pi * across * kx).astype(np.complex64)
        rates = scipy.fft.irfft2(shifted, (size, size))
        _draw(np.maximum(dose * (1 + rates), 0), rng, frame)
    return movie


def _draw(rates: F32, rng: np.random.Generator, counts: U8) -> None:
    """Write Poisson counts for these rates, which are rounded to 128 levels, each by one access to a table."""
    low, high = float(rates.min()), float(rates.max())
    step = max(high - low, 1e-6) / (_LEVELS - 1)
    table = _poisson_table(low + step * np.arange(_LEVELS))
    for first in range(0, len(rates), 256):
        part = rates[first : first + 256]
        level = ((part - low) * np.float32(1 / step) + np.float32(0.5)).astype(np.uint32)
        draws = rng.integers(0, _DRAWS, part.shape, np.uint16)
        counts[first : first + 256] = table[np.minimum(level, _LEVELS - 1) * _DRAWS + draws]


def _poisson_table(rates: NDArray[Any]) -> U8:
    """Return u8[levels * draws]: for each rate, every outcome in proportion to its probability."""
    count = np.arange(_MOST)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(count[1:]))])
    probable = np.exp(count * np.log(np.maximum(rates, 1e-12))[:, None] - rates[:, None] - log_factorial)
    ends = np.rint(np.cumsum(probable, axis=1) * _DRAWS).astype(np.intp)
    ends[:, -1] = _DRAWS
    often = np.diff(ends, axis=1, prepend=0)
    table: U8 = np.repeat(np.tile(count.astype(np.uint8), len(rates)), often.ravel())
    return table


def _add_particle(image: F32, y: float, x: float, radius: float, rng: np.random.Generator) -> None:
    """Add the projection of a ball of `radius` pixels with a few denser domains in it; the image is periodic."""
    balls = [(0.0, 0.0, 1.0, 1.0)]
    for _ in range(6):
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.7)
        balls.append((distance * np.sin(angle), distance * np.cos(angle), rng.uniform(0.1, 0.3), rng.uniform(2, 5)))
    for dy, dx, part, density in balls:
        middle_y, middle_x, r = y + dy * radius, x + dx * radius, part * radius
        rows = np.arange(int(middle_y - r), int(middle_y + r) + 2)
        columns = np.arange(int(middle_x - r), int(middle_x + r) + 2)
        squared = np.add.outer((rows - middle_y) ** 2, (columns - middle_x) ** 2)
        chord = density * 2 * np.sqrt(np.maximum(r * r - squared, 0)) / radius
        image[np.ix_(rows % image.shape[0], columns % image.shape[1])] += chord


def _transfer(size: int, defocus_a: float) -> F32:
    """Return f32[size, size / 2 + 1]: the contrast transfer function with its envelope; protein is dark."""
    s2 = np.add.outer(scipy.fft.fftfreq(size, _PIXEL_A) ** 2, scipy.fft.rfftfreq(size, _PIXEL_A) ** 2)
    phase = np.pi * _WAVELENGTH_A * defocus_a * s2 - np.pi / 2 * _CS_A * _WAVELENGTH_A**3 * s2**2
    wave = np.sqrt(1 - _AMPLITUDE**2) * np.sin(phase) + _AMPLITUDE * np.cos(phase)
    transfer: F32 = (-wave * np.exp(-_ENVELOPE_A2 / 4 * s2)).astype(np.float32)
    return transfer
