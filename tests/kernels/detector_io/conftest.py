"""Problems and files that the tests of detector I/O share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from daasbench.kernels.detector_io import kernel


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Any]:
    """Return a function that makes the generated problem `tiny`."""

    def make(blocks: int = 1, **options: Any) -> Any:
        return kernel.make(kernel.sizes["tiny"], kernel.options(**options), 3, blocks)

    return make


@pytest.fixture
def packed_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes frames into an HDF5 file, by default as a detector does."""

    def write(frames: Any, name: str = "entry/data/data", **settings: Any) -> Path:
        path = tmp_path / "frames.h5"
        settings = {"chunks": (1, *np.shape(frames)[1:]), **hdf5plugin.Bitshuffle(), **settings}
        with h5py.File(path, "a") as file:
            file.create_dataset(name, data=frames, **settings)
        return path

    return write
