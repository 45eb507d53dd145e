"""The PONI geometry: positions of the pixels of a flat detector relative to the sample and the beam.

The detector is a flat grid, `distance_m` from the sample at the *point of normal incidence* (PONI), then rotated
by three angles about the sample. Definition: Kieffer & Karkoulis, J. Phys. Conf. Ser. 425, 202012 (2013),
doi:10.1088/1742-6596/425/20/202012.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import InputError

if TYPE_CHECKING:
    from .options import Unit

    Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """A flat detector of `shape` (rows, columns) in space; lengths in metre, angles in radian.

    Axis 1 counts rows, axis 2 columns. `flip1` and `flip2`: the index grows against its axis.
    `wavelength_m` is None if the file does not state it: then only 2theta and r can be computed.
    """

    shape: tuple[int, int]
    pixel1_m: float
    pixel2_m: float
    distance_m: float
    poni1_m: float
    poni2_m: float
    rot1: float = 0.0
    rot2: float = 0.0
    rot3: float = 0.0
    wavelength_m: float | None = None
    flip1: bool = False
    flip2: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError if a number is not possible; the reader of the file adds the path."""
        positive = {"distance": self.distance_m, "pixel1": self.pixel1_m, "pixel2": self.pixel2_m}
        if self.wavelength_m is not None:
            positive["wavelength"] = self.wavelength_m
        for name, length_m in positive.items():
            if not 0 < length_m < math.inf:
                raise ValueError(f"{name} is {length_m:g} m; it must be above 0")
        if not all(map(math.isfinite, (self.poni1_m, self.poni2_m, self.rot1, self.rot2, self.rot3))):
            raise ValueError("poni1, poni2, rot1, rot2 and rot3 must be finite numbers")

    def rotation(self) -> Array:
        """Return the 3 x 3 matrix from detector axes (1, 2, normal) to the laboratory (up, sideways, beam)."""
        (c1, s1), (c2, s2), (c3, s3) = ((math.cos(a), math.sin(a)) for a in (self.rot1, self.rot2, self.rot3))
        about1 = np.array([[1, 0, 0], [0, c1, s1], [0, -s1, c1]])  # left-handed, as in the definition
        about2 = np.array([[c2, 0, -s2], [0, 1, 0], [s2, 0, c2]])  # left-handed
        about3 = np.array([[c3, -s3, 0], [s3, c3, 0], [0, 0, 1]])
        rotation: Array = about3 @ about2 @ about1
        return rotation

    def centres(self) -> Positions:
        """Return the positions of the pixels' centres, arrays of the detector's shape."""
        rows, columns = (np.arange(n) + 0.5 for n in self.shape)
        return self.positions(rows[:, None], columns[None, :])

    def corners(self) -> Positions:
        """Return the positions of the corners of the pixels: one more row and column than there are pixels."""
        rows, columns = (np.arange(n + 1.0) for n in self.shape)
        return self.positions(rows[:, None], columns[None, :])

    def beam(self) -> tuple[float, float] | None:
        """Return row and column, with fractions, where the beam's line crosses the detector; None if it misses it."""
        ny, nx = self.shape
        on1, on2, on3 = self.rotation()[2]  # the beam, in the detector's axes
        if not on3:
            return None
        row = (self.poni1_m + self.distance_m * on1 / on3) / self.pixel1_m
        column = (self.poni2_m + self.distance_m * on2 / on3) / self.pixel2_m
        row, column = ny - row if self.flip1 else row, nx - column if self.flip2 else column
        return (float(row), float(column)) if 0 <= row <= ny and 0 <= column <= nx else None

    def extremes(self, unit: Unit) -> tuple[float, float]:
        """Return the smallest and the largest radial coordinate on the detector.

        They are on its outline, or where the beam's line crosses it.
        """
        ny, nx = self.shape
        rows, columns = np.arange(ny + 1.0), np.arange(nx + 1.0)
        candidates = [(rows[:, None], np.array([[0.0, nx]])), (np.array([[0.0], [ny]]), columns[None, :])]
        beam = self.beam()
        if beam is not None:
            candidates.append((np.array([[beam[0]]]), np.array([[beam[1]]])))
        found = np.concatenate([self.positions(*at).radial(unit).ravel() for at in candidates])
        return float(found.min()), float(found.max())

    def positions(self, rows: Array, columns: Array) -> Positions:
        """Return the positions of points on the detector, given as fractional row and column."""
        along1 = (self.shape[0] - rows if self.flip1 else rows) * self.pixel1_m - self.poni1_m
        along2 = (self.shape[1] - columns if self.flip2 else columns) * self.pixel2_m - self.poni2_m
        up, sideways, beam = (row[0] * along1 + (row[1] * along2 + row[2] * self.distance_m) for row in self.rotation())
        return Positions(up=up, sideways=sideways, beam=beam, wavelength_m=self.wavelength_m)

    def solid_angle(self) -> Array:
        """Return the solid angle of each pixel relative to a pixel at the PONI: f64[rows, columns], cos³(incidence)."""
        at = self.centres()
        relative: Array = (self.distance_m / np.sqrt(at.up**2 + at.sideways**2 + at.beam**2)) ** 3
        return relative


@dataclass(frozen=True, kw_only=True)
class Positions:
    """Points in the laboratory, in metre from the sample: arrays of one shape."""

    up: Array
    sideways: Array
    beam: Array
    wavelength_m: float | None

    def radial(self, unit: Unit) -> Array:
        """Return the radial coordinate in `unit`, f64; raise InputError for q without a wavelength."""
        from_beam = np.hypot(self.up, self.sideways)
        if unit == "r_mm":
            return np.asarray(from_beam * 1e3)
        two_theta = np.arctan2(from_beam, self.beam)
        if unit == "2th_rad":
            return two_theta
        if unit == "2th_deg":
            return np.degrees(two_theta)
        if self.wavelength_m is None:
            raise InputError(
                f"unit = {unit!r} needs a wavelength, but the geometry has none; use unit=2th_deg or unit=r_mm"
            )
        per_nm = 4e-9 * math.pi / self.wavelength_m * np.sin(two_theta / 2)
        return np.asarray(per_nm if unit == "q_nm^-1" else per_nm / 10)

    def azimuth(self) -> Array:
        """Return the angle about the beam, from sideways to up: f64, -π to π."""
        return np.arctan2(self.up, self.sideways)
