"""Problems and files that the tests of XPCS share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.xpcs import kernel
from daasbench.kernels.xpcs.problem import Problem


@pytest.fixture(scope="session")
def generated() -> Callable[..., Problem]:
    """Return a function that makes a generated problem."""

    def make(frames: int = 300, ny: int = 24, nx: int = 40, blocks: int = 1, seed: int = 1, **options: Any) -> Problem:
        parameters = {"frames": frames, "ny": ny, "nx": nx}
        made: Problem = kernel.make(parameters, kernel.options(**options), seed, blocks)
        return made

    return make


@pytest.fixture(scope="session")
def problem_of() -> Callable[..., Problem]:
    """Return a function that makes a problem of given frames and labels (default: one ring of all pixels)."""

    def make(frames: Any, labels: Any = None, levels: int | None = None) -> Problem:
        labels = np.ones(frames.shape[1:], np.int32) if labels is None else np.asarray(labels, np.int32)
        return Problem(
            blocks=[np.ascontiguousarray(frames, np.uint16)],
            labels=labels,
            rings=int(labels.max()),
            frames=len(frames),
            levels=levels,
        )

    return make


@pytest.fixture
def series_file(hdf5_file: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes a NeXus file of 40 frames of 9 x 11 pixels, with the datasets of its arguments."""

    def write(frames: Any = None, name: str = "series.h5", **more: Any) -> Path:
        if frames is None:
            frames = np.random.default_rng(5).poisson(3, (40, 9, 11)).astype(np.uint16)
        return hdf5_file(name, {"entry/instrument/detector/data": None if frames is False else frames}, **more)

    return write
