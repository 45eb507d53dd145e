"""Problems and files that the tests of tomography share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.tomography import kernel
from daasbench.kernels.tomography.problem import Problem


@pytest.fixture(scope="session")
def generated() -> Callable[..., Problem]:
    """Return a function that makes a generated problem."""

    def make(slices: int = 3, angles: int = 60, detector: int = 48, blocks: int = 1, **options: Any) -> Problem:
        parameters = {"slices": slices, "angles": angles, "detector": detector}
        made: Problem = kernel.make(parameters, kernel.options(**options), 1, blocks)
        return made

    return make


@pytest.fixture(scope="session")
def problem_of() -> Callable[..., Problem]:
    """Return a function that makes a problem of given sinograms, over half a turn."""

    def make(sinograms: Any, centre: float | None = None) -> Problem:
        _, angles, detector = sinograms.shape
        return Problem(
            blocks=[np.ascontiguousarray(sinograms, np.float32)],
            angles=np.arange(angles) * np.pi / angles,
            centre=(detector - 1) / 2 if centre is None else centre,
        )

    return make


@pytest.fixture
def scan_file(hdf5_file: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes a raw scan of a known object as DXchange, with the changes of its arguments.

    The arguments replace datasets by their path with ``__`` for ``/``; None omits a dataset.
    """

    def write(**changes: Any) -> Path:
        parameters = {"slices": 5, "angles": 41, "detector": 40}
        problem = kernel.make(parameters, kernel.options(centre=18.2), 3, 1)
        flat, dark = np.full((2, 5, 40), 900.0), np.full((2, 5, 40), 100.0)
        frames = 100 + 800 * np.exp(-0.02 * problem.blocks[0].transpose(1, 0, 2))
        datasets = {
            "exchange/data": frames,
            "exchange/data_white": flat,
            "exchange/data_dark": dark,
            "exchange/theta": np.rad2deg(problem.angles),
        }
        return hdf5_file("scan.h5", datasets, **changes)

    return write
