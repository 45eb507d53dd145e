"""The bin of q of each pixel of an upright flat detector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """An upright detector of `shape` (rows, columns); lengths in metre, the position of the beam in pixels."""

    shape: tuple[int, int]
    distance_m: float
    pixel_m: float
    wavelength_m: float
    beam_row: float
    beam_column: float

    def tangent(self) -> F64:
        """Return tan(2theta) of the pixels' centres: f64[rows, columns]."""
        rows, columns = (np.arange(n) + 0.5 for n in self.shape)
        from_beam = np.hypot(rows[:, None] - self.beam_row, columns[None, :] - self.beam_column)
        return np.asarray(from_beam * self.pixel_m / self.distance_m)

    def q(self, tangent: Any) -> Any:
        """Return the momentum transfer in 1/nm: 4 pi / wavelength sin(theta)."""
        return 4e-9 * math.pi / self.wavelength_m * np.sin(np.arctan(tangent) / 2)

    def q_max(self) -> float:
        """Return q of the corner farthest from the beam, in 1/nm."""
        far = [max(abs(at), abs(n - at)) for at, n in zip((self.beam_row, self.beam_column), self.shape, strict=True)]
        return float(self.q(math.hypot(*far) * self.pixel_m / self.distance_m))

    def edges(self, bins: int) -> F64:
        """Return the edges of the bins in 1/nm: f64[bins + 1]."""
        return np.linspace(0.0, self.q_max(), bins + 1)

    def bin_of_pixel(self, bins: int, mask: NDArray[np.bool_]) -> NDArray[np.uint16]:
        """Return u16[pixels], in detector order: the bin of the pixel's centre; `bins` if the pixel is masked."""
        bin_of_pixel = np.floor(self.q(self.tangent()) * (bins / self.q_max())).astype(np.int64)
        return np.where(mask, bins, np.minimum(bin_of_pixel, bins - 1)).astype(np.uint16).ravel()

    def solid_angle(self) -> F64:
        """Return the solid angle of the pixels relative to a pixel in the beam, cos³(2theta): f64[pixels]."""
        return np.asarray((1 + self.tangent() ** 2) ** -1.5).ravel()
