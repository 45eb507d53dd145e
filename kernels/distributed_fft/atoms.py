"""A field whose spectrum is known exactly at every frequency: atoms, and a plane wave.

Every term is a product of three profiles, one along each axis. Its transform is the product of three
one-dimensional transforms, which are sums of `size` terms each. The reference beam is one bin of the spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

C128 = NDArray[np.complex128]
F64 = NDArray[np.float64]

_ATOMS = 15
_SMALLEST, _LARGEST = 0.5, 4.0  # sigma of the atoms in cells
_BEAM = 0.05  # amplitude of the plane wave; that of an atom is 1


@dataclass(frozen=True, kw_only=True)
class Atoms:
    """A sum of products.

    Attributes
    ----------
    profiles
        c128[3, terms, size]: the profiles of each term along z, y and x.
    """

    profiles: C128

    @property
    def size(self) -> int:
        """Return the number of cells along an axis."""
        return int(self.profiles.shape[2])

    def field(self, dtype: Any) -> NDArray[np.complexfloating[Any, Any]]:
        """Return the field, `dtype`[size, size, size], made plane by plane: no temporary is larger than a plane."""
        made = np.empty((self.size,) * 3, dtype)
        for z, plane in enumerate(made):
            plane[...] = self.plane(z)
        return made

    def plane(self, index: int) -> C128:
        """Return c128[size, size]: one plane across the first axis."""
        first, second, third = self.profiles
        plane: C128 = (second * first[:, index, None]).T @ third
        return plane

    def spectrum(self) -> Atoms:
        """Return the Fourier transform of the field (unscaled, exponent negative), which is also a sum of products."""
        cells = np.arange(self.size)
        cycles = np.outer(cells, cells) % self.size  # whole cycles are removed as integers: no digit is lost
        return Atoms(profiles=self.profiles @ np.exp(-2j * np.pi * cycles / self.size))

    def energy(self) -> float:
        """Return the sum of the squared modulus over all cells."""
        first, second, third = (profile.conj() @ profile.T for profile in self.profiles)
        return float(np.sum(first * second * third).real)


def random_atoms(size: int, rng: np.random.Generator) -> Atoms:
    """Return atoms of random position, width and phase in a periodic box, lit by a plane wave of a random direction."""
    positions = rng.uniform(0, size, (3, _ATOMS, 1))
    widths = np.geomspace(_SMALLEST, _LARGEST, _ATOMS)[None, :, None]
    away = (np.arange(size) - positions + size / 2) % size - size / 2  # across the edge of the box if that is shorter
    atoms = np.exp(-((away / widths) ** 2) / 2).astype(np.complex128)
    atoms[0] *= np.exp(2j * np.pi * rng.random((_ATOMS, 1)))
    waves = np.exp(2j * np.pi * (np.outer(rng.integers(0, size, 3), np.arange(size)) % size) / size)[:, None]
    waves[0] *= _BEAM
    return Atoms(profiles=np.concatenate([atoms, waves], axis=1))
