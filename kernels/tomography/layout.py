"""The parts of a scan in an HDF5 file: by DXchange, by NXtomo, or by the user's options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError
from daasbench.formats.datasets import at_known_path
from daasbench.formats.hdf5 import contents, dataset_at, identity, open_hdf5

from .options import TomographyOptions

F64 = NDArray[np.float64]
Index = NDArray[np.intp]

_PROJECTION, _FLAT, _DARK = 0, 1, 2  # NXtomo's image_key


@dataclass(frozen=True, kw_only=True)
class Scan:
    """An open scan; its frames are read when they are sliced.

    Attributes
    ----------
    frames
        The dataset [frame, row, column].
    projections
        Indices of the frames that are projections.
    flats, darks
        Open-beam frames and frames without beam, [frame, row, column] as stored; None if there are none.
    angles
        f64[projections], radian.
    """

    path: Path
    frames: Any
    projections: Index
    flats: _FrameSelection | None
    darks: _FrameSelection | None
    angles: F64


@dataclass(frozen=True)
class _FrameSelection:
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
    """Open a scan; raise InputError, now or while it is read, if the file is not usable."""
    with open_hdf5(path) as file:
        try:
            yield _Layout(path, file, options).scan()
        except (OSError, RuntimeError) as error:  # raised by HDF5 during a read
            raise InputError(
                f"{path}: cannot be read to its end ({error}); it is truncated, damaged or has an unknown compression"
            ) from error


class _Layout:
    """An open file, its contents, and the user's options for it."""

    def __init__(self, path: Path, file: Any, options: TomographyOptions) -> None:
        self.path, self.file, self.options = path, file, options
        self.found = contents(file)

    def scan(self) -> Scan:
        """Return the parts of the scan, by the user's options, NXtomo's ``image_key`` or the names of DXchange."""
        frames, kinds = self._frames()
        flats = self._reference("flats", self.options.flats, "exchange/data_white", frames, kinds == _FLAT)
        darks = self._reference("darks", self.options.darks, "exchange/data_dark", frames, kinds == _DARK)
        if self.options.minus_log and flats is None and self.options.flats != "":
            raise InputError(
                f"{self.path}: no open-beam frames (flats) found; name them with --set flats=PATH; use --set flats= "
                "if the frames are already divided by them, or --set minus_log=false if these are line integrals; "
                f"the file has: {self.found}"
            )
        if flats is None and self.options.darks is None:
            darks = None  # frames that are divided by their flats no longer contain the dark signal
        projections = np.flatnonzero(kinds == _PROJECTION)
        if projections.size == 0:
            raise InputError(f"{self.path}: none of its {kinds.size} frames is a projection (image_key 0)")
        angles = self._angles(frames.shape[0], projections)
        return Scan(path=self.path, frames=frames, projections=projections, flats=flats, darks=darks, angles=angles)

    def _frames(self) -> tuple[Any, NDArray[Any]]:
        """Return the dataset of the frames, and the kind of each frame by NXtomo; in DXchange all are projections."""
        beside_key = [f"{key.rpartition('/')[0]}/data" for key in self.found.called("image_key")]
        places = (*beside_key, "exchange/data")
        frames = at_known_path(
            self.path, self.file, "dataset", self.options.dataset, places, may_be=_may_be_projections
        )
        if frames is None:
            raise InputError(
                f"{self.path}: no projections found (looked for NeXus' default, exchange/data and for data next to "
                f"image_key); name them with --set dataset=PATH; the file has: {self.found}"
            )
        if not _may_be_projections(frames):
            raise InputError(
                f"{self.path}: {frames.name} is {frames.dtype}{list(frames.shape)}; projections are numbers in the "
                "shape [projection, row, column] with two columns or more"
            )
        keys = [key for key in self.found.called("image_key") if self._is_next_to(key, frames)]
        if not keys:
            return frames, np.full(frames.shape[0], _PROJECTION)
        kinds = np.asarray(self.file[keys[0]][()])
        if kinds.shape != frames.shape[:1]:
            raise InputError(
                f"{self.path}: {keys[0]} has {kinds.size} entries and {frames.name} has {frames.shape[0]} frames; "
                "there must be one for each frame"
            )
        return frames, kinds

    def _is_next_to(self, key: str, frames: Any) -> bool:
        neighbour = dataset_at(self.file, f"{key.rpartition('/')[0]}/data")
        return neighbour is not None and identity(neighbour) == identity(frames)

    def _reference(
        self, option: str, wanted: str | None, place: str, frames: Any, chosen: NDArray[np.bool_]
    ) -> _FrameSelection | None:
        """Return flats or darks: those that the user names, else the `chosen` frames, else those at `place`."""
        if wanted is None and chosen.any():
            return _FrameSelection(frames, np.flatnonzero(chosen))
        dataset = self._dataset(option, wanted, (place,))
        if dataset is None:
            return None
        if dataset.shape[-2:] != frames.shape[1:] or dataset.ndim not in (2, 3) or dataset.shape[0] == 0:
            raise InputError(
                f"{self.path}: {dataset.name} has the shape {list(dataset.shape)}; it must be [frames, "
                f"{frames.shape[1]}, {frames.shape[2]}] or one frame, as {frames.name} is {list(frames.shape)}; "
                f"name others with --set {option}=PATH, none with --set {option}="
            )
        return _FrameSelection(dataset)

    def _angles(self, frames: int, projections: Index) -> F64:
        """Return the angles of the projections in radian."""
        dataset = self._dataset("angles", self.options.angles, ("exchange/theta", *self.found.called("rotation_angle")))
        if dataset is None:
            raise InputError(
                f"{self.path}: no angles found (looked for exchange/theta and rotation_angle); name them with "
                f"--set angles=PATH; the file has: {self.found}"
            )
        if dataset.dtype.kind not in "iuf":
            raise InputError(f"{self.path}: {dataset.name} is of type {dataset.dtype}; angles must be numbers")
        angles = np.asarray(dataset[()], np.float64).ravel()
        if angles.size == frames and frames != projections.size:
            angles = angles[projections]
        if angles.size != projections.size or not np.isfinite(angles).all():
            raise InputError(
                f"{self.path}: {dataset.name} has {angles.size} angles, {int(np.isfinite(angles).sum())} of them "
                f"finite, for {projections.size} projections; there must be one finite angle for each"
            )
        return angles if self._in_radian(dataset) else np.deg2rad(angles)

    def _in_radian(self, dataset: Any) -> bool:
        stored = dataset.attrs.get("units", "degree")
        unit = self.options.angle_unit or (stored.decode() if isinstance(stored, bytes) else str(stored))
        word = unit.strip().lower()
        if not word.startswith(("rad", "deg", "°")) and word:
            raise InputError(
                f"{self.path}: {dataset.name} is in {unit!r}; angles must be in degree or radian: set the unit with "
                "--set angle_unit=degree or radian"
            )
        return word.startswith("rad")

    def _dataset(self, option: str, wanted: str | None, places: Iterable[str]) -> Any | None:
        """Return the dataset `wanted`, else the first of `places` that exists, else None."""
        if wanted == "":
            return None
        return at_known_path(self.path, self.file, option, wanted, places)


def _may_be_projections(dataset: Any) -> bool:
    return dataset.ndim == 3 and dataset.dtype.kind in "iuf" and min(dataset.shape) > 0 and dataset.shape[2] > 1
