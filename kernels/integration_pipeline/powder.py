"""Generated frames: rings of a nanocrystalline powder on amorphous scattering, as a detector of modules counts it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from .geometry import Geometry

U32 = NDArray[np.uint32]

NO_DATA = 2**32 - 1  # as DECTRIS detectors write it
MODULE_ROWS, MODULE_COLUMNS, GAP_ROWS, GAP_COLUMNS = 514, 1030, 37, 10  # of an Eiger
BAD_PIXELS = 5e-4  # share of hot pixels, which are masked
HOT_COUNTS = 1_000_000
LOST_PIXELS = 1e-6  # share of pixels without data in one frame only
BRIGHT_PIXELS = 2e-6  # share of pixels with spots of single crystals, above 16 bits
BRIGHT_COUNTS = 70_000
AT_ONCE = 8  # frames that are in memory at the same time


def make_geometry(ny: int, nx: int, pixel_m: float) -> Geometry:
    """Return a detector with the beam near its centre, at 15 keV and 150 mm."""
    return Geometry(
        shape=(ny, nx),
        distance_m=0.15,
        pixel_m=pixel_m,
        wavelength_m=8.266e-11,
        beam_row=0.48 * ny + 0.37,
        beam_column=0.53 * nx + 0.21,
    )


def expected_counts(geometry: Geometry) -> NDArray[np.float32]:
    """Return f32[rows, columns]: 15 to 330 counts."""
    tangent = geometry.tangent()
    x = (tangent / tangent.max()).astype(np.float32)
    amorphous = 15 + 40 * np.exp(-(((x - 0.3) / 0.2) ** 2))
    peaks = ((0.22, 280), (0.36, 200), (0.51, 130), (0.6, 90), (0.78, 60))
    rings = sum(height * np.exp(-(((x - centre) / 0.006) ** 2) / 2) for centre, height in peaks)
    return np.asarray((amorphous + rings) * geometry.solid_angle().reshape(x.shape), np.float32)


def make_mask(shape: tuple[int, int], rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the gaps between modules, and the hot pixels: bool[rows, columns] each."""
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    gaps = (rows % (MODULE_ROWS + GAP_ROWS) >= MODULE_ROWS) | (
        columns % (MODULE_COLUMNS + GAP_COLUMNS) >= MODULE_COLUMNS
    )
    return gaps, rng.random(shape, np.float32) < BAD_PIXELS


def make_frame(mean: NDArray[np.float32], gaps: NDArray[np.bool_], bad: NDArray[np.bool_], seed: list[int]) -> U32:
    """Return one frame u32[rows, columns] of counts about `mean` (the normal approximation of Poisson counts)."""
    rng = np.random.default_rng(seed)
    frame = np.empty(mean.shape, np.uint32)
    root = np.sqrt(mean)
    for row in range(mean.shape[0]):  # the temporaries of a row fit into the cache
        noise = rng.standard_normal(mean.shape[1], np.float32)
        frame[row] = np.maximum(mean[row] + root[row] * noise + np.float32(0.5), 0)
    for share, counts in ((BRIGHT_PIXELS, BRIGHT_COUNTS), (LOST_PIXELS, NO_DATA)):
        frame.ravel()[rng.integers(0, frame.size, max(1, int(share * frame.size)))] = counts
    frame[bad] = HOT_COUNTS
    frame[gaps] = NO_DATA
    return frame


def make_frames(
    mean: NDArray[np.float32], gaps: NDArray[np.bool_], bad: NDArray[np.bool_], seeds: list[list[int]]
) -> Iterator[U32]:
    """Yield frames, each from its own generator; threads draw several at a time."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(seeds), AT_ONCE):
            yield from pool.map(lambda seed: make_frame(mean, gaps, bad, seed), seeds[start : start + AT_ONCE])
