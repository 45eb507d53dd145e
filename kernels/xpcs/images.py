"""One image of the detector, a map or a mask, from HDF5, .npy, or what fabio reads."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.errors import InputError
from daasbench.formats.hdf5 import contents, dataset_at, distinct, open_hdf5


def read_image(path: Path, dataset: str | None, shape: tuple[int, int], purpose: str) -> NDArray[Any]:
    """Return the image in a file, of numbers, [rows, columns].

    Parameters
    ----------
    dataset
        Path inside an HDF5 file; None: the only image in it.
    shape
        What it must have.
    purpose
        "map" or "mask", for messages.
    """
    import h5py

    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    if h5py.is_hdf5(path):
        image = _from_hdf5(path, dataset, shape, purpose)
    elif dataset is not None:
        raise InputError(f"{path}: {dataset!r} is a path inside an HDF5 file, and this is none")
    else:
        image = _from_npy(path) if path.suffix == ".npy" else _from_fabio(path)
    if image.dtype.kind not in "biuf" or image.shape != shape:
        raise InputError(
            f"{path}: the {purpose} is {image.dtype}{list(image.shape)}; right are numbers {list(shape)}, "
            "as many rows and columns as the frames have"
        )
    return image


def _from_hdf5(path: Path, dataset: str | None, shape: tuple[int, int], purpose: str) -> NDArray[Any]:
    with open_hdf5(path) as file:
        found = contents(file)
        if dataset is not None:
            chosen = dataset_at(file, dataset)
            if chosen is None:
                raise InputError(f"{path}: has no dataset {dataset!r}; it has: {found}")
            return np.asarray(chosen[()])
        possible = [one for one in distinct(found.datasets).values() if one.shape == shape]
        if len(possible) != 1:
            problem = f"{len(possible) or 'no'} images of {shape[0]} x {shape[1]} pixels"
            raise InputError(f"{path}: has {problem}; name the {purpose} by {_OPTION[purpose]}=PATH; it has: {found}")
        return np.asarray(possible[0][()])


_OPTION = {"map": "qmap_dataset", "mask": "mask_dataset"}


def _from_npy(path: Path) -> NDArray[Any]:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read as a numpy array ({error})") from error


def _from_fabio(path: Path) -> NDArray[Any]:
    import fabio

    logging.getLogger("fabio").addHandler(logging.NullHandler())  # what it complains of, our error says
    try:
        image = fabio.open(str(path)).data
        if image is None:
            raise OSError("no pixels can be decoded")
    except Exception as error:  # a broken image raises whatever the parser of its format stumbles over
        raise InputError(
            f"{path}: cannot be read as an image ({error}); expected HDF5, .npy or a format of fabio (tif, edf, ...)"
        ) from error
    return np.asarray(image)
