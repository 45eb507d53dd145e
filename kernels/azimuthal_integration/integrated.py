"""The result: one profile per frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Integrated:
    """Profiles of some frames; a bin that no valid pixel overlaps is 0 in all of them, as in pyFAI.

    Attributes
    ----------
    intensity
        f64[frames, bins], counts per pixel of full solid angle.
    sigma
        f64[frames, bins], its standard uncertainty from counting statistics.
    signal
        Counts summed without normalisation: u64[frames, bins] if they are exact (integer frames, pixels not
        split), else f64; None from a peer that does not return them.
    """

    intensity: Any
    sigma: Any
    signal: Any = None

    @classmethod
    def from_sums(cls, xp: Any, signal: Any, variance: Any, norm: Any) -> Integrated:
        """Return intensity and sigma of ``Σ c n``, ``Σ c² n`` and ``Σ c ω``, each [frames, bins].

        `xp` is the array library of the arguments (numpy or cupy).
        """
        filled = norm > 0
        per_norm = filled / xp.where(filled, norm, 1.0)
        return cls(intensity=signal * per_norm, sigma=xp.sqrt(variance) * per_norm, signal=signal)
