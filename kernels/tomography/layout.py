"""Where the parts of a scan lie in an HDF5 file: DXchange, NXtomo, or as the user says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers the compression filters of detectors)
import numpy as np
from numpy.typing import NDArray

from daasbench.errors import InputError

from .options import TomographyOptions

F64 = NDArray[np.float64]
Index = NDArray[np.intp]

_PROJECTION, _FLAT, _DARK = 0, 1, 2  # NXtomo's image_key


@dataclass(frozen=True, kw_only=True)
class Scan:
    """An open scan: its frames are read when they are sliced.

    Attributes
    ----------
    frames
        The dataset [frame, row, column].
    projections
        Index of the frames that are projections.
    flats, darks
        Open-beam frames and frames without beam, [frame, row, column] as stored; None if there are none.
    angles
        f64[projections], radian.
    """

    path: Path
    frames: Any
    projections: Index
    flats: _Stack | None
    darks: _Stack | None
    angles: F64


@dataclass(frozen=True)
class _Stack:
    """Frames of a dataset: those at `index`, or all."""

    dataset: Any
    index: Index | None = None

    def mean(self, rows: slice) -> F64:
        """Return f64[rows, columns]: the mean over the frames."""
        if self.dataset.ndim == 2:
            return np.asarray(self.dataset[rows], np.float64)
        frames = self.dataset[:, rows] if self.index is None else self.dataset[self.index, rows]
        mean: F64 = np.mean(frames, axis=0, dtype=np.float64)
        return mean


@contextmanager
def open_scan(path: Path, options: TomographyOptions) -> Iterator[Scan]:
    """Open a scan; raise InputError, here and while it is read, on anything that is wrong with the file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; --input names an HDF5 file with projections, flats and darks")
    try:
        with h5py.File(path, "r") as file:
            yield _scan(path, file, options)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read as HDF5 ({error}); it is truncated, damaged or of another format"
        ) from error


def _scan(path: Path, file: Any, options: TomographyOptions) -> Scan:
    key = _first(file, "image_key")
    frames = _frames(path, file, options, key)
    if key is not None and options.dataset is None:
        kinds = np.asarray(key[()])
        if kinds.shape != frames.shape[:1]:
            raise InputError(
                f"{path}: {key.name} has {kinds.size} entries and {frames.name} has {frames.shape[0]} frames; "
                "there must be one for each frame"
            )
        flats, darks = (_Stack(frames, np.flatnonzero(kinds == kind)) for kind in (_FLAT, _DARK))
        projections = np.flatnonzero(kinds == _PROJECTION)
        found = [stack if stack.index is not None and stack.index.size else None for stack in (flats, darks)]
    else:
        projections, found = np.arange(frames.shape[0]), [None, None]
    named = [
        _reference(path, file, option, places, frames) if wanted is None else wanted
        for wanted, option, places in (
            (found[0] if options.flats is None else None, options.flats, ("exchange/data_white",)),
            (found[1] if options.darks is None else None, options.darks, ("exchange/data_dark",)),
        )
    ]
    if options.minus_log and named[0] is None and options.flats != "":
        raise InputError(
            f"{path}: no open-beam frames (flats) found; name them with --set flats=PATH, say --set flats= if the "
            "frames are divided by them already, or --set minus_log=false if these are line integrals; "
            f"the file has: {contents(file)}"
        )
    angles = _angles(path, file, options, frames.shape[0], projections)
    return Scan(path=path, frames=frames, projections=projections, flats=named[0], darks=named[1], angles=angles)


def _frames(path: Path, file: Any, options: TomographyOptions, key: Any) -> Any:
    places = [f"{key.parent.name}/data"] if key is not None else []
    frames = _dataset(path, file, "dataset", options.dataset, (*places, "exchange/data"))
    if frames is None:
        raise InputError(
            f"{path}: no projections found (looked for exchange/data and for data beside image_key); name them with "
            f"--set dataset=PATH; the file has: {contents(file)}"
        )
    if frames.ndim != 3 or frames.dtype.kind not in "iuf" or min(frames.shape) < 1 or frames.shape[2] < 2:
        raise InputError(
            f"{path}: {frames.name} is {frames.dtype}{list(frames.shape)}; projections are numbers in the shape "
            "[projection, row, column] with two columns or more"
        )
    return frames


def _reference(path: Path, file: Any, option: str | None, places: tuple[str, ...], frames: Any) -> _Stack | None:
    dataset = _dataset(path, file, "flats or darks", option, places)
    if dataset is None:
        return None
    if dataset.shape[-2:] != frames.shape[1:] or dataset.ndim not in (2, 3) or dataset.shape[0] == 0:
        raise InputError(
            f"{path}: {dataset.name} has the shape {list(dataset.shape)}; it must be [frames, "
            f"{frames.shape[1]}, {frames.shape[2]}] or one frame, as {frames.name} is {list(frames.shape)}"
        )
    return _Stack(dataset)


def _angles(path: Path, file: Any, options: TomographyOptions, frames: int, projections: Index) -> F64:
    places = [options.angles] if options.angles else ["exchange/theta"]
    dataset = _dataset(path, file, "angles", options.angles, tuple(places))
    if dataset is None:
        dataset = _first(file, "rotation_angle")
    if dataset is None:
        raise InputError(
            f"{path}: no angles found (looked for exchange/theta and rotation_angle); name them with "
            f"--set angles=PATH; the file has: {contents(file)}"
        )
    angles = np.asarray(dataset[()], np.float64).ravel()
    if angles.size == frames and frames != projections.size:
        angles = angles[projections]
    if angles.size != projections.size or not np.isfinite(angles).all():
        raise InputError(
            f"{path}: {dataset.name} has {angles.size} angles, {int(np.isfinite(angles).sum())} of them finite, for "
            f"{projections.size} projections; there must be one finite angle for each"
        )
    stored = dataset.attrs.get("units", "degree")
    unit = options.angle_unit or (stored.decode() if isinstance(stored, bytes) else str(stored))
    return angles if unit.lower().startswith("rad") else np.deg2rad(angles)


def _dataset(path: Path, file: Any, option: str, wanted: str | None, places: tuple[str, ...]) -> Any | None:
    """Return the dataset `wanted`, or the first that is there of `places`, or None."""
    if wanted:
        if not isinstance(file.get(wanted), h5py.Dataset):
            raise InputError(f"{path}: no dataset {wanted!r} ({option}); the file has: {contents(file)}")
        return file[wanted]
    if wanted == "":
        return None
    return next((file[place] for place in places if isinstance(file.get(place), h5py.Dataset)), None)


def _first(file: Any, name: str) -> Any | None:
    """Return the first dataset in the file that is called `name`, or None."""

    def visit(path: str, thing: Any) -> Any | None:
        return thing if path.rpartition("/")[2] == name and isinstance(thing, h5py.Dataset) else None

    return file.visititems(visit)


def contents(file: Any) -> str:
    """Return the datasets of an HDF5 file with their types and shapes, for messages."""
    found: list[str] = []

    def visit(path: str, thing: Any) -> None:
        if isinstance(thing, h5py.Dataset):
            found.append(f"{path} {thing.dtype}{list(thing.shape)}")

    file.visititems(visit)
    return ", ".join(found[:20]) + (", ..." if len(found) > 20 else "") if found else "no datasets"
