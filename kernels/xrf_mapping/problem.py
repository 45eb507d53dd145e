"""The inputs: spectra of a known specimen, or the spectra of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Parameters, UsageError, Work

from . import readers, sample
from .model import Model
from .options import XrfOptions

F64 = NDArray[np.float64]
Spectra = NDArray[Any]

TRUE_DEGREE = 3  # of the continuum of generated spectra


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The truth of generated spectra.

    Attributes
    ----------
    areas
        For each block f64[pixels, true components], counts; the first components are the families of the model.
    columns
        f64[fitted channels, true components]: the mean spectrum is ``areas @ columns.T``.
    """

    areas: Sequence[F64]
    columns: F64


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The spectra of one case.

    Attributes
    ----------
    blocks
        Each u16 or f32[pixels, channels], counts; a repeat fits one. Results are f32[pixels, components], counts.
    model
        The components.
    method, snip_width
        See :class:`XrfOptions`.
    truth
        None for a measured file.
    lost
        Number of spectra of a file with values that are negative or not finite; they are fitted as zeros.
    """

    blocks: Sequence[Spectra]
    model: Model
    method: str
    snip_width: int
    truth: Truth | None = None
    lost: int = 0


def survey(path: Path, options: XrfOptions) -> Parameters:
    """Return the numbers of pixels, channels, fitted channels and components of a file."""
    return readers.survey(path, options)


def work(parameters: Parameters, options: XrfOptions) -> Work:
    """Return the work of the definition: every count read once, one FMA per fitted channel and component.

    SNIP adds three operations per channel and pass, NNLS adds one sweep over the components; it needs several to
    dozens of sweeps.
    """
    pixels, channels = _pixels(parameters), parameters["channels"]
    if "fitted" in parameters:
        fitted, components, item = (parameters[key] for key in ("fitted", "components", "item_bytes"))
    else:
        fitted, components = sample.make_setup(channels, _degree(options)).shape
        item = 2
    each = 2.0 * fitted * components
    if options.method == "snip":
        each += fitted * (3.0 * options.snip_width + 1)
    if options.method == "nnls":
        each += 2.0 * components**2
    return Work(
        unit="spectrum",
        units=float(pixels),
        flop=pixels * each,
        bytes=float(pixels * (item * fitted + 4 * components)),
        input_bytes=float(pixels * channels * item),
        output_bytes=4.0 * pixels * components,
        shared_bytes=4.0 * fitted * components,
    )


def make(parameters: Parameters, options: XrfOptions, seed: int, blocks: int) -> Problem:
    """Return generated maps of a known specimen."""
    given = [name for name in readers.OF_FILE if getattr(options, name) != getattr(XrfOptions(), name)]
    if given:
        raise UsageError(f"the options {', '.join(given)} describe a file; add --input FILE, or remove them")
    if options.method != "snip" and options.continuum < TRUE_DEGREE:
        raise UsageError(
            f"continuum: {options.continuum} is too low: generated spectra have a continuum of degree {TRUE_DEGREE}; "
            f"write {TRUE_DEGREE} or more"
        )
    setup = sample.make_setup(parameters["channels"], TRUE_DEGREE)
    model = replace(setup, degree=_degree(options)).model()
    if options.snip_width > (model.last - model.first - 1) // 2:
        raise UsageError(
            f"snip_width: {options.snip_width} is more than half of {model.last - model.first} channels; choose a "
            "smaller width"
        )
    columns = np.column_stack(list(setup.columns().values()))
    spectra, areas = [], []
    for block in range(blocks):
        rng = np.random.default_rng([seed, block])
        areas.append(sample.make_areas(setup, parameters["rows"], parameters["columns"], rng))
        spectra.append(sample.make_spectra(columns, areas[-1], rng))
    return Problem(
        blocks=spectra,
        model=model,
        method=options.method,
        snip_width=options.snip_width,
        truth=Truth(areas=areas, columns=columns[model.first : model.last]),
    )


def read(path: Path, parameters: Parameters, options: XrfOptions, blocks: int) -> Problem:
    """Return the blocks of successive spectra of a file, as many as the file has."""
    found = readers.read(path, options, parameters["pixels"], blocks)
    return Problem(
        blocks=found.blocks,
        model=found.model,
        method=options.method,
        snip_width=options.snip_width,
        lost=found.lost,
    )


def _pixels(parameters: Parameters) -> int:
    return int(parameters["pixels"] if "pixels" in parameters else parameters["rows"] * parameters["columns"])


def _degree(options: XrfOptions) -> int | None:
    return None if options.method == "snip" else options.continuum
