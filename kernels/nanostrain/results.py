"""What the stages give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Gridded:
    """Stage ``gridding``: the volume of every position.

    Attributes
    ----------
    volumes
        f32[positions, nx, ny, nz]: counts a pixel; 0 where no pixel falls.
    photons
        i64[positions]: the photons in the volume, exactly.
    """

    volumes: Any
    photons: Any


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Stage ``fits``: a Gaussian for each projection.

    Attributes
    ----------
    gaussians
        f64[positions, 3, 3]: for qx, qy and qz the area (counts a pixel / Å), centre and sigma (1/Å). In float64: a
        millionth of a sigma is the billionth part of a scattering vector. NaN where there is no Gaussian to fit.
    """

    gaussians: Any


@dataclass(frozen=True, kw_only=True)
class Analysed:
    """Stage ``all``: of each position what remains when its volume is let go.

    Attributes
    ----------
    photons
        i64[positions]: the photons in the volume, exactly.
    brightest
        f32[positions]: the largest count a pixel of a voxel.
    projections
        f32[positions, nx + ny + nz]: counts a pixel of the planes across qx, then qy, then qz.
    gaussians
        See :class:`Fitted`.
    """

    photons: Any
    brightest: Any
    projections: Any
    gaussians: Any
