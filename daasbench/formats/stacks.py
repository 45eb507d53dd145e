"""Stacks of images: every format that fabio reads, HDF5 and NeXus, and DECTRIS' series of linked files."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from daasbench.errors import InputError
from daasbench.formats.datasets import Sought, find_frames, named, only
from daasbench.formats.hdf5 import contents, open_hdf5

Array = np.ndarray[Any, np.dtype[Any]]
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".nexus", ".cxi", ".he5")
IMAGES = "HDF5 or a format of fabio (cbf, tif, edf, img, ...)"
# If an image is damaged, fabio raises the exception of the parser of its format, which can be any of these.
FABIO_ERRORS = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError,
    AssertionError, EOFError, OverflowError, MemoryError, struct.error, zlib.error,
)  # fmt: skip


class Stack(Protocol):
    """Frames in an open file."""

    shape: tuple[int, int, int]  # frames, rows, columns

    def read(self, start: int, frames: int) -> Array:
        """Return `frames` frames from `start` on: numbers[frames, rows, columns]."""
        ...


@contextmanager
def open_stack(
    path: Path, dataset: str | None = None, *, shape: tuple[int, int] | None = None, fewest: int = 1
) -> Iterator[Stack]:
    """Open the frames in the file `path`.

    Parameters
    ----------
    dataset
        Path inside an HDF5 file; None: found by the rules of :mod:`daasbench.formats.datasets`.
    shape
        Rows and columns that the frames should have, if known; this helps to find the dataset.
    fewest
        Datasets with fewer frames are ignored.

    Raises
    ------
    InputError
        If the file cannot be read, or if several of its datasets may be the frames.
    """
    if _is_hdf5(path):
        with open_hdf5(path) as file:
            yield Hdf5Stack(path, find_frames(path, file, dataset, shape=shape, fewest=fewest))
        return
    if dataset is not None:
        raise InputError(
            f"{path}: dataset = {dataset!r} is for HDF5 files, but this is not an HDF5 file; remove dataset"
        )
    with open_images(path) as stack:
        yield stack


@contextmanager
def open_images(path: Path, expected: str = IMAGES) -> Iterator[FabioStack]:
    """Open an image file of any format that fabio reads; messages name `expected` as the format."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    stack = FabioStack(path, expected)
    try:
        yield stack
    finally:
        stack.close()


class FabioStack:
    """One image file, of one frame or several, compressed or not."""

    def __init__(self, path: Path, expected: str = IMAGES) -> None:
        import fabio

        logging.getLogger("fabio").addHandler(logging.NullHandler())  # the error message has the same text
        self.path = path
        try:
            self._image = fabio.open(str(path))
            if self._image.data is None:
                raise OSError("no pixels can be decoded")
            rows, columns = self._image.data.shape
        except FABIO_ERRORS as error:
            raise InputError(
                f"{path}: cannot be read as an image ({error}); it is empty, truncated, damaged or of another "
                f"format; expected {expected}"
            ) from error
        self.shape = (int(self._image.nframes), int(rows), int(columns))
        self.dtype: np.dtype[Any] = self._image.data.dtype

    def read(self, start: int, frames: int) -> Array:
        """Return `frames` frames from `start` on."""
        return np.stack([self._frame(index) for index in range(start, start + frames)])

    def close(self) -> None:
        """Close the file."""
        self._image.close()

    def _frame(self, index: int) -> Array:
        try:
            frame = np.asarray(self._image.get_frame(index).data)
        except FABIO_ERRORS as error:
            raise InputError(
                f"{self.path}: the file is damaged: frame {index} and those after it cannot be read: {error}"
            ) from error
        if frame.shape != self.shape[1:]:
            raise InputError(
                f"{self.path}: frame {index} has the shape {list(frame.shape)}, the first {list(self.shape[1:])}; "
                "they must agree"
            )
        return frame


class Hdf5Stack:
    """One dataset of an open HDF5 file, or several successive datasets as DECTRIS writes them."""

    def __init__(self, path: Path, datasets: Sequence[Any]) -> None:
        self.path, self._datasets = path, datasets
        self._ends = np.cumsum([one.shape[0] if one.ndim == 3 else 1 for one in datasets])
        rows, columns = datasets[0].shape[-2:]
        self.shape = (int(self._ends[-1]), int(rows), int(columns))

    def read(self, start: int, frames: int) -> Array:
        """Return `frames` frames from `start` on."""
        parts, begin = [], 0
        for dataset, end in zip(self._datasets, self._ends, strict=True):
            if start < end and begin < start + frames:
                parts.append(self._part(dataset, max(start - begin, 0), min(start + frames, end) - begin))
            begin = end
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _part(self, dataset: Any, first: int, stop: int) -> Array:
        try:
            return np.asarray(dataset[()][None] if dataset.ndim == 2 else dataset[first:stop])
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{self.path}: {dataset.name} cannot be read in frames {first} to {stop - 1}, the file is damaged or "
                f"its compression unknown: {error}"
            ) from error


def read_image(
    path: Path, shape: tuple[int, int], purpose: str, *, dataset: str | None = None, option: str | None = None
) -> Array:
    """Return an image of the detector, such as a mask: numbers[rows, columns]; of several frames the first.

    Parameters
    ----------
    shape
        Rows and columns of the frames, which the image must have too.
    purpose
        The purpose of the image for messages, such as "mask".
    dataset
        Path inside an HDF5 file; None: it is searched, images before stacks, and datasets of this shape before others.
    option
        The option that names the dataset; None: there is none.
    """
    if _is_hdf5(path):
        image = _image_of_hdf5(path, shape, Sought(noun=purpose, form="numbers [row, column]", option=option), dataset)
    elif dataset is not None:
        raise InputError(
            f"{path}: {option} = {dataset!r} is for HDF5 files, but this is not an HDF5 file; remove {option}"
        )
    else:
        with open_images(path) as stack:
            image = stack.read(0, 1)[0]
    if image.dtype.kind not in "biuf":
        raise InputError(f"{path}: the {purpose} is of type {image.dtype}; it must be numbers")
    if image.shape != shape:
        sizes = " x ".join(map(str, image.shape)) or "one"
        raise InputError(
            f"{path}: the {purpose} has {sizes} pixels (rows x columns), the frames have {shape[0]} x {shape[1]}; they "
            "must agree"
        )
    return image


def _image_of_hdf5(path: Path, shape: tuple[int, int], sought: Sought, dataset: str | None) -> Array:
    with open_hdf5(path) as file:
        if dataset is not None:
            chosen = named(path, file, dataset, str(sought.option))
        else:
            found = contents(file)
            numbers = {
                name: one
                for name, one in found.datasets.items()
                if one.ndim in (2, 3) and one.dtype.kind in "biuf" and one.size > 0
            }
            fitting = {name: one for name, one in numbers.items() if one.shape[-2:] == shape} or numbers
            images = {name: one for name, one in fitting.items() if one.ndim == 2 or one.shape[0] == 1} or fitting
            chosen = only(path, file, sought, images, found)
        if chosen.ndim == 3:
            return np.asarray(Hdf5Stack(path, [chosen]).read(0, 1)[0])
        try:
            return np.asarray(chosen[()])
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{path}: {chosen.name} cannot be read, the file is damaged or its compression unknown: {error}"
            ) from error


def _is_hdf5(path: Path) -> bool:
    import h5py

    return path.suffix.lower() in HDF5_SUFFIXES or (path.is_file() and bool(h5py.is_hdf5(path)))
