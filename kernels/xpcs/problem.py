"""The inputs: generated speckles with known dynamics, or the frames of a file."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from daasbench.authoring import Parameters, Work

from . import readers
from .definition import Schedule
from .options import XpcsOptions
from .rings import I32
from .speckle import Sample, frames_of_sample, random_sample


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The series of one case, and the properties that they share.

    Attributes
    ----------
    blocks
        Each u16[frames, rows, columns], counts; a repeat correlates one.
    labels
        i32[rows, columns]: the ring of each pixel, 1 to `rings`, no ring is empty; 0 for no ring.
    frames
        Frames of a block.
    levels
        The most levels of multi-tau; None: all.
    sample
        The sample of generated frames; None for a file.
    masked_pixels
        Number of pixels of a file that the mask excludes, or that have no data in some frame.
    """

    blocks: Sequence[Any]
    labels: I32
    rings: int
    frames: int
    levels: int | None
    sample: Sample | None = None
    masked_pixels: int = 0

    @functools.cached_property
    def schedule(self) -> Schedule:
        """Return the lags."""
        return Schedule.of(self.frames, self.levels)


def survey(path: Path, options: XpcsOptions) -> Parameters:
    """Return the frames of a block, rows, columns, pixels in rings, and the number of blocks of a file."""
    return readers.survey(path, options)


def work(parameters: Parameters, options: XpcsOptions) -> Work:
    """Return the minimum work of a block: each count read once, one FMA per lag and row, one addition per pair of rows.

    Only pixels in a ring count as units and work; the block contains the other pixels too.
    """
    frames, ny, nx = (int(parameters[key]) for key in ("frames", "ny", "nx"))
    if "pixels" in parameters:
        pixels = int(parameters["pixels"])
    else:
        pixels = int(np.count_nonzero(random_sample((ny, nx), options.rings).labels))
    schedule = Schedule.of(frames, options.levels)
    rings = int(parameters.get("rings", options.rings))
    return Work(
        unit="pixel·frame",
        units=float(pixels) * frames,
        flop=float(pixels) * float(2 * schedule.pairs.sum() + sum(schedule.rows)),
        bytes=2.0 * pixels * frames,
        input_bytes=2.0 * frames * ny * nx,
        output_bytes=8.0 * rings * schedule.lags.size,
        shared_bytes=4.0 * ny * nx,
    )


def make(parameters: Parameters, options: XpcsOptions, seed: int, blocks: int) -> Problem:
    """Return generated series of diffusing particles."""
    frames, ny, nx = (int(parameters[key]) for key in ("frames", "ny", "nx"))
    sample = random_sample((ny, nx), options.rings)
    return Problem(
        blocks=[frames_of_sample(sample, frames, (seed, block)) for block in range(blocks)],
        labels=sample.labels,
        rings=sample.mean.size,
        frames=frames,
        levels=options.levels,
        sample=sample,
    )


def read(path: Path, parameters: Parameters, options: XpcsOptions, blocks: int) -> Problem:
    """Return the successive series of a file, as many as the file has."""
    found = readers.read(path, options, int(parameters["frames"]), blocks)
    return Problem(
        blocks=found.series,
        labels=found.labels,
        rings=found.rings,
        frames=int(parameters["frames"]),
        levels=options.levels,
        masked_pixels=found.masked_pixels,
    )
