"""A strained, tilted layer in a scanning nanobeam: rocking scans whose Bragg peaks are known.

It is SiGe(004) at 9 keV at a diffractometer like that of ID01: a Maxipix at 0.57 m, a field of 128 pixels of 55 µm, a
rocking scan of 1.2 degrees about the Bragg angle, a nanobeam whose convergence makes the peak wide. Along the map the
lattice parameter and the tilt change smoothly, with a step at a dislocation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import Diffractometer

F64 = NDArray[np.float64]
U16 = NDArray[np.uint16]
Mask = NDArray[np.bool_]

Q_004 = 4 * 2 * np.pi / 5.4763  # 1/Å: Si(0.8) Ge(0.2)
ENERGY_KEV, DISTANCE_M, FIELD_M = 9.0, 0.5669, 128 * 55e-6
ROCKING_DEG = 1.2  # from the first to the last frame
WIDTHS = np.array([0.0095, 0.0048, 0.0048])  # 1/Å: sigma of the peak along qx (convergence), qy, qz
STRAIN, TILT_DEG = 5e-4, 0.04  # amplitudes over the map
PHOTONS = (6e4, 2e5)  # per peak of a position
BACKGROUND = 0.02  # counts per pixel of 55 µm
DEAD = 0.002  # share of all pixels
HOT = 4000  # counts of every other masked pixel
_REACH = 5.5  # sigma: beyond, the peak has no photons
_COARSE = 8  # pixels: step of the search for the peak


@dataclass(frozen=True, kw_only=True)
class Crystal:
    """The truth about the positions of a block.

    Attributes
    ----------
    peaks
        f64[positions, 3]: the Bragg peak (qx, qy, qz) in 1/Å.
    photons
        f64[positions]: expected photons in the peak.
    """

    peaks: F64
    photons: F64


def make_geometry(angles: int, rows: int, columns: int) -> Diffractometer:
    """Return the diffractometer, set to the reflection; with fewer pixels, pixels are larger."""
    wavenumber = 2 * np.pi * ENERGY_KEV / 12.398419843320026
    bragg_deg = float(np.rad2deg(np.arcsin(Q_004 / 2 / wavenumber)))
    still = np.zeros(angles)
    return Diffractometer(
        energy_kev=ENERGY_KEV,
        distance_m=DISTANCE_M,
        pixel_m=(FIELD_M / rows, FIELD_M / columns),
        centre=((rows - 1) / 2, (columns - 1) / 2),
        shape=(rows, columns),
        eta=bragg_deg + np.linspace(-ROCKING_DEG / 2, ROCKING_DEG / 2, angles),
        phi=still,
        nu=still,
        delta=still + 2 * bragg_deg,
    )


def make_mask(shape: tuple[int, int], rng: np.random.Generator) -> Mask:
    """Return bool[rows, columns]: the dead and the hot pixels, at least one."""
    mask = rng.random(shape) < DEAD
    mask[tuple(rng.integers(0, shape))] = True
    return mask


def make_crystal(positions: int, rng: np.random.Generator) -> Crystal:
    """Return a line of the map: strain and two tilts, smooth except for one step."""
    along = np.linspace(0, 1, positions)
    waves = np.sin(2 * np.pi * (rng.uniform(0.5, 2, (4, 1)) * along + rng.random((4, 1))))
    waves[0] = 0.6 * waves[0] + 0.4 * np.sign(along - rng.uniform(0.3, 0.7))
    q, tilt = Q_004 * (1 - STRAIN * waves[0]), np.deg2rad(TILT_DEG) * waves[1:3]
    direction = np.stack([np.sin(tilt[0]), np.sin(tilt[1]), np.cos(tilt[0]) * np.cos(tilt[1])], axis=1)
    low, high = PHOTONS
    return Crystal(peaks=q[:, None] * direction, photons=low + (high - low) * (waves[3] + 1) / 2)


def make_frames(geometry: Diffractometer, mask: Mask, crystal: Crystal, rng: np.random.Generator) -> U16:
    """Return u16[positions, angles, rows, columns]: Poisson counts of peak and background, with hot pixels."""
    positions, shape = len(crystal.peaks), (geometry.angles, *geometry.shape)
    frames = np.empty((positions, *shape), np.uint16)
    level = BACKGROUND * np.prod(geometry.pixel_m) / 55e-6**2
    hot = np.flatnonzero(mask)[::2]
    for scan in frames:
        photons = rng.poisson(level * scan.size)
        scan[...] = np.bincount(rng.integers(0, scan.size, photons), minlength=scan.size).reshape(shape)
    peaks, totals = [], np.zeros(positions)
    for angle in range(geometry.angles):  # frame by frame: the scattering vectors of one frame serve all positions
        q = geometry.q(angle)
        for index, peak in enumerate(crystal.peaks):
            window = _window(q, peak)
            u = (q[window] - peak) / WIDTHS
            shares = np.exp(-0.5 * np.einsum("ijk,ijk->ij", u, u))
            totals[index] += shares.sum()
            peaks.append((index, angle, window, shares))
    for index, angle, window, shares in peaks:
        pixels = frames[index, angle][window]
        pixels[...] = np.minimum(pixels + rng.poisson(shares * crystal.photons[index] / totals[index]), 65535)
    flat = frames.reshape(positions, geometry.angles, -1)
    flat[..., np.flatnonzero(mask)] = 0
    flat[..., hot] = HOT
    return frames


def _window(q: F64, peak: F64) -> tuple[slice, slice]:
    """Return rows and columns of a frame that contain the whole peak; empty if the frame has no part of it."""
    coarse = q[::_COARSE, ::_COARSE]
    spread = np.abs(coarse[1, 1] - coarse[0, 0]) if min(coarse.shape[:2]) > 1 else np.inf
    near: Mask = np.all(np.abs(coarse - peak) < _REACH * WIDTHS + spread, axis=2)
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    if rows.size == 0:
        return slice(0, 0), slice(0, 0)
    top, left, bottom, right = _COARSE * rows[0], _COARSE * columns[0], _COARSE * rows[-1], _COARSE * columns[-1]
    return slice(top, bottom + _COARSE), slice(left, right + _COARSE)
