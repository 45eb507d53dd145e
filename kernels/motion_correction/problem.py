"""The inputs: generated movies with a known drift, or a movie of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Parameters, UsageError, Work

from . import readers
from .definition import Grid, grid_of
from .options import MotionOptions
from .specimen import Specimen, count_electrons, random_contrast, random_drift

Frames = NDArray[Any]  # u8, u16 or f32


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Movies of one case.

    Attributes
    ----------
    blocks
        Each [movies, frames, rows, columns] of counts: u8, from a file also u16 or f32; one repeat aligns one block.
    grid
        The part of a frame's spectrum that the alignment uses.
    specimens
        The specimen and the drift of each block; None for a measured file.
    repaired
        Number of pixels of a file that were not finite and were set to the mean of their frame.
    """

    blocks: Sequence[Frames]
    grid: Grid
    specimens: Sequence[Specimen] | None = None
    repaired: int = 0


def survey(path: Path, options: MotionOptions) -> Parameters:
    """Return the numbers of movies, frames, rows and columns of a file, and the bytes per pixel."""
    return readers.survey(path, options)


def work(parameters: Parameters, options: MotionOptions) -> Work:
    """Return the work of the definition: one transform per frame, one back per movie, and the correlations.

    Two iterations are counted: every movie that drifts needs at least two.
    """
    movies, frames, rows, columns = _shape(parameters)
    pixels = float(rows * columns)
    grid = _grid(parameters, options)
    cropped = float(grid.rows * grid.columns)
    transform, small = 2.5 * pixels * np.log2(pixels), 2.5 * cropped * np.log2(cropped)
    input_bytes = pixels * frames * movies * parameters.get("pixel_bytes", 1)
    output_bytes = movies * (4 * pixels + 16 * frames)
    return Work(
        unit="movie frame",
        units=float(movies * frames),
        flop=movies * ((frames + 1) * transform + 8 * frames * pixels / 2 + 2 * frames * (small + 14 * cropped / 2)),
        bytes=input_bytes + output_bytes,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
    )


def make(parameters: Parameters, options: MotionOptions, seed: int, blocks: int) -> Problem:
    """Return generated movies of particles that drift."""
    generated = msgspec.structs.replace(options, bfactor=150.0, band=0.125, iterations=5)
    if generated != MotionOptions():
        raise UsageError(
            "only the options bfactor, band and iterations apply to generated inputs; the others describe a file "
            "(--input FILE)"
        )
    movies, frames, rows, _ = _shape(parameters)
    made, specimens = [], []
    for block in range(blocks):
        rng = np.random.default_rng([seed, block])
        contrasts = np.stack([random_contrast(rows, rng) for _ in range(movies)])
        drifts = np.stack([random_drift(frames, rng) for _ in range(movies)])
        specimens.append(Specimen(contrasts=contrasts, drifts=drifts))
        pairs = zip(contrasts, drifts, strict=True)
        made.append(np.stack([count_electrons(seen, drift, parameters["dose"], rng) for seen, drift in pairs]))
    return Problem(blocks=made, grid=_grid(parameters, options), specimens=specimens)


def read(path: Path, parameters: Parameters, options: MotionOptions, blocks: int) -> Problem:  # noqa: ARG001  (has one)
    """Return the movie of a file as one block."""
    movie, repaired = readers.read(path, options)
    return Problem(
        blocks=[movie[None]],
        grid=_grid(parameters, options),
        repaired=repaired,
    )


def _shape(parameters: Parameters) -> tuple[int, int, int, int]:
    """Return movies, frames, rows and columns; generated frames are square."""
    pixels = parameters.get("pixels", 0)
    return (
        parameters["movies"],
        parameters["frames"],
        parameters.get("rows", pixels),
        parameters.get("columns", pixels),
    )


def _grid(parameters: Parameters, options: MotionOptions) -> Grid:
    _, _, rows, columns = _shape(parameters)
    return grid_of((rows, columns), band=options.band, bfactor=options.bfactor, iterations=options.iterations)
