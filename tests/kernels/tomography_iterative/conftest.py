"""Problems that the tests of iterative tomography share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.tomography_iterative import kernel
from daasbench.kernels.tomography_iterative.problem import Problem


@pytest.fixture(scope="session")
def generated() -> Callable[..., Problem]:
    """Return a function that makes a generated problem."""

    def make(slices: int = 3, angles: int = 30, detector: int = 40, blocks: int = 1, **options: Any) -> Problem:
        parameters = {"slices": slices, "angles": angles, "detector": detector}
        made: Problem = kernel.make(parameters, kernel.options(**options), 1, blocks)
        return made

    return make


@pytest.fixture(scope="session")
def problem_of() -> Callable[..., Problem]:
    """Return a function that makes a problem of given sinograms, over half a turn."""

    def make(sinograms: Any, iterations: int = 1, angles: Any = None, centre: float | None = None) -> Problem:
        _, count, detector = sinograms.shape
        return Problem(
            blocks=[np.ascontiguousarray(sinograms, np.float32)],
            angles=np.arange(count) * np.pi / count if angles is None else angles,
            centre=(detector - 1) / 2 if centre is None else centre,
            iterations=iterations,
        )

    return make
