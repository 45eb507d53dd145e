"""The scattering vector of each pixel: a four-circle diffractometer with an area detector, as at ESRF ID01."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

KEV_ANGSTROM = 12.398419843320026  # h c, from the constants of SI 2019


@dataclass(frozen=True, kw_only=True)
class Diffractometer:
    """A detector on two circles (nu outside delta) and a sample on two circles (eta outside phi).

    The beam is along x, z is up, and x, y, z are right-handed. delta and eta rotate about -y (a positive delta lifts
    the detector), nu and phi about -z. Rows of the detector are counted down (-z), columns along +y: the convention
    of xsocs.

    Attributes
    ----------
    energy_kev
        Photon energy.
    distance_m
        Distance from the sample to the detector.
    pixel_m
        Height and width of a pixel.
    centre
        Row and column of the direct beam on the detector when nu and delta are 0; the centre of the first pixel
        is 0.
    shape
        Numbers of rows and columns.
    eta, phi, nu, delta
        f64[angles], degree.
    """

    energy_kev: float
    distance_m: float
    pixel_m: tuple[float, float]
    centre: tuple[float, float]
    shape: tuple[int, int]
    eta: F64
    phi: F64
    nu: F64
    delta: F64

    @property
    def angles(self) -> int:
        """Return the number of angles of the rocking scan."""
        return int(self.eta.size)

    @property
    def wavenumber(self) -> float:
        """Return 2 pi / wavelength, in 1/Å."""
        return float(2 * np.pi * self.energy_kev / KEV_ANGSTROM)

    def q(self, angle: int) -> F64:
        """Return f64[rows, columns, 3]: the scattering vectors (qx, qy, qz) of a frame's pixels, in 1/Å.

        ``q = (R_eta R_phi)^-1 k (R_nu R_delta r / |r| - x)``,
        where r is the vector from the sample to the pixel when all angles are 0.
        """
        rows, columns = (np.arange(count, dtype=np.float64) for count in self.shape)
        pixels = np.empty((*self.shape, 3))
        pixels[..., 0] = self.distance_m
        pixels[..., 1] = (columns - self.centre[1]) * self.pixel_m[1]
        pixels[..., 2] = -((rows - self.centre[0]) * self.pixel_m[0])[:, None]
        pixels /= np.linalg.norm(pixels, axis=2, keepdims=True)
        detector = _about_z(-self.nu[angle]) @ _about_y(-self.delta[angle])
        sample = _about_y(-self.eta[angle]) @ _about_z(-self.phi[angle])
        scattered = pixels @ detector.T - np.array([1.0, 0.0, 0.0])
        q: F64 = self.wavenumber * (
            scattered @ sample
        )  # multiplying by the transpose from the right is the inverse rotation
        return q


def _about_y(angle_deg: float) -> F64:
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])


def _about_z(angle_deg: float) -> F64:
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
