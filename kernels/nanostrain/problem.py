"""The inputs: rocking scans of a generated map whose strain is known, or those of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Parameters, UsageError, Work

from . import crystal, definition, readers
from .geometry import Diffractometer
from .grid import Grid, make_grid
from .options import NanostrainOptions, Stage

Counts = NDArray[Any]

FLOP_PER_STEP = 30  # of Levenberg-Marquardt, per bin: an exponential function and eight sums
STEPS = 8  # of a typical fit


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The scans of one case.

    Attributes
    ----------
    stage
        The stage that is computed.
    blocks
        Each u16 (u32 if a file has larger counts) [positions, angles, rows, columns]; for stage ``fits``
        f32[positions, bins], projections.
    geometry
        The geometry of the scan.
    grid
        The voxels, and the voxel of each pixel.
    mask
        bool[rows, columns]: excluded pixels.
    crystals
        The truth about each block; None for a file.
    """

    stage: Stage
    blocks: Sequence[Counts]
    geometry: Diffractometer
    grid: Grid
    mask: NDArray[np.bool_]
    crystals: Sequence[crystal.Crystal] | None = None


def survey(path: Path, options: NanostrainOptions) -> Parameters:
    """Return positions per block, angles, rows, columns, grid and bytes per count of a file."""
    return readers.survey(path, options)


def work(parameters: Parameters, options: NanostrainOptions) -> Work:
    """Return the work: an addition per pixel; three per voxel for the planes; the steps of three fits.

    Bytes are those of the frames and of the result. The table of voxels is shared by all positions.
    """
    positions, angles, rows, columns = (float(parameters[key]) for key in ("positions", "angles", "rows", "columns"))
    grid = [float(count) for count in parameters["grid"]]
    pixels, voxels, bins = angles * rows * columns, float(np.prod(grid)), float(sum(grid))
    frames_bytes = pixels * float(parameters.get("count_bytes", 2))
    fits_flop = 3 * STEPS * FLOP_PER_STEP * bins / 3
    flop, taken, given, kind = {
        "gridding": (pixels + voxels, frames_bytes, 4 * voxels + 8, "float32"),
        "fits": (fits_flop, 4 * bins, 72.0, "float64"),
        "all": (pixels + 4 * voxels + fits_flop, frames_bytes, 4 * bins + 84, "float32"),
    }[options.stage]
    shared = 0.0 if options.stage == "fits" else 4 * pixels + 8 * voxels
    return Work(
        unit="position",
        units=positions,
        flop=positions * flop,
        bytes=positions * (taken + given) + shared,
        input_bytes=positions * taken,
        output_bytes=positions * given,
        shared_bytes=shared,
        flop_type="float64" if kind == "float64" else "float32",
    )


def make(parameters: Parameters, options: NanostrainOptions, seed: int, blocks: int) -> Problem:
    """Return generated rocking scans of a strained layer."""
    if msgspec.structs.replace(options, stage="all") != NanostrainOptions():
        raise UsageError("only the option stage applies to generated inputs; the others describe a file (--input FILE)")
    angles, rows, columns = (parameters[key] for key in ("angles", "rows", "columns"))
    geometry = crystal.make_geometry(angles, rows, columns)
    mask = crystal.make_mask((rows, columns), np.random.default_rng([seed]))
    grid = make_grid(geometry, tuple(parameters["grid"]), mask)
    crystals, made = [], []
    for block in range(blocks):
        rng = np.random.default_rng([seed, block])
        crystals.append(crystal.make_crystal(parameters["positions"], rng))
        made.append(_input_of(options.stage, grid, crystal.make_frames(geometry, mask, crystals[-1], rng)))
    return Problem(stage=options.stage, blocks=made, geometry=geometry, grid=grid, mask=mask, crystals=crystals)


def read(path: Path, parameters: Parameters, options: NanostrainOptions, blocks: int) -> Problem:
    """Return the rocking scans of a file, block after block; fewer blocks if the file has fewer positions."""
    found = readers.read(path, options, parameters["positions"], blocks)
    grid = make_grid(found.geometry, tuple(parameters["grid"]), found.mask)
    return Problem(
        stage=options.stage,
        blocks=[_input_of(options.stage, grid, block) for block in found.blocks],
        geometry=found.geometry,
        grid=grid,
        mask=found.mask,
    )


def _input_of(stage: Stage, grid: Grid, frames: Counts) -> Counts:
    """Return the input of a stage: frames, or their projections."""
    if stage != "fits":
        return frames
    return np.stack([definition.project(grid, definition.photon_volume(grid, scan)) for scan in frames])
