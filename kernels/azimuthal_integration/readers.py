"""Frames and masks from files: HDF5 and NeXus stacks, and every image format that fabio reads."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from daasbench.errors import InputError

from .powder import DUMMY

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, int]
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".nexus", ".cxi", ".he5")
# A broken image raises in fabio whatever the parser of its format stumbles over.
FABIO_ERRORS = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, NotImplementedError,
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
        with _open_hdf5(path, dataset, shape) as stack:
            yield stack
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

        self.path = path
        try:
            self._image = fabio.open(str(path))
            rows, columns = self._image.data.shape
        except FABIO_ERRORS as error:
            raise InputError(
                f"{path}: cannot be read as an image ({type(error).__name__}: {error}); "
                "expected HDF5 or a format of fabio (tif, edf, cbf, img, ...)"
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


@contextmanager
def _open_hdf5(path: Path, dataset: str | None, shape: Shape | None) -> Iterator[Stack]:
    import h5py
    import hdf5plugin  # noqa: F401  (registers the compressions of detectors)

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: is no readable HDF5 file, or it is truncated: {error}") from error
    with file:
        found = dict(_image_datasets(file))
        yield Hdf5Stack(path, _choose(path, file, dataset, shape, found))


def _image_datasets(group: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield path and dataset of everything that could be frames, links followed, in the file's order."""
    import h5py

    for name in group:
        path = f"{prefix}/{name}"
        try:
            item = group[name]
        except (KeyError, OSError):
            continue  # a link that leads nowhere
        if isinstance(item, h5py.Group) and depth < 12:  # links may go round
            yield from _image_datasets(item, path, depth + 1)
        elif isinstance(item, h5py.Dataset) and item.ndim in (2, 3) and item.dtype.kind in "biuf" and item.size:
            yield path, item


def _choose(path: Path, file: Any, wanted: str | None, shape: Shape | None, found: dict[str, Any]) -> list[Any]:
    """Return the datasets that are the frames; raise InputError, which lists what is there, if that is not clear."""
    listing = "; ".join(f"{name} {d.shape} {d.dtype}" for name, d in found.items()) or "none of two or three dimensions"
    if wanted is not None:
        key = "/" + wanted.strip("/")
        if key not in found:
            raise InputError(f"{path}: has no frames at dataset = {wanted!r}; it has: {listing}")
        return [found[key]]
    default = _nexus_default(file)
    if default in found:
        return [found[default]]
    fitting = {n: d for n, d in found.items() if shape is None or d.shape[-2:] == shape} or found
    series = [d for n, d in sorted(fitting.items()) if re.search(r"/data_\d{6}$", n)]
    if series and len(series) == len(fitting):
        return series
    if len(fitting) != 1:
        problem = "has no frames" if not fitting else "has several datasets that could be the frames"
        raise InputError(f"{path}: {problem}; set dataset=PATH; it has: {listing}")
    return list(fitting.values())


def _nexus_default(file: Any) -> str | None:
    """Return the path of the signal that the NeXus attributes `default` and `signal` lead to."""
    item, path = file, ""
    for _ in range(8):
        step = item.attrs.get("default") or item.attrs.get("signal")
        if isinstance(step, bytes):
            step = step.decode()
        if not isinstance(step, str) or step.lstrip("/") not in item:
            return None
        path += "/" + step.strip("/")
        item = item[step.lstrip("/")]
        if hasattr(item, "dtype"):
            return path
    return None
