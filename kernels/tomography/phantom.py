"""An object that is known exactly: ellipses, their projections and their density, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_FINE = 4  # points per pixel and axis over which a density is averaged


@dataclass(frozen=True, kw_only=True)
class Phantom:
    """Ellipses whose outlines are the same in all slices and whose densities differ.

    Attributes
    ----------
    outlines
        f64[ellipses, 5]: centre x and y, semi-axes a and b (pixels, from the rotation axis), tilt (radian).
    densities
        f64[slices, ellipses], per pixel; where ellipses overlap they add.
    """

    outlines: F64
    densities: F64

    def sinograms(self, angles: F64, centre: float, detector: int) -> F32:
        """Return f32[slices, angles, detector]: the exact line integrals, averaged over each detector pixel."""
        edges = np.arange(detector + 1, dtype=np.float64) - (0.5 + centre)
        shadows = [_shadow(outline, angles, edges) for outline in self.outlines]
        stack = np.stack(shadows).reshape(len(shadows), -1).astype(np.float32)
        projected: F32 = self.densities.astype(np.float32) @ stack
        return projected.reshape(-1, angles.size, detector)

    def density(self, slices: NDArray[np.intp], x: F64, y: F64) -> F64:
        """Return f64[points]: the mean density over the pixels around `x` and `y`, in their `slices`."""
        steps = (np.arange(_FINE) + 0.5) / _FINE - 0.5
        covered = np.zeros((self.outlines.shape[0], x.size))
        for dx in steps:
            for dy in steps:
                covered += _inside(self.outlines, x + dx, y + dy) / _FINE**2
        mean: F64 = np.einsum("pe,ep->p", self.densities[slices], covered)
        return mean


def random_phantom(size: int, slices: int, rng: np.random.Generator) -> Phantom:
    """Return a body with eight inclusions that fills 0.8 of an image of `size` pixels squared."""
    radius, count = size / 2, 8
    body = [0.0, 0.0, 0.62 * radius, 0.80 * radius, rng.uniform(0, np.pi)]
    polar_angle, distance = rng.uniform(0, 2 * np.pi, count), rng.uniform(0.05, 0.40, count) * radius
    inclusions = np.column_stack(
        [
            distance * np.cos(polar_angle),
            distance * np.sin(polar_angle),
            rng.uniform(0.06, 0.20, count) * radius,
            rng.uniform(0.06, 0.20, count) * radius,
            rng.uniform(0, np.pi, count),
        ]
    )
    densities = rng.choice([-1.0, 1.0], count) * rng.uniform(0.1, 0.4, count)
    growth = rng.uniform(0.5, 1.5, (slices, count + 1))  # every slice is different
    return Phantom(outlines=np.vstack([body, inclusions]), densities=growth * np.concatenate([[1.0], densities]))


def _shadow(outline: F64, angles: F64, edges: F64) -> F64:
    """Return f64[angles, pixels]: the mean chord of an ellipse over each pixel between `edges`."""
    x, y, a, b, tilt = outline
    half = np.hypot(a * np.cos(angles - tilt), b * np.sin(angles - tilt))[:, None]  # half width of the shadow
    offset = edges - (x * np.cos(angles) + y * np.sin(angles))[:, None]
    s = np.clip(offset / half, -1, 1)
    area = a * b * (s * np.sqrt(1 - s * s) + np.arcsin(s))  # area of the ellipse on the left of s
    mean: F64 = np.diff(area, axis=1)
    return mean


def _inside(outlines: F64, x: F64, y: F64) -> NDArray[np.bool_]:
    cx, cy, a, b, tilt = outlines.T[:, :, None]
    along = (x - cx) * np.cos(tilt) + (y - cy) * np.sin(tilt)
    across = (y - cy) * np.cos(tilt) - (x - cx) * np.sin(tilt)
    within: NDArray[np.bool_] = (along / a) ** 2 + (across / b) ** 2 <= 1
    return within
