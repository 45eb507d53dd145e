"""Generated frames: diffuse scattering with rings and spots, as a detector of modules counts it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

U32 = NDArray[np.uint32]

NO_DATA = 2**32 - 1  # as DECTRIS detectors write it
MODULE_ROWS, MODULE_COLUMNS, GAP_ROWS, GAP_COLUMNS = 514, 1030, 37, 10  # of an Eiger
BAD_PIXELS = 2e-4
HOT_COUNTS = 1_000_000
SPOTS = 2e-5  # per pixel
SPOT_COUNTS = 5000


def expected_counts(ny: int, nx: int) -> NDArray[np.float32]:
    """Return f32[ny, nx]: water and weak powder rings; 15 to 110 counts, as in the measured Eiger frame."""
    rows, columns = np.arange(ny, dtype=np.float32)[:, None], np.arange(nx, dtype=np.float32)
    radius = np.hypot((rows - 0.48 * ny) / ny, (columns - 0.53 * nx) / nx)
    water = 15 + 75 * np.exp(-(((radius - 0.25) / 0.12) ** 2))
    rings = sum(20 * np.exp(-(((radius - at) / 0.004) ** 2)) for at in (0.11, 0.19, 0.31, 0.42))
    return np.asarray(water + rings, np.float32)


def gaps(ny: int, nx: int) -> NDArray[np.bool_]:
    """Return bool[ny, nx]: the gaps between the modules."""
    rows, columns = np.arange(ny)[:, None], np.arange(nx)
    return (rows % (MODULE_ROWS + GAP_ROWS) >= MODULE_ROWS) | (
        columns % (MODULE_COLUMNS + GAP_COLUMNS) >= MODULE_COLUMNS
    )


def make_frames(frames: int, ny: int, nx: int, seed: list[int]) -> U32:
    """Return u32[frames, ny, nx] counts: each frame has its own generator, so the number of threads does not matter."""
    mean, gap = expected_counts(ny, nx), gaps(ny, nx)
    bad = np.random.default_rng(seed[:1]).random((ny, nx), np.float32) < BAD_PIXELS
    made = np.empty((frames, ny, nx), np.uint32)

    def draw(index: int) -> None:
        rng = np.random.default_rng([*seed, index])
        frame = made[index]
        for row in range(ny):  # the temporaries of a row fit into the cache
            noise = rng.standard_normal(nx, np.float32)
            frame[row] = np.maximum(mean[row] + np.sqrt(mean[row]) * noise + np.float32(0.5), 0)
        spots = rng.integers(0, frame.size, max(1, int(SPOTS * frame.size)))
        frame.ravel()[spots] += rng.integers(0, SPOT_COUNTS, spots.size).astype(np.uint32)
        frame[bad] = HOT_COUNTS
        frame[gap] = NO_DATA

    with ThreadPoolExecutor() as pool:
        list(pool.map(draw, range(frames)))
    return made
