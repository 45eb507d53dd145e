"""What is correlated: generated speckles of known dynamics, or the frames of a file."""

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
    """The series of one case and what they share.

    Attributes
    ----------
    blocks
        Each u16[frames, rows, columns], counts; a repeat correlates one.
    labels
        i32[rows, columns]: the ring of each pixel, 1 to `rings`, none of them empty; 0 for none.
    frames
        Frames of a block.
    levels
        At most so many levels of multi-tau; None: all.
    sample
        What generated frames show; None for a file.
    masked_pixels
        Pixels of a file that the mask leaves out, or that hold no data in some frame.
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
    """Return the frames of a block, rows, columns, pixels in rings, and the blocks that a file holds."""
    return readers.survey(path, options)


def work(parameters: Parameters, options: XpcsOptions) -> Work:
    """Return the least work of one block: every count read once, one FMA a lag and row, one addition a pair of rows.

    Only pixels in a ring are units and work; the block holds the others as well.
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
    """Return the series of a file: one after the other, as many as there are."""
    found = readers.read(path, options, int(parameters["frames"]), blocks)
    return Problem(
        blocks=found.series,
        labels=found.labels,
        rings=found.rings,
        frames=int(parameters["frames"]),
        levels=options.levels,
        masked_pixels=found.masked_pixels,
    )
