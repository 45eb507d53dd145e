"""Generated frames: a nanocrystalline powder on an amorphous background, on a detector of modules."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .geometry import Geometry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .pixels import RadialAxis

    Array = np.ndarray[Any, np.dtype[Any]]

DUMMY = 2**32 - 1  # "no data", as DECTRIS detectors write it
MODULE_ROWS, MODULE_COLUMNS, GAP_ROWS, GAP_COLUMNS = 514, 1030, 37, 10  # of an Eiger
WAVELENGTH_M = 8.266e-11  # 15 keV
BAND_ROWS = 64  # number of rows: their temporaries fit into the cache
BAD_PIXELS = 5e-4  # share of hot and dead pixels
HOT_COUNTS = 1_000_000
LOST_PIXELS = 1e-6  # share of pixels without data in one frame only


@dataclass(frozen=True, kw_only=True)
class Powder:
    """The truth: counts at full solid angle as a function of the tangent of 2theta, scaled to the detector.

    Attributes
    ----------
    extent
        tan(2theta) at the detector's edge; rings are at fractions of it.
    width
        Standard deviation of a ring, in the same fractions.
    """

    extent: float
    width: float

    def counts(self, tangent: Array) -> Array:
        """Return the expected counts at ``tan(2theta)``: at least 50, so that no pixel is empty."""
        x = tangent / self.extent
        amorphous = 50 + 60 * np.exp(-(((x - 0.3) / 0.2) ** 2))
        rings = sum(
            height * np.exp(-(((x - centre) / self.width) ** 2) / 2)
            for centre, height in ((0.22, 300), (0.36, 220), (0.51, 150), (0.6, 120), (0.78, 80))
        )
        return np.asarray(amorphous + rings)

    def profile(self, axis: RadialAxis, geometry: Geometry) -> Array:
        """Return the expected intensity in each bin: f64[bins], five-point Gauss-Legendre averages."""
        nodes, weights = np.polynomial.legendre.leggauss(5)
        width = (axis.high - axis.low) / axis.bins
        radial = axis.centres()[:, None] + nodes * width / 2
        average: Array = self.counts(_tangent(radial, axis, geometry)) @ (weights / 2)
        return average


def _tangent(radial: Array, axis: RadialAxis, geometry: Geometry) -> Array:
    """Return tan(2theta) of a radial coordinate; `r_mm` is that of an upright detector at the distance."""
    if axis.unit == "r_mm":
        return radial * 1e-3 / geometry.distance_m
    if axis.unit.startswith("q"):
        per_nm = radial if axis.unit == "q_nm^-1" else radial * 10
        sine = per_nm * WAVELENGTH_M / (4e-9 * np.pi)
        return np.asarray(np.tan(2 * np.arcsin(np.minimum(sine, 1))))
    return np.tan(np.radians(radial) if axis.unit == "2th_deg" else radial)


def make_geometry(size: Mapping[str, Any]) -> Geometry:
    """Return an upright detector with the beam near its centre, at 15 keV and 150 mm."""
    ny, nx, pixel_m = int(size["ny"]), int(size["nx"]), float(size["pixel_m"])
    return Geometry(
        shape=(ny, nx),
        pixel1_m=pixel_m,
        pixel2_m=pixel_m,
        distance_m=0.15,
        poni1_m=(0.48 * ny + 0.37) * pixel_m,
        poni2_m=(0.53 * nx + 0.21) * pixel_m,
        wavelength_m=WAVELENGTH_M,
    )


def make_masks(shape: tuple[int, int], rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the gaps between modules with the beam stop's shadow, and the hot or dead pixels: bool[rows, columns]."""
    ny, nx = shape
    rows, columns = np.arange(ny)[:, None], np.arange(nx)[None, :]
    gaps = (rows % (MODULE_ROWS + GAP_ROWS) >= MODULE_ROWS) | (
        columns % (MODULE_COLUMNS + GAP_COLUMNS) >= MODULE_COLUMNS
    )
    gaps |= np.hypot(rows - 0.48 * ny, columns - 0.53 * nx) < 0.02 * ny
    return gaps, rng.random(shape, dtype=np.float32) < BAD_PIXELS


def make_frames(expected: Array, gaps: Array, bad: Array, frames: int, seed: list[int]) -> Array:
    """Return frames u32[frames, rows, columns] of Poisson counts about `expected`.

    The gaps, and a few pixels of each frame, have no data (DUMMY); bad pixels have the large counts of a hot pixel.
    Each frame has its own generator, so that the frames do not depend on the number of threads.
    """
    out = np.empty((frames, *gaps.shape), np.uint32)
    mean = expected.astype(np.float32)

    def draw(index: int) -> None:
        rng = np.random.default_rng([*seed, index])
        for top in range(0, gaps.shape[0], BAND_ROWS):
            out[index, top : top + BAND_ROWS] = poisson(mean[top : top + BAND_ROWS], rng)
        lost = rng.integers(0, gaps.size, max(1, int(LOST_PIXELS * gaps.size)))
        out[index].ravel()[lost] = DUMMY
        out[index][gaps] = DUMMY
        out[index][bad & ~gaps] = HOT_COUNTS

    with ThreadPoolExecutor() as pool:  # numpy releases the interpreter's lock while it draws
        list(pool.map(draw, range(frames)))
    return out


def poisson(mean: Array, rng: np.random.Generator) -> Array:
    """Return Poisson variates of `mean` (f32, at least 10), several times faster than ``rng.poisson``.

    The normal expansion of the inverse distribution, Q̃_N2 of Giles, ACM TOMS 42 (2016) 7, doi:10.1145/2699466:
    mean and variance are accurate to 1e-3.
    """
    z = rng.standard_normal(mean.shape, dtype=np.float32)
    root = np.sqrt(mean)
    squared = z * z
    expansion = mean + root * z + (np.float32(1 / 3) + squared / 6) - z * (squared + 2) / (72 * root)
    return np.maximum(expansion, 0).astype(np.uint32)
