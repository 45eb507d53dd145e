"""The linear model of a spectrum: one column per family of lines, scatter peak or component of the continuum.

The spectrum expected in channel c is ``sum over k of A[c, k] a[k]``, where a[k] is the number of counts of component
k. A line at energy E is a Gaussian of the detector's resolution [1]_ ::

    sigma(E)^2 = (noise / 2.3548)^2 + 3.85 eV * fano * E

Scatter is a peak at the beam's energy and the wider Compton peak at ``E / (1 + E / 511 keV (1 - cos))``.
The continuum is a polynomial in the Bernstein basis: a combination with non-negative coefficients is non-negative.

References
----------
.. [1] Van Grieken, Markowicz: Handbook of X-Ray Spectrometry, 2nd ed. (2001), chapter 4, doi:10.1201/9780203908709.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .lines import Lines, table

F64 = NDArray[np.float64]

FWHM = 2.3548  # of a Gaussian, in standard deviations
PAIR_KEV = 0.00385  # energy of an electron-hole pair in silicon, the value of PyMca
ELECTRON_KEV = 510.99895
LEAST_SEEN = 0.05  # of a family's photons that must fall into the fitted range


@dataclass(frozen=True, kw_only=True)
class Detector:
    """The energy calibration and the resolution of the detector.

    Attributes
    ----------
    offset, gain, curvature
        Energy of channel c in keV: ``offset + gain c + curvature c^2``.
    noise
        Full width at half maximum of a line at zero energy, keV.
    fano
        Fano factor of silicon.
    """

    offset: float
    gain: float
    curvature: float = 0.0
    noise: float
    fano: float

    def energies(self, channels: int) -> F64:
        """Return f64[channels], keV."""
        c = np.arange(channels, dtype=np.float64)
        return self.offset + self.gain * c + self.curvature * c * c

    def sigma(self, energy: float) -> float:
        """Return the standard deviation in keV of a line at `energy`."""
        return math.sqrt((self.noise / FWHM) ** 2 + PAIR_KEV * self.fano * max(energy, 0.0))


@dataclass(frozen=True, kw_only=True)
class Beam:
    """The beam: energy in keV, scattering angle in degree, and width of the Compton peak relative to a line."""

    energy: float
    angle: float = 90.0
    widening: float = 1.6

    @property
    def compton_energy(self) -> float:
        """Return the energy in keV after scattering by a free electron."""
        return self.energy / (1 + self.energy / ELECTRON_KEV * (1 - math.cos(math.radians(self.angle))))


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The parameters of the model of a spectrum.

    Attributes
    ----------
    families
        Names as ``Fe K`` or ``Pb L``.
    channels
        Number of channels of a spectrum.
    first, last
        Channels from `first` on and before `last` are fitted.
    beam
        None: no scatter peaks.
    degree
        Degree of the polynomial of the continuum; None: no continuum.
    """

    detector: Detector
    families: tuple[str, ...]
    channels: int
    first: int
    last: int
    beam: Beam | None = None
    degree: int | None = None

    def model(self) -> Model:
        """Return the matrix of the fitted range."""
        whole = self.columns()
        return Model(
            names=tuple(whole),
            first=self.first,
            last=self.last,
            elements=len(self.families),
            matrix=np.column_stack([column[self.first : self.last] for column in whole.values()]),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of fitted channels and of components."""
        continuum = 0 if self.degree is None else self.degree + 1
        return self.last - self.first, len(self.families) + 2 * (self.beam is not None) + continuum

    def columns(self) -> dict[str, F64]:
        """Return every component over all channels, normalised to one count: f64[channels] by name."""
        made = {name: self._peaks(table()[name]) for name in self.families}
        if self.beam is not None:
            made["elastic"] = self._peak(self.beam.energy, self.detector.sigma(self.beam.energy))
            energy = self.beam.compton_energy
            made["Compton"] = self._peak(energy, self.detector.sigma(energy) * self.beam.widening)
        if self.degree is not None:
            made |= self._continuum(self.degree)
        return made

    def seen(self, family: str) -> float:
        """Return the share of a family's photons that falls into the fitted range."""
        return float(self._peaks(table()[family])[self.first : self.last].sum())

    def _peaks(self, lines: Lines) -> F64:
        peaks = [share * self._peak(energy, self.detector.sigma(energy)) for energy, share in lines]
        total: F64 = np.sum(peaks, axis=0)
        return total

    def _peak(self, energy: float, sigma: float) -> F64:
        energies = self.detector.energies(self.channels)
        width = self.detector.gain + 2 * self.detector.curvature * np.arange(self.channels)
        density = np.exp(-0.5 * ((energies - energy) / sigma) ** 2) / (math.sqrt(2 * math.pi) * sigma)
        return np.asarray(width * density, np.float64)

    def _continuum(self, degree: int) -> dict[str, F64]:
        t = np.clip((np.arange(self.channels) - self.first) / (self.last - 1 - self.first), 0, 1)
        pieces = {f"continuum {k}": math.comb(degree, k) * t**k * (1 - t) ** (degree - k) for k in range(degree + 1)}
        return {name: piece / piece[self.first : self.last].sum() for name, piece in pieces.items()}


@dataclass(frozen=True, kw_only=True)
class Model:
    """The matrix of a fit.

    Attributes
    ----------
    names
        Names of the components; the first `elements` are families of lines.
    matrix
        f64[last - first, components].
    first, last
        The fitted channels of a spectrum.
    """

    names: tuple[str, ...]
    matrix: F64
    first: int
    last: int
    elements: int

    @functools.cached_property
    def pseudo_inverse(self) -> F64:
        """Return f64[components, channels]: the matrix whose product with a spectrum is its areas."""
        return np.asarray(np.linalg.pinv(self.matrix), np.float64)

    @functools.cached_property
    def norms(self) -> F64:
        """Return f64[components]: the lengths of the columns."""
        return np.asarray(np.linalg.norm(self.matrix, axis=0), np.float64)

    @functools.cached_property
    def gram(self) -> F64:
        """Return f64[components, components]: the products of the columns, which are normalised to length one."""
        unit = self.matrix / self.norms
        return np.asarray(unit.T @ unit, np.float64)
