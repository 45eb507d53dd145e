"""Scans and files that the tests of ptychography share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.ptychography import kernel
from daasbench.kernels.ptychography.problem import Problem


@pytest.fixture(scope="session")
def generated() -> Callable[..., Problem]:
    """Return a function that makes a generated scan."""

    def make(
        frames: int = 25, pixels: int = 32, iterations: int = 20, finish: int = 20, blocks: int = 1, **options: Any
    ) -> Problem:
        parameters = {"frames": frames, "pixels": pixels, "iterations": iterations, "finish": finish}
        made: Problem = kernel.make(parameters, kernel.options(**options), 1, blocks)
        return made

    return make


@pytest.fixture
def cxi_file(hdf5_file: Callable[..., Path], generated: Any) -> Callable[..., Path]:
    """Return a function that writes a generated scan as CXI, with the changes of its arguments.

    The arguments replace datasets by their path below ``entry_1`` with ``__`` for ``/``; None omits a dataset. A
    pixel of the object is 20 nm.
    """

    def write(**changes: Any) -> Path:
        problem = generated()
        places = np.zeros((25, 3))
        places[:, :2] = 20e-9 * problem.corners[:, ::-1]
        detector = "entry_1/instrument_1/detector_1"
        datasets = {
            "entry_1/data_1/data": problem.blocks[0].astype(np.uint32),
            "entry_1/data_1/translation": places,
            "entry_1/instrument_1/source_1/wavelength": 2e-10,
            f"{detector}/distance": 20e-9 * 32 * 75e-6 / 2e-10,
            f"{detector}/x_pixel_size": 75e-6,
        }
        return hdf5_file("scan.cxi", datasets, **{f"entry_1/{name}": value for name, value in changes.items()})

    return write
