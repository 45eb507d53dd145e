"""Frames and masks from files: HDF5 and NeXus stacks, and every image format that fabio reads."""

from __future__ import annotations

import logging
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from daasbench.errors import InputError
from daasbench.formats.hdf5 import Contents, check_sources, contents, dataset_at, distinct, open_hdf5

from .powder import DUMMY

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, int]
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".nexus", ".cxi", ".he5")
# A broken image raises in fabio whatever the parser of its format stumbles over.
FABIO_ERRORS = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError,
    AssertionError, EOFError, OverflowError, MemoryError, struct.error, zlib.error,
)  # fmt: skip


class Stack(Protocol):
    """Frames in an open file."""

    shape: tuple[int, int, int]  # frames, rows, columns

    def read(self, start: int, frames: int) -> Array:
        """Return `frames` frames from `start` on."""
        ...


@contextmanager
def open_stack(path: Path, dataset: str | None, shape: Shape | None) -> Iterator[Stack]:
    """Open the frames in the file `path`.

    Parameters
    ----------
    dataset
        Path inside an HDF5 file; None: found.
    shape
        Rows and columns that the frames should have, if that is known: it helps to find the dataset.

    Raises
    ------
    InputError
        If the file cannot be read, or which of its datasets are the frames is not clear.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    if path.suffix.lower() in HDF5_SUFFIXES or _is_hdf5(path):
        with open_hdf5(path) as file:
            found = _choose(path, file, dataset, shape)
            for each in found:
                check_sources(path, each)
            yield Hdf5Stack(path, found)
        return
    if dataset is not None:
        raise InputError(f"{path}: dataset = {dataset!r} is for HDF5 files, and this is none")
    yield FabioStack(path)


def to_counts(raw: Array, dummy: float | None, path: Path) -> Array:
    """Return frames as the kernel takes them: u32 with DUMMY, or f32 with NaN, where there is no data.

    No data are negative and not finite values, `dummy`, and for integers the largest value of their type (which
    detectors use for gaps and saturation) and all from 2**32 - 1 on.
    """
    if raw.dtype.kind not in "biuf":
        raise InputError(f"{path}: frames are of type {raw.dtype}; expected integers or floating-point numbers")
    lost = raw < 0 if raw.dtype.kind in "if" else np.zeros(raw.shape, bool)
    if dummy is not None:
        lost |= raw == dummy
    if raw.dtype.kind == "f":
        return np.where(lost | ~np.isfinite(raw), np.nan, raw).astype(np.float32)
    if raw.dtype.kind != "b":
        lost |= raw >= min(int(np.iinfo(raw.dtype).max), DUMMY)
    return np.where(lost, DUMMY, raw.astype(np.uint32, copy=False)).astype(np.uint32, copy=False)


def read_mask(path: Path, shape: Shape) -> Array:
    """Return the mask in an image file: bool[rows, columns], true where a pixel shall be left out."""
    with open_stack(path, None, shape) as stack:
        if stack.shape[1:] != shape:
            rows, columns = stack.shape[1:]
            raise InputError(
                f"{path}: the mask has {rows} x {columns} pixels (rows x columns), "
                f"the frames have {shape[0]} x {shape[1]}"
            )
        return np.asarray(stack.read(0, 1)[0] != 0)


# --- images --------------------------------------------------------------------------------------------------


class FabioStack:
    """One image file, of one frame or several."""

    def __init__(self, path: Path) -> None:
        import fabio

        logging.getLogger("fabio").addHandler(logging.NullHandler())  # what it complains of, our error says
        self.path = path
        try:
            self._image = fabio.open(str(path))
            if self._image.data is None:
                raise OSError("no pixels can be decoded")
            rows, columns = self._image.data.shape
        except FABIO_ERRORS as error:
            raise InputError(
                f"{path}: cannot be read as an image ({error}); it is empty, truncated, damaged or of another "
                "format; expected HDF5 or a format of fabio (tif, edf, cbf, img, ...)"
            ) from error
        self.shape = (int(self._image.nframes), int(rows), int(columns))

    def read(self, start: int, frames: int) -> Array:
        """Return `frames` frames from `start` on."""
        try:
            found = [self._image.get_frame(i).data for i in range(start, start + frames)]
        except FABIO_ERRORS as error:
            raise InputError(f"{self.path}: breaks off: frames {start} to {start + frames - 1}: {error}") from error
        if any(frame.shape != self.shape[1:] for frame in found):
            raise InputError(f"{self.path}: its frames are not all of one shape, {self.shape[1]} x {self.shape[2]}")
        return np.stack(found)


# --- HDF5 and NeXus ------------------------------------------------------------------------------------------


class Hdf5Stack:
    """One dataset, or several in a row as DECTRIS writes them, of an open HDF5 file."""

    def __init__(self, path: Path, datasets: list[Any]) -> None:
        self.path, self._datasets = path, datasets
        lengths = [d.shape[0] if d.ndim == 3 else 1 for d in datasets]
        self._ends = np.cumsum(lengths)
        rows, columns = datasets[0].shape[-2:]
        self.shape = (int(self._ends[-1]), int(rows), int(columns))

    def read(self, start: int, frames: int) -> Array:
        """Return `frames` frames from `start` on."""
        try:
            return np.stack([self._frame(i) for i in range(start, start + frames)])
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{self.path}: {self._datasets[0].name} cannot be read, "
                f"the file is damaged or its compression unknown: {error}"
            ) from error

    def _frame(self, index: int) -> Array:
        which = int(np.searchsorted(self._ends, index, side="right"))
        dataset = self._datasets[which]
        if dataset.ndim == 2:
            return np.asarray(dataset[()])
        return np.asarray(dataset[index - (self._ends[which] - dataset.shape[0])])


def _is_hdf5(path: Path) -> bool:
    import h5py

    return bool(h5py.is_hdf5(path))


def _choose(path: Path, file: Any, wanted: str | None, shape: Shape | None) -> list[Any]:
    """Return the datasets that are the frames: the one `wanted`, else NeXus' default, else the only one that can be.

    DECTRIS' series of linked files counts as one, and a stack goes before single images (masks, flat fields).
    """
    found = contents(file)
    if wanted is not None:
        dataset = dataset_at(file, wanted)
        if dataset is None or not _may_be_frames(dataset):
            problem = "no dataset" if dataset is None else "no frames, which are numbers [frame, row, column],"
            raise InputError(f"{path}: has {problem} at dataset = {wanted!r}; it has: {found}")
        return [dataset]
    default = _nexus_default(file)
    if default is not None and _may_be_frames(default):
        return [default]
    possible = {name: d for name, d in distinct(found.datasets).items() if _may_be_frames(d)}
    fitting = {name: d for name, d in possible.items() if shape is None or d.shape[-2:] == shape} or possible
    series = _series(path, fitting, found)
    stacks = [d for d in fitting.values() if d.ndim == 3]
    signals = [d for d in fitting.values() if d.attrs.get("signal") in (1, "1", b"1")]  # NeXus before 2014
    for choice in (signals, stacks, list(fitting.values())):
        if series or len(choice) == 1:
            return series or choice
    problem = "several datasets that could be the frames" if fitting else "no frames, numbers [frame, row, column]"
    raise InputError(f"{path}: has {problem}; set dataset=PATH; it has: {found}")


def _may_be_frames(dataset: Any) -> bool:
    return dataset.ndim in (2, 3) and dataset.dtype.kind in "biuf" and dataset.size > 0


def _series(path: Path, fitting: Mapping[str, Any], found: Contents) -> list[Any]:
    """Return the datasets that a DECTRIS master file links to, in their order.

    The links are made before the measurement: at its end, after one that was stopped, some may lead nowhere.
    """
    pattern = re.compile(r"/data_\d{6}$")
    series = [name for name in sorted(fitting) if pattern.search(name)]
    lost = min((name for name in found.broken if pattern.search(name)), default=None)
    if lost is not None and (not series or lost < series[-1]):
        raise InputError(
            f"{path}: its link {lost} leads to {found.broken[lost]}, which is missing; put that beside the file"
        )
    return [fitting[name] for name in series]


def _nexus_default(file: Any) -> Any | None:
    """Return the dataset that the NeXus attributes `default` and `signal` lead to."""
    item = file
    for _ in range(8):
        step = item.attrs.get("default") or item.attrs.get("signal")
        if isinstance(step, bytes):
            step = step.decode()
        if not isinstance(step, str) or step.lstrip("/") not in item:
            return None
        item = item[step.lstrip("/")]
        if hasattr(item, "dtype"):
            return item
    return None
