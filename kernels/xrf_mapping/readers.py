"""Read spectra from files: MAPS and other HDF5, EPICS ``.mda``, and single spectra ``.spe`` and ``.mca``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError, Parameters, UsageError
from daasbench.formats.datasets import at_known_path
from daasbench.formats.hdf5 import contents, dataset_at, open_hdf5

from . import mda
from .configuration import Configuration, known, load
from .lines import table
from .model import LEAST_SEEN, Beam, Detector, Model, Setup
from .options import XrfOptions

Spectra = NDArray[Any]

OF_FILE = ("configuration", "elements", "calibration", "beam_kev", "energies", "dataset", "detector")
_PLACES = ("MAPS/mca_arr", "MAPS_RAW/data_a", "MAPS_RAW/data_b", "MAPS_RAW/data_c", "MAPS_RAW/data_d")
_MOST_DEPENDENT = 1e6  # condition of the model's matrix


@dataclass(frozen=True, kw_only=True)
class SpectrumBlocks:
    """The blocks of a file: u16 or f32[pixels, channels]; `lost` spectra had invalid counts."""

    blocks: Sequence[Spectra]
    model: Model
    lost: int


@dataclass(frozen=True, kw_only=True)
class Content:
    """The spectra of a file, u16 or f32[pixels, channels], and the calibration in the file."""

    spectra: Spectra
    calibration: tuple[float, float, float] | None = None


def survey(path: Path, options: XrfOptions) -> Parameters:
    """Return the numbers of pixels of a block, channels, fitted channels and components, and the bytes per channel."""
    content = _content(path, options)
    total, channels = content.spectra.shape
    setup = _setup(path, content, options)
    _model(path, setup)
    fitted, components = setup.shape
    return {
        "pixels": min(total, options.pixels),
        "channels": channels,
        "fitted": fitted,
        "components": components,
        "item_bytes": content.spectra.itemsize,
    }


def read(path: Path, options: XrfOptions, pixels: int, blocks: int) -> SpectrumBlocks:
    """Return the spectra of a file in at most `blocks` blocks of `pixels`."""
    content = _content(path, options)
    spectra, lost = _repaired(content.spectra)
    count = min(blocks, len(spectra) // pixels)
    made = [spectra[pixels * block : pixels * (block + 1)].copy() for block in range(count)]
    return SpectrumBlocks(blocks=made, model=_model(path, _setup(path, content, options)), lost=lost)


def _content(path: Path, options: XrfOptions) -> Content:
    suffix = path.suffix.lower()
    if suffix == ".mda":
        stack = mda.spectra(path)
        _check_element(path, options.detector, stack.shape[2])
        return Content(spectra=stack[:, :, options.detector].reshape(-1, stack.shape[3]))
    if suffix in {".spe", ".mca"}:
        return Content(spectra=_text(path)[None])
    return _hdf5(path, options)


def _check_element(path: Path, wanted: int, there: int) -> None:
    if wanted >= there:
        raise InputError(f"{path}: detector = {wanted}: the file has detector elements 0 to {there - 1}")


def _hdf5(path: Path, options: XrfOptions) -> Content:
    with open_hdf5(path) as file:
        places = [place for place in _PLACES if dataset_at(file, place) is not None]
        if options.dataset is None:
            _check_element(path, options.detector, max(len(places), 1))
        dataset = at_known_path(
            path,
            file,
            "dataset",
            options.dataset,
            places[options.detector : options.detector + 1],
            may_be=None if places else _may_be_spectra,  # MAPS files are not NeXus, and have one dataset per element
        )
        if dataset is None:
            raise InputError(
                f"{path}: no spectra found (NeXus' default, {' or '.join(_PLACES[:2])}); name them with "
                f"--set dataset=PATH; the file has: {contents(file)}"
            )
        if not _may_be_spectra(dataset):
            raise InputError(
                f"{path}: {dataset.name} is {dataset.dtype}{list(dataset.shape)}; spectra must be numbers, "
                "[channel, row, column] in MAPS files, else with the channel last"
            )
        small = dataset.dtype.kind in "iu" and dataset.dtype.itemsize <= 2
        counts = dataset[()]
        if dataset.name.strip("/").startswith("MAPS"):
            counts = np.moveaxis(counts, 0, -1)
        counts = counts.reshape(-1, counts.shape[-1])
        kept = counts.dtype if small else np.dtype(np.float32)
        calibration = dataset_at(file, "MAPS/energy_calib")
        return Content(
            spectra=np.ascontiguousarray(counts, kept),
            calibration=None if calibration is None else tuple(float(value) for value in calibration[:3]),  # type: ignore[arg-type]  # three
        )


def _may_be_spectra(dataset: Any) -> bool:
    return dataset.dtype.kind in "iuf" and dataset.ndim >= 2 and dataset.size > 0


def _text(path: Path) -> NDArray[np.float32]:
    """Return f32[channels]: the counts after ``$DATA:`` and its two channel numbers, or all numbers of the file."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    lines = [line.strip() for line in path.read_text("latin-1").splitlines()]
    if "$DATA:" in lines:
        lines = lines[lines.index("$DATA:") + 2 :]
        ends = [number for number, line in enumerate(lines) if line.startswith("$")]
        lines = lines[: ends[0]] if ends else lines
    words = [word for line in lines if not line.startswith("#") for word in line.split()]
    try:
        counts = np.array(words, np.float32)
    except ValueError as error:
        raise InputError(f"{path}: {error}; a .spe has counts after $DATA:, a .mca one count per line") from error
    if counts.size < 16:
        raise InputError(f"{path}: has {counts.size} channels, too few for a spectrum, which has hundreds")
    return counts


