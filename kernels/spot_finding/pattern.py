"""Simulated frames of a rotating or jetted crystal whose spots are known.

A counting detector with gaps, a few bad pixels, air and solvent scattering, an ice ring, and Bragg spots with Gaussian
profiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erf

from .definition import NO_DATA

Array = np.ndarray[Any, np.dtype[Any]]

GAP_ROWS, GAP_COLUMNS = 37, 10  # between the modules of an Eiger; a Pilatus has much the same
BAD_PIXELS = 1e-4  # of all: dead or hot
LOST_PIXELS = 2e-6  # per frame: values that were not recorded
HOT_COUNTS = 1_048_574
LEAST_COUNTS, MOST_COUNTS = 60.0, 30_000.0  # of a spot; their logarithms are evenly spread
SIGMA = (0.75, 1.15)  # pixels, each way
CELL = 16  # pixels: spots are in cells of a grid, so that no two touch
FOOTPRINT = 6  # pixels around a spot that must be good


@dataclass(frozen=True, kw_only=True)
class Planted:
    """The spots of a block: frame, centre in pixels (the middle of the first is 0), and expected counts."""

    frame: Array
    y: Array
    x: Array
    counts: Array


@dataclass(frozen=True, kw_only=True)
class Detector:
    """The properties of the detector that all frames share.

    Attributes
    ----------
    gaps
        bool[rows, columns]: no pixel there; frames hold -1.
    mask
        bool[rows, columns]: excluded; gaps, the beam stop's shadow, dead and hot pixels.
    hot
        bool[rows, columns]: pixels that count without photons.
    mean
        f64[rows, columns]: expected background.
    """

    gaps: Array
    mask: Array
    hot: Array
    mean: Array


def make_detector(size: Mapping[str, Any], rng: np.random.Generator) -> Detector:
    """Return a detector of modules with the beam near its middle."""
    ny, nx = int(size["ny"]), int(size["nx"])
    rows, columns = np.arange(ny)[:, None], np.arange(nx)[None, :]
    gaps = rows % (int(size["module_ny"]) + GAP_ROWS) >= int(size["module_ny"])
    gaps = gaps | (columns % (int(size["module_nx"]) + GAP_COLUMNS) >= int(size["module_nx"]))
    radius = np.hypot(rows - 0.485 * ny, columns - 0.52 * nx)
    reach = min(ny, nx) / 2
    bad = rng.random((ny, nx)) < BAD_PIXELS
    return Detector(
        gaps=gaps,
        mask=gaps | bad | (radius < 0.03 * reach),
        hot=bad & (rng.random((ny, nx)) < 0.5) & ~gaps,
        mean=background(radius / reach, reach),
    )


def background(radius: Array, reach: float) -> Array:
    """Return expected counts by the distance from the beam in units of `reach` pixels: air, solvent, ice."""
    air = 4.0 * np.exp(-radius / 0.3)
    solvent = 1.5 * np.exp(-(((radius - 0.45) / 0.15) ** 2))
    ice = 1.0 * np.exp(-0.5 * ((radius - 0.62) * reach / 6) ** 2)
    return np.asarray(0.3 + air + solvent + ice)


def make_frames(detector: Detector, frames: int, spots: int, seed: list[int]) -> tuple[Array, Planted]:
    """Return frames i32[frames, rows, columns] with `spots` spots each (fewer if there is no space), and the spots.

    Each frame has its own generator, so that the frames do not depend on the number of threads.
    """
    free = _free_cells(detector.mask)
    with ThreadPoolExecutor() as pool:  # numpy draws numbers without the interpreter lock
        made = list(pool.map(lambda index: _make_frame(detector, free, spots, [*seed, index]), range(frames)))
    whole = [np.concatenate([planted[part] for _, planted in made]) for part in range(3)]
    numbers = np.repeat(np.arange(frames), [planted[0].size for _, planted in made])
    return np.stack([frame for frame, _ in made]), Planted(frame=numbers, y=whole[0], x=whole[1], counts=whole[2])


def _free_cells(mask: Array) -> Array:
    """Return i64[cells, 2]: the centres of grid cells around which no pixel is masked."""
    ny, nx = mask.shape
    middles = np.stack(np.meshgrid(*(np.arange(CELL // 2, end - CELL // 2, CELL) for end in (ny, nx))), -1).reshape(
        -1, 2
    )
    reach = FOOTPRINT + 3
    padded = np.pad(mask, reach, constant_values=True)
    blocked = [padded[y : y + 2 * reach + 1, x : x + 2 * reach + 1].any() for y, x in middles]
    return np.asarray(middles[~np.array(blocked, bool)])


def _make_frame(detector: Detector, free: Array, spots: int, seed: list[int]) -> tuple[Array, tuple[Array, ...]]:
    rng = np.random.default_rng(seed)
    frame = rng.poisson(detector.mean).astype(np.int32)
    chosen = free[rng.choice(len(free), min(spots, len(free)), replace=False)]
    y, x = (chosen + rng.uniform(-3, 3, chosen.shape)).T
    counts = np.exp(rng.uniform(np.log(LEAST_COUNTS), np.log(MOST_COUNTS), len(chosen)))
    rows, columns = (np.rint(centre).astype(int)[:, None] + np.arange(-FOOTPRINT, FOOTPRINT + 1) for centre in (y, x))
    profiles = _in_pixels(rows - y[:, None], rng)[:, :, None] * _in_pixels(columns - x[:, None], rng)[:, None, :]
    photons = rng.poisson(counts[:, None, None] * profiles).astype(np.int32)
    np.add.at(frame, (rows[:, :, None], columns[:, None, :]), photons)
    frame.ravel()[rng.integers(0, frame.size, max(1, int(LOST_PIXELS * frame.size)))] = NO_DATA
    frame[detector.hot] = HOT_COUNTS
    frame[detector.gaps] = NO_DATA
    return frame, (y, x, counts)


def _in_pixels(offsets: Array, rng: np.random.Generator) -> Array:
    """Return the share of a Gaussian in each pixel, f64[spots, pixels], for random widths."""
    scale = np.sqrt(2) * rng.uniform(*SIGMA, (len(offsets), 1))
    return np.asarray(erf((offsets + 0.5) / scale) - erf((offsets - 0.5) / scale)) / 2
