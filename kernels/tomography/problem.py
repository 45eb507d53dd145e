"""The inputs: generated sinograms of a known object, or the sinograms of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Parameters, UsageError, Work

from . import readers
from .definition import padded_length
from .options import TomographyOptions
from .phantom import Phantom, random_phantom

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Sinograms of one case.

    Attributes
    ----------
    blocks
        Each f32[slices, angles, detector], line integrals; a repeat reconstructs one.
    angles
        f64[angles], radian.
    centre
        Position of the rotation axis on the detector, pixels.
    phantoms
        The object of each generated block; None for a measured file.
    repaired
        Number of samples of a file that were dead or not finite and are interpolated.
    """

    blocks: Sequence[F32]
    angles: F64
    centre: float
    phantoms: Sequence[Phantom] | None = None
    repaired: int = 0


def survey(path: Path, options: TomographyOptions) -> Parameters:
    """Return the numbers of slices, angles and detector pixels of a file."""
    return readers.survey(path, options)


def work(parameters: Parameters, options: TomographyOptions) -> Work:  # noqa: ARG001  (of the contract)
    """Return the work of the definition: two transforms of each projection, two FMA per pixel and angle.

    Fourier methods need less; their share of the machine's limit includes the work that they save.
    """
    slices, angles, detector = (parameters[key] for key in ("slices", "angles", "detector"))
    length = padded_length(detector)
    filtering = 2 * 2.5 * length * np.log2(length) + length
    input_bytes, output_bytes = 4.0 * slices * angles * detector, 4.0 * slices * detector**2
    return Work(
        unit="slice",
        units=float(slices),
        flop=float(slices * angles * (filtering + 4 * detector**2)),
        bytes=input_bytes + output_bytes,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        shared_bytes=8.0 * angles,
    )


def make(parameters: Parameters, options: TomographyOptions, seed: int, blocks: int) -> Problem:
    """Return generated sinograms of ellipses over half a turn."""
    slices, count, detector = (parameters[key] for key in ("slices", "angles", "detector"))
    if msgspec.structs.replace(options, centre=None) != TomographyOptions():
        raise UsageError("all options but centre describe a file; add --input FILE, or remove them")
    centre = (detector - 1) / 2 if options.centre is None else options.centre
    if not 0 <= centre <= detector - 1:
        raise UsageError(f"centre: {centre} is outside the detector; with {detector} pixels it is 0 to {detector - 1}")
    angles = np.arange(count) * np.pi / count
    phantoms = [random_phantom(detector, slices, np.random.default_rng([seed, block])) for block in range(blocks)]
    sinograms = [phantom.sinograms(angles, centre, detector) for phantom in phantoms]
    return Problem(blocks=sinograms, angles=angles, centre=centre, phantoms=phantoms)


def read(path: Path, parameters: Parameters, options: TomographyOptions, blocks: int) -> Problem:
    """Return the sinograms of a file."""
    found = readers.read(path, options, parameters["slices"], blocks)
    return Problem(
        blocks=found.blocks,
        angles=found.angles,
        centre=found.centre,
        repaired=found.repaired,
    )
