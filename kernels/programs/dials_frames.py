"""Write a still image of a Pilatus 300K with known spots, in the detector's CBF format: FILE SPOTS SEED.

The background is 2 counts per pixel (Poisson). Each spot has 2000 counts in a Gaussian of sigma 1.2 pixel. The spots
are on a grid with jitter, so that no spot touches another, an edge, or the blind rows between modules.
"""

from __future__ import annotations

import sys

import fabio
import numpy as np
from numpy.typing import NDArray

SHAPE = (619, 487)
ROWS = [212 * module + 20 + 31 * step for module in range(3) for step in range(6)]  # not in the 17 rows between modules
COLUMNS = range(25, 475, 30)
SIGMA, COUNTS, BACKGROUND = 1.2, 2000.0, 2.0
HEADER = """\
# Detector: PILATUS 300K, S/N 3-0101
# 2026-11-22T12:00:00.000
# Pixel_size 172e-6 m x 172e-6 m
# Silicon sensor, thickness 0.000320 m
# Exposure_time 0.0970000 s
# Exposure_period 0.1000000 s
# Tau = 0 s
# Count_cutoff 1000000 counts
# Threshold_setting: 6000 eV
# N_excluded_pixels = 0
# Wavelength 0.9795 A
# Detector_distance 0.20000 m
# Beam_xy (243.50, 309.50) pixels
# Start_angle 0.0000 deg.
# Angle_increment 0.1000 deg."""


def frame(spots: int, seed: int) -> NDArray[np.int32]:
    """Return i32[619, 487] counts with `spots` spots."""
    rng = np.random.default_rng(seed)
    most = len(ROWS) * len(COLUMNS)
    if not 0 < spots <= most:
        raise SystemExit(f"dials_frames: {spots} spots requested; write 1 to {most}")
    mean = np.full(SHAPE, BACKGROUND)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for place in rng.choice(most, spots, replace=False):
        row = ROWS[place // len(COLUMNS)] + rng.uniform(-4, 4)
        column = COLUMNS[place % len(COLUMNS)] + rng.uniform(-4, 4)
        near = (slice(int(row) - 9, int(row) + 10), slice(int(column) - 9, int(column) + 10))
        distance = (y[near] - row) ** 2 + (x[near] - column) ** 2
        mean[near] += COUNTS / (2 * np.pi * SIGMA**2) * np.exp(-0.5 * distance / SIGMA**2)
    return rng.poisson(mean).astype(np.int32)


if __name__ == "__main__":
    file, count, chance = sys.argv[1:]
    header = {"_array_data.header_convention": "PILATUS_1.2", "_array_data.header_contents": HEADER}
    fabio.cbfimage.CbfImage(data=frame(int(count), int(chance)), header=header).write(file)