def _repaired(spectra: Spectra) -> tuple[Spectra, int]:
    """Return counts, u16 or f32, with zeros for invalid spectra, and the number of invalid spectra."""
    good = np.isfinite(spectra).all(axis=1) & (spectra >= 0).all(axis=1)
    repaired = spectra.astype(np.float32 if spectra.dtype.kind == "f" else np.uint16)
    repaired[~good] = 0
    return repaired, int((~good).sum())


def _setup(path: Path, content: Content, options: XrfOptions) -> Setup:
    said = None if options.configuration is None else load(Path(options.configuration))
    detector = _detector(path, content, options, said)
    channels = content.spectra.shape[1]
    first, last = _range(path, options, said, detector, channels)
    beam = said.beam if said else None
    if options.beam_kev is not None:
        beam = Beam(energy=options.beam_kev) if options.beam_kev else None
    if beam is not None and not _between(beam.compton_energy, detector, first, last):
        beam = None
    setup = Setup(
        detector=detector,
        families=_families(path, options, said),
        channels=channels,
        first=first,
        last=last,
        beam=beam,
        degree=None if options.method == "snip" else options.continuum,
    )
    seen = tuple(name for name in setup.families if setup.seen(name) > LEAST_SEEN)
    if not seen:
        raise InputError(
            f"{path}: none of {', '.join(setup.families)} has lines between "
            f"{detector.energies(channels)[first]:.2f} and {detector.energies(channels)[last - 1]:.2f} keV"
        )
    return Setup(**{**vars(setup), "families": seen})


def _detector(path: Path, content: Content, options: XrfOptions, said: Configuration | None) -> Detector:
    noise, fano = (said.detector.noise, said.detector.fano) if said else (0.1, 0.114)
    if options.calibration is not None:
        offset, gain = _two(options.calibration, "calibration", ",", "offset, gain in keV")
        curvature = 0.0
    elif said:
        offset, gain, curvature = said.detector.offset, said.detector.gain, said.detector.curvature
    elif content.calibration:
        offset, gain, curvature = content.calibration
    else:
        raise InputError(
            f"{path}: its energy calibration is not known; give a PyMca .cfg or a MAPS override file by "
            "--set configuration=FILE, or --set calibration=OFFSET,GAIN in keV"
        )
    if not gain > 0:
        raise InputError(f"{path}: the energy calibration has a gain of {gain} keV per channel; it must be positive")
    return Detector(offset=offset, gain=gain, curvature=curvature, noise=noise, fano=fano)


def _families(path: Path, options: XrfOptions, said: Configuration | None) -> tuple[str, ...]:
    if options.elements is None:
        if said is None or not said.families:
            raise InputError(f"{path}: the elements to fit are not known; name them with --set elements='Ca, Fe, Pb L'")
        return said.families
    words = [word.split() for word in options.elements.split(",") if word.strip()]
    families, unknown = known([" ".join(word if len(word) > 1 else [*word, "K"]) for word in words])
    if unknown or not families:
        raise UsageError(
            f"elements: no lines are known for {', '.join(unknown) or repr(options.elements)}; "
            f"known are {', '.join(table())}"
        )
    return families


def _range(
    path: Path, options: XrfOptions, said: Configuration | None, detector: Detector, channels: int
) -> tuple[int, int]:
    if options.energies is not None:
        low, high = _two(options.energies, "energies", ":", "first : last in keV")
    elif said and said.channels:
        return _checked(path, options, *said.channels, channels)
    elif said and said.energies:
        low, high = said.energies
    else:
        low, high = 1.0, np.inf
    inside = np.flatnonzero((detector.energies(channels) >= low) & (detector.energies(channels) <= high))
    first, last = (int(inside[0]), int(inside[-1]) + 1) if inside.size else (0, 0)
    return _checked(path, options, first, last, channels)


def _checked(path: Path, options: XrfOptions, first: int, last: int, channels: int) -> tuple[int, int]:
    first, last = max(first, 0), min(last, channels)
    least = max(2 * options.snip_width + 1, 32)
    if last - first < least:
        raise InputError(
            f"{path}: only {max(last - first, 0)} of {channels} channels would be fitted; at least {least} are needed"
        )
    return first, last


def _two(text: str, option: str, mark: str, right: str) -> tuple[float, float]:
    try:
        one, other = (float(part) for part in text.split(mark))
    except ValueError as error:
        raise UsageError(f"{option}: {text!r} is not '{right}'") from error
    return one, other


def _between(energy: float, detector: Detector, first: int, last: int) -> bool:
    energies = detector.energies(last)
    return bool(energies[first] <= energy <= energies[-1])


def _model(path: Path, setup: Setup) -> Model:
    """Return the model; raise InputError if components are not distinguishable."""
    model = setup.model()
    condition = float(np.linalg.cond(model.matrix / model.norms))
    if not condition < _MOST_DEPENDENT:
        raise InputError(
            f"{path}: some of {', '.join(model.names)} are not distinguishable in this range (condition "
            f"{condition:.1g}); choose fewer with --set elements=..."
        )
    return model
