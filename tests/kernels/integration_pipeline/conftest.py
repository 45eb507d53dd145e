"""Problems and files that the tests of the pipeline share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from daasbench.kernels.integration_pipeline import kernel
from daasbench.kernels.integration_pipeline.geometry import Geometry
from daasbench.kernels.integration_pipeline.problem import Problem

from daasbench.formats.chunks import new_image


@pytest.fixture(scope="session")
def generated() -> Callable[..., Problem]:
    """Return a function that makes a generated problem."""

    def make(frames: int = 5, ny: int = 211, nx: int = 197, blocks: int = 1, seed: int = 1, **options: Any) -> Problem:
        parameters = {"frames": frames, "ny": ny, "nx": nx, "pixel_m": 7.5e-4}
        made: Problem = kernel.make(parameters, kernel.options(**{"bins": 100, **options}), seed, blocks)
        return made

    return make


@pytest.fixture(scope="session")
def problem_of() -> Callable[..., Problem]:
    """Return a function that makes a problem of given frames u32[frames, rows, columns]."""

    def make(frames: Any, bins: int = 9, mask: Any = None) -> Problem:
        shape = frames.shape[1:]
        with new_image(len(frames), shape, np.uint32, 2 * frames.nbytes + 4096) as (dataset, finish):
            for index, frame in enumerate(frames):
                dataset[index] = frame
        pose = {"distance_m": 0.1, "pixel_m": 1e-3, "wavelength_m": 1e-10, "beam_row": 2.3, "beam_column": 7.1}
        return Problem(
            blocks=[finish(None)],
            geometry=Geometry(shape=shape, **pose),
            bins=bins,
            mask=np.zeros(shape, bool) if mask is None else mask,
            truth=None,
        )

    return make


@pytest.fixture(scope="session")
def verdict() -> Callable[..., Any]:
    """Return a function that verifies a result as the harness does."""

    def judge(problem: Any, result: Any, name: str = "numba", block: int = 0) -> Any:
        return kernel.verify(
            problem, kernel.expect(problem, kernel.options()), block, result, kernel.implementations[name].judged_as
        )

    return judge


@pytest.fixture
def packed_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes frames, and numbers beside them, into an HDF5 file as a detector does."""

    def write(frames: Any, **numbers: Any) -> Path:
        path = tmp_path / "frames.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset(
                "entry/data/data", data=frames, chunks=(1, *frames.shape[1:]), **hdf5plugin.Bitshuffle()
            )
            for name, number in numbers.items():
                value, unit = number if isinstance(number, tuple) else (number, None)
                file[f"entry/instrument/detector/{name}"] = value
                if unit:
                    file[f"entry/instrument/detector/{name}"].attrs["units"] = unit
        return path

    return write
