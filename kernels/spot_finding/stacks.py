"""Frames in files: images of every format that fabio reads, HDF5 and NeXus stacks, HEXRD's frame caches."""

from __future__ import annotations

import logging
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from daasbench.errors import InputError
from daasbench.formats.hdf5 import Contents, check_sources, contents, dataset_at, distinct, open_hdf5

Array = np.ndarray[Any, np.dtype[Any]]
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".nexus", ".cxi")
# A broken image raises in fabio whatever the parser of its format stumbles over.
FABIO_ERRORS = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError,
    AssertionError, EOFError, OverflowError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
_SERIES = re.compile(r"(^|/)data_\d{6}$")  # as DECTRIS' master files name the links to their parts


class Stack(Protocol):
    """Frames in an open file."""

    shape: tuple[int, int, int]  # frames, rows, columns

    def read(self, index: int) -> Array:
        """Return one frame: numbers[rows, columns]."""
        ...


@contextmanager
def open_stack(path: Path, dataset: str | None = None) -> Iterator[Stack]:
    """Open the frames in the file `path`; `dataset` is a path inside an HDF5 file, None: found.

    Raises
    ------
    InputError
        If the file cannot be read, or which of its datasets are the frames is not clear.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    suffix = path.suffix.lower()
    if suffix in HDF5_SUFFIXES:
        with open_hdf5(path) as file:
            yield Hdf5Stack(path, _choose(path, file, dataset))
        return
    if dataset is not None:
        raise InputError(f"{path}: dataset = {dataset!r} is for HDF5 files, and this is none")
    if suffix == ".npz":
        with open(path, "rb") as cache:
            yield FrameCache(path, cache)
        return
    yield FabioStack(path)


class FabioStack:
    """One image file, of one frame or several, compressed or not."""

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
                "format; expected HDF5, a HEXRD frame cache (npz) or a format of fabio (cbf, tif, edf, img, ...)"
            ) from error
        self.shape = (int(self._image.nframes), int(rows), int(columns))

    def read(self, index: int) -> Array:
        """Return one frame."""
        try:
            frame = np.asarray(self._image.get_frame(index).data)
        except FABIO_ERRORS as error:
            raise InputError(f"{self.path}: breaks off at frame {index}: {error}") from error
        return _checked(self.path, frame, index, self.shape)


class Hdf5Stack:
    """One dataset, or several in a row as DECTRIS writes them, of an open HDF5 file."""

    def __init__(self, path: Path, datasets: list[Any]) -> None:
        self.path, self._datasets = path, datasets
        self._ends = np.cumsum([d.shape[0] if d.ndim == 3 else 1 for d in datasets])
        rows, columns = datasets[0].shape[-2:]
        self.shape = (int(self._ends[-1]), int(rows), int(columns))

    def read(self, index: int) -> Array:
        """Return one frame."""
        which = int(np.searchsorted(self._ends, index, side="right"))
        dataset = self._datasets[which]
        try:
            frame = dataset[()] if dataset.ndim == 2 else dataset[index - (self._ends[which] - dataset.shape[0])]
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{self.path}: {dataset.name} cannot be read at frame {index}, the file is damaged or its compression "
                f"unknown: {error}"
            ) from error
        return _checked(self.path, np.asarray(frame), index, self.shape)


class FrameCache:
    """The sparse frames that HEXRD keeps: rows, columns and counts of the pixels above its threshold, as npz."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        try:
            self._cache: Any = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path}: cannot be read as a frame cache ({error}); it is truncated or damaged"
            ) from error
        cache = self._cache
        try:
            rows, columns = (int(length) for length in cache["shape"])
            self._type = np.dtype(str(np.asarray(cache["dtype"]).item().decode()))
            self.shape = (int(cache["nframes"]), rows, columns)
        except (KeyError, ValueError, TypeError, AttributeError, zlib.error, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path}: is no frame cache of HEXRD ({error}); it holds shape, nframes, dtype and, for every frame, "
                "N_row, N_col and N_data"
            ) from error

    def read(self, index: int) -> Array:
        """Return one frame; what the cache does not hold is 0."""
        frame = np.zeros(self.shape[1:], self._type)
        try:
            row, column, counts = (self._cache[f"{index}_{name}"] for name in ("row", "col", "data"))
            frame[row, column] = counts
        except (KeyError, ValueError, IndexError, TypeError, zlib.error, zipfile.BadZipFile) as error:
            raise InputError(f"{self.path}: its frame {index} is damaged or missing: {error}") from error
        return frame


def _checked(path: Path, frame: Array, index: int, shape: tuple[int, int, int]) -> Array:
    if frame.shape != shape[1:]:
        raise InputError(
            f"{path}: frame {index} has the shape {list(frame.shape)}, the first {list(shape[1:])}; they must agree"
        )
    return frame


def _choose(path: Path, file: Any, wanted: str | None) -> list[Any]:
    """Return the datasets that are the frames: the one `wanted`, DECTRIS' series, or the only one that can be."""
    found = contents(file)
    if wanted is not None:
        dataset = dataset_at(file, wanted)
        if dataset is None or not _may_be_frames(dataset):
            problem = "no dataset" if dataset is None else "no frames, which are numbers [frame, row, column],"
            raise InputError(f"{path}: has {problem} at dataset = {wanted!r}; it has: {found}")
        chosen = [dataset]
    else:
        possible = {name: d for name, d in distinct(found.datasets).items() if _may_be_frames(d)}
        stacks = [d for d in possible.values() if d.ndim == 3]
        alone = stacks if len(stacks) == 1 else list(possible.values())
        chosen = _series(path, possible, found) or alone
        if chosen is alone and len(alone) != 1:
            problem = (
                "several datasets that could be the frames" if alone else "no frames, numbers [frame, row, column]"
            )
            raise InputError(f"{path}: has {problem}; set dataset=PATH; it has: {found}")
    for each in chosen:
        check_sources(path, each)
    return chosen


def _series(path: Path, possible: Mapping[str, Any], found: Contents) -> list[Any]:
    """Return the datasets that a DECTRIS master file links to, in their order.

    The links are made before the measurement: after one that was stopped, the last may lead nowhere.
    """
    series = [name for name in sorted(possible) if _SERIES.search(name)]
    lost = min((name for name in found.broken if _SERIES.search(name)), default=None)
    if lost is not None and (not series or lost < series[-1]):
        raise InputError(f"{path}: its link {lost} leads to {found.broken[lost]}, which is missing; put that beside it")
    return [possible[name] for name in series]


def _may_be_frames(dataset: Any) -> bool:
    return dataset.ndim in (2, 3) and dataset.dtype.kind in "iuf" and dataset.size > 0
