"""A field whose every later state is known exactly: a sum of plane waves, each an eigenmode of the stencil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Int = NDArray[np.int64]

_SMOOTH, _ROUGH = 6, 2  # waves with few periods across the box; waves with any number of periods
_PERIODS = 4


@dataclass(frozen=True, kw_only=True)
class Waves:
    """``mean + Σ amplitude cos(2π periods · r / size + phase)`` on a periodic lattice.

    Attributes
    ----------
    size
        Number of cells along an axis.
    mean
        Mean of the field, which is conserved.
    periods
        i64[waves, 3]: number of periods across the box, along z, y, x.
    amplitudes, phases
        f64[waves]; radian.
    """

    size: int
    mean: float
    periods: Int
    amplitudes: F64
    phases: F64

    def field(self) -> F64:
        """Return the field, f64[size, size, size], made plane by plane."""
        made = np.empty((self.size,) * 3)
        along = self._along()
        for z, plane in enumerate(made):
            plane[...] = self.plane(z, along)
        return made

    def plane(self, z: int, along: NDArray[Any] | None = None) -> F64:
        """Return f64[size, size]: one plane across the first axis. `along`: :meth:`_along`, if it is known."""
        first, second, third = self._along() if along is None else along
        wave = (second * (first[:, z] * self.amplitudes * np.exp(1j * self.phases))[:, None]).T
        plane: F64 = wave.real @ third.real - wave.imag @ third.imag + self.mean
        return plane

    def planes(self, chosen: Any) -> Any:
        """Yield the planes with these indices."""
        along = self._along()
        for z in chosen:
            yield self.plane(int(z), along)

    def factors(self, diffusion: float) -> F64:
        """Return f64[waves]: the factor of each wave per step, 1 - 2 d Σ (1 - cos(2π periods / size))."""
        angles = 2 * np.pi * (self.periods % self.size) / self.size
        factors: F64 = 1 - 4 * diffusion * np.sum(2 * np.sin(angles / 2) ** 2, axis=1) / 2
        return factors

    def after(self, steps: int, diffusion: float) -> Waves:
        """Return the field `steps` steps later."""
        return Waves(
            size=self.size,
            mean=self.mean,
            periods=self.periods,
            amplitudes=self.amplitudes * self.factors(diffusion) ** steps,
            phases=self.phases,
        )

    def _along(self) -> NDArray[Any]:
        """Return c128[3, waves, size]: the factor of each wave along z, y and x."""
        cells = np.arange(self.size)
        periods = (
            self.periods.T[:, :, None] * cells % self.size
        )  # whole periods are removed as integers: no digit is lost
        waves: NDArray[Any] = np.exp(2j * np.pi * periods / self.size)
        return waves


def random_waves(size: int, rng: np.random.Generator) -> Waves:
    """Return a field of order 1: smooth waves, and a few rough waves that decay quickly."""
    smooth = rng.integers(-_PERIODS, _PERIODS + 1, (_SMOOTH, 3))
    rough = rng.integers(0, size, (_ROUGH, 3))
    periods = np.concatenate([smooth, rough]) % size
    periods[:, 0] = np.where(periods.any(axis=1), periods[:, 0], 1)  # a wave without periods would add to the mean
    return Waves(
        size=size,
        mean=float(rng.uniform(1, 2)),
        periods=periods,
        amplitudes=rng.uniform(0.2, 1, len(periods)),
        phases=rng.uniform(0, 2 * np.pi, len(periods)),
    )
