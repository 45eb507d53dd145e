"""An object that is known exactly: a flat sample with inclusions, its projections and its density in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_FINE = 4  # points per pixel and axis over which a density is averaged
_INCLUSIONS = 10


@dataclass(frozen=True, kw_only=True)
class Phantom:
    """Ellipses along the axes, with the same outlines and different densities in all slices.

    Attributes
    ----------
    outlines
        f64[ellipses, 4]: centre x and y, half axes along x and y; pixels, from the rotation axis.
    densities
        f64[slices, ellipses], per pixel; where ellipses overlap they add.
    """

    outlines: F64
    densities: F64

    def sinograms(self, angles: F64, centre: float, detector: int) -> F64:
        """Return f64[slices, angles, detector]: the line integrals through the centres of the detector pixels."""
        rays = np.arange(detector) - centre
        chords = np.zeros((len(self.outlines), angles.size, detector))
        for chord, (x, y, a, b) in zip(chords, self.outlines, strict=True):
            half = np.hypot(a * np.cos(angles), b * np.sin(angles))[:, None]  # of the shadow
            u = (rays - (x * np.cos(angles) + y * np.sin(angles))[:, None]) / half
            chord[:] = 2 * a * b / half * np.sqrt(np.maximum(0, 1 - u * u))
        made: F64 = np.tensordot(self.densities, chords, 1)
        return made

    def density(self, combination: F64, size: int) -> F64:
        """Return f64[size, size]: the sum over the slices, each times its number of `combination`."""
        fine = (np.arange(size * _FINE) + 0.5) / _FINE - size / 2
        image = np.zeros((size * _FINE, size * _FINE), np.float32)
        for (x, y, a, b), density in zip(self.outlines, combination @ self.densities, strict=True):
            image[np.add.outer(((fine - y) / b) ** 2, ((fine - x) / a) ** 2) <= 1] += density
        made: F64 = image.reshape(size, _FINE, size, _FINE).mean(axis=(1, 3), dtype=np.float64)
        return made


def random_phantom(size: int, slices: int, rng: np.random.Generator) -> Phantom:
    """Return a lamella of 0.84 x 0.36 of an image of `size` pixels squared, with particles and pores in it."""
    body = [0.0, 0.0, 0.42 * size, 0.18 * size]
    along, through = rng.uniform(-0.3, 0.3, _INCLUSIONS), rng.uniform(-0.08, 0.08, _INCLUSIONS)
    axes = rng.uniform(0.015, 0.06, (_INCLUSIONS, 2))
    inclusions = np.column_stack([along, through, axes]) * size
    densities = rng.choice([-1.0, 1.0], _INCLUSIONS) * rng.uniform(0.2, 0.8, _INCLUSIONS)
    growth = rng.uniform(0.5, 1.5, (slices, _INCLUSIONS + 1))  # every slice is different
    return Phantom(outlines=np.vstack([body, inclusions]), densities=growth * np.concatenate([[1.0], densities]))


def with_noise(integrals: F64, photons: float | None, rng: np.random.Generator) -> F32:
    """Return f32 line integrals as measured with `photons` in the open beam; the densest ray transmits exp(-2)."""
    if photons is None:
        return integrals.astype(np.float32)
    scale = 2 / integrals.max()
    counts = np.maximum(rng.poisson(photons * np.exp(-scale * integrals)), 1)
    noisy: F32 = (np.log(photons / counts) / scale).astype(np.float32)
    return noisy
