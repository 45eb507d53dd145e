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
from .options import IterativeOptions
from .phantom import Phantom, random_phantom, with_noise

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_OF_GENERATED = ("arc_deg", "photons")
_ARC_DEG = 140.0


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
    iterations
        Number of corrections of the volume.
    phantoms
        The object of each generated block; None for a measured file.
    """

    blocks: Sequence[F32]
    angles: F64
    centre: float
    iterations: int
    phantoms: Sequence[Phantom] | None = None


def survey(path: Path, options: IterativeOptions) -> Parameters:
    """Return the numbers of slices, angles and detector pixels of a file."""
    _refuse_generated(options)
    return readers.survey(path, options)


def work(parameters: Parameters, options: IterativeOptions) -> Work:
    """Return the work of the definition: two FMA per pixel and angle to project, two to back-project.

    The minimum traffic assumes that the iterations stay in fast memory: sinograms in, volume and residuals out.
    """
    slices, angles, detector = (parameters[key] for key in ("slices", "angles", "detector"))
    input_bytes = 4.0 * slices * angles * detector
    output_bytes = 4.0 * slices * detector**2 + 8.0 * slices * options.iterations
    return Work(
        unit="slice·iteration",
        units=float(slices * options.iterations),
        flop=8.0 * slices * options.iterations * angles * detector**2,
        bytes=input_bytes + output_bytes,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        shared_bytes=8.0 * angles,
    )


def make(parameters: Parameters, options: IterativeOptions, seed: int, blocks: int) -> Problem:
    """Return generated sinograms of a flat sample over a limited arc, with counting noise."""
    slices, count, detector = (parameters[key] for key in ("slices", "angles", "detector"))
    described = [name for name in ("dataset", "angles", "slices") if getattr(options, name) != _default(name)]
    if described:
        raise UsageError(f"the options {', '.join(described)} describe a file; add --input FILE, or remove them")
    centre = (detector - 1) / 2 if options.centre is None else options.centre
    if not 0 <= centre <= detector - 1:
        raise UsageError(f"centre: {centre} is outside the detector; with {detector} pixels it is 0 to {detector - 1}")
    arc = np.deg2rad(_ARC_DEG if options.arc_deg is None else options.arc_deg)
    angles = arc * (np.arange(count) / count - 0.5)
    made, phantoms = [], []
    for block in range(blocks):
        rng = np.random.default_rng([seed, block])
        phantoms.append(random_phantom(detector, slices, rng))
        made.append(with_noise(phantoms[-1].sinograms(angles, centre, detector), options.photons, rng))
    return Problem(blocks=made, angles=angles, centre=centre, iterations=options.iterations, phantoms=phantoms)


def read(path: Path, parameters: Parameters, options: IterativeOptions, blocks: int) -> Problem:
    """Return the sinograms of a file."""
    _refuse_generated(options)
    found = readers.read(path, options, parameters["slices"], blocks)
    return Problem(
        blocks=found.blocks,
        angles=found.angles,
        centre=found.centre,
        iterations=options.iterations,
    )


def _refuse_generated(options: IterativeOptions) -> None:
    given = [name for name in _OF_GENERATED if getattr(options, name) != _default(name)]
    if given:
        raise UsageError(
            f"the options {', '.join(given)} are for generated inputs, not for a file (--input); remove them"
        )


def _default(name: str) -> object:
    return {field.name: field.default for field in msgspec.structs.fields(IterativeOptions)}[name]
