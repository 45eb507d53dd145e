"""The results of the stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Gridded:
    """Stage ``gridding``: the volume of every position.

    Attributes
    ----------
    volumes
        f32[positions, nx, ny, nz]: counts per pixel; 0 in voxels without a pixel.
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
        f64[positions, 3, 3]: for qx, qy and qz the area (counts per pixel / Å), centre and sigma (1/Å). In float64: a
        millionth of a sigma is a billionth of a scattering vector. NaN if no Gaussian can be fitted.
    """

    gaussians: Any


@dataclass(frozen=True, kw_only=True)
class Analysed:
    """Stage ``all``: the results of each position, without its volume.

    Attributes
    ----------
    photons
        i64[positions]: the photons in the volume, exactly.
    brightest
        f32[positions]: the largest counts per pixel of any voxel.
    projections
        f32[positions, nx + ny + nz]: counts per pixel of the planes across qx, then qy, then qz.
    gaussians
        See :class:`Fitted`.
    """

    photons: Any
    brightest: Any
    projections: Any
    gaussians: Any
