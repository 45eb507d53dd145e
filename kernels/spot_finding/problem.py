"""The inputs: generated frames whose spots are known, or the frames of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from daasbench.authoring import Parameters, UsageError, Work

from . import pattern, readers
from .definition import Criteria
from .options import SpotOptions
from .pattern import Planted

Array = np.ndarray[Any, np.dtype[Any]]

_INTEGER_STEPS = 10  # per pixel: four additions of running sums, those of the window, three products, a comparison


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The frames of one case, and the properties that they share.

    Attributes
    ----------
    blocks
        Each i32[frames, rows, columns], counts; negative where there is no data. One repeat searches one block.
    mask
        bool[rows, columns]: pixels that are excluded, whatever their value is.
    criteria
        The criteria for strong pixels and spots.
    planted
        The spots of each block of simulated frames; None for a file.
    masked_pixels, lost_values
        Pixels in the mask; values without data outside the mask, over the blocks.
    """

    blocks: Sequence[Array]
    mask: Array
    criteria: Criteria
    planted: Sequence[Planted] | None
    masked_pixels: int
    lost_values: int


def criteria_of(options: SpotOptions) -> Criteria:
    """Return the criteria; raise UsageError if no spot could have such a size."""
    if options.max_pixels < options.min_pixels:
        raise UsageError(
            f"max_pixels = {options.max_pixels} is below min_pixels = {options.min_pixels}: no spot could be found"
        )
    fields = Criteria.__dataclass_fields__
    return Criteria(**{name: getattr(options, name) for name in fields})


def survey(path: Path, options: SpotOptions) -> Parameters:
    """Return the parameters of the file `path`: frames per block, rows and columns."""
    criteria_of(options)
    return readers.survey(path, options)


def work(parameters: Parameters, options: SpotOptions) -> Work:
    """Return the minimum work of one block: each pixel read once, the mask once per block, the result written."""
    criteria_of(options)
    frames = float(parameters["frames"])
    pixels = float(parameters["ny"]) * float(parameters["nx"])
    return Work(
        unit="frame",
        units=frames,
        flop=frames * pixels * _INTEGER_STEPS,
        bytes=frames * pixels * 5 + pixels,
        input_bytes=frames * pixels * 4,
        output_bytes=frames * pixels,
        shared_bytes=pixels,
    )


def make(parameters: Parameters, options: SpotOptions, seed: int, blocks: int) -> Problem:
    """Return generated frames whose spots are known."""
    criteria = criteria_of(options)
    of_file = SpotOptions.__struct_fields__[-4:]
    if any(getattr(options, name) != getattr(SpotOptions(), name) for name in of_file):
        raise UsageError(f"the options {', '.join(of_file)} describe a file; add --input FILE, or remove them")
    detector = pattern.make_detector(parameters, np.random.default_rng([seed]))
    count, spots = int(parameters["frames"]), int(parameters["spots"])
    made = [pattern.make_frames(detector, count, spots, [seed, block]) for block in range(blocks)]
    return _problem([frames for frames, _ in made], detector.mask, criteria, [planted for _, planted in made])


def read(path: Path, parameters: Parameters, options: SpotOptions, blocks: int) -> Problem:
    """Return the blocks of successive frames of a file, as many as the file has."""
    found = readers.read(path, options, int(parameters["frames"]), blocks)
    return _problem(found.blocks, found.mask, criteria_of(options), None)


def _problem(blocks: Sequence[Array], mask: Array, criteria: Criteria, planted: Sequence[Planted] | None) -> Problem:
    lost = sum(int(np.count_nonzero((frame < 0) & ~mask)) for block in blocks for frame in block)
    return Problem(
        blocks=blocks,
        mask=mask,
        criteria=criteria,
        planted=planted,
        masked_pixels=int(np.count_nonzero(mask)),
        lost_values=lost,
    )
