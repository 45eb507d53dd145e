"""A beam, a scan and a sample that are known exactly, and the frames that a detector would measure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

C64 = NDArray[np.complex64]
F32 = NDArray[np.float32]
Corners = NDArray[np.int32]

_APERTURE, _STOP = 0.25, 0.06  # radii of a zone plate and its central stop in the Fourier plane, of n
_SPOT = 0.15  # radius of the defocused beam, of n
_STEP = 0.11  # between positions, of n: neighbours share two thirds of the beam
_JITTER = 0.25  # of the step: a raster without it would leave a grid in the object
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The truth of the frames of one block.

    Attributes
    ----------
    object
        c64[rows, columns], transmission.
    probe
        c64[n, n].
    floor
        R of the noise alone: Σ |√λ - √I| / Σ √I, λ the mean of the counts I.
    """

    object: C64
    probe: C64
    floor: float


def focused_probe(pixels: int, photons: float, defocus: float = 1.0) -> C64:
    """Return c64[n, n]: a centred, defocused beam of a zone plate with `photons` in total.

    At `defocus` 1 the beam's radius is 0.15 n.
    """
    k = np.arange(pixels) - pixels // 2
    radius = np.hypot(k[:, None], k)
    edge = _APERTURE * pixels
    pupil = 1 / (1 + np.exp((radius - edge) / 0.5)) - 1 / (1 + np.exp((radius - _STOP * pixels) / 0.5))
    curvature = np.pi * _SPOT / edge
    wave = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(pupil * np.exp(1j * defocus * curvature * radius**2))))
    probe: C64 = (wave * np.sqrt(photons / np.sum(np.abs(wave) ** 2))).astype(np.complex64)
    return probe


def scan_corners(frames: int, pixels: int, pattern: str, rng: np.random.Generator) -> Corners:
    """Return i32[frames, 2]: windows of a square scan, in rows with jitter or along a spiral, the first at 0."""
    step = max(1.0, _STEP * pixels)
    if pattern == "spiral":
        polar_angle = np.arange(frames) * _GOLDEN_ANGLE
        radius = step * np.sqrt(np.arange(frames) / np.pi)
        places = np.column_stack([radius * np.sin(polar_angle), radius * np.cos(polar_angle)])
    else:
        side = int(np.ceil(np.sqrt(frames)))
        index = np.arange(frames)
        places = step * np.column_stack([index // side, index % side])
        places += step * _JITTER * rng.uniform(-1, 1, places.shape)
    whole = np.round(places).astype(np.int32)
    corners: Corners = whole - whole.min(axis=0)
    return corners


def random_object(shape: tuple[int, int], rng: np.random.Generator) -> C64:
    """Return c64 transmission: a Siemens star of gold, and weakly absorbing cells around it."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    extent = min(shape)
    middle = np.array(shape) / 2 + rng.uniform(-0.1, 0.1, 2) * extent
    radius = np.hypot(y - middle[0], x - middle[1])
    angle = np.arctan2(y - middle[0], x - middle[1])
    spokes, rotation = rng.integers(9, 15), rng.uniform(0, 2 * np.pi)
    edge = np.sin(spokes * angle + rotation) * radius / spokes  # in pixels across a spoke's border
    inside = (radius > 0.05 * extent) & (radius < 0.33 * extent)
    thickness = inside / (1 + np.exp(-edge / 0.5))
    phase, absorption = -0.8 * thickness, 0.25 * thickness
    for _ in range(24):
        centre, size = rng.uniform(0, 1, 2) * shape, rng.uniform(0.02, 0.09) * extent
        away = np.hypot(y - centre[0], x - centre[1]) / size
        cell = np.sqrt(np.clip(1 - away**2, 0, None)) * rng.uniform(0.2, 0.5)
        phase, absorption = phase - cell, absorption + 0.1 * cell
    image: C64 = np.exp(1j * phase - absorption).astype(np.complex64)
    return image


def counted_frames(image: C64, probe: C64, corners: Corners, rng: np.random.Generator) -> tuple[F32, float]:
    """Return f32[frames, n, n] photons with the beam at pixel n / 2, and the R of their noise."""
    pixels = probe.shape[0]
    frames = np.empty((len(corners), pixels, pixels), np.float32)
    missed = total = 0.0
    for frame, (row, column) in zip(frames, corners, strict=True):
        exit_wave = probe * image[row : row + pixels, column : column + pixels]
        mean = np.abs(np.fft.fftshift(np.fft.fft2(exit_wave.astype(np.complex128), norm="ortho"))) ** 2
        frame[:] = rng.poisson(mean)
        missed += float(np.abs(np.sqrt(mean) - np.sqrt(frame)).sum())
        total += float(np.sqrt(frame).sum())
    return frames, missed / total


def side(frames: int, pixels: int) -> float:
    """Return the approximate number of rows and columns of the object of a generated scan."""
    return pixels + _STEP * pixels * (math.ceil(math.sqrt(frames)) - 1)
