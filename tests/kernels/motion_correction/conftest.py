"""Problems and files that the tests of motion correction share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.motion_correction import kernel
from daasbench.kernels.motion_correction.problem import Problem
from daasbench.kernels.motion_correction.specimen import Specimen, count_electrons, random_contrast


@pytest.fixture(scope="session")
def generated() -> Callable[..., Problem]:
    """Return a function that makes a generated problem."""

    def make(
        movies: int = 1, frames: int = 6, pixels: int = 256, dose: float = 80.0, seed: int = 3, blocks: int = 1,
        **options: Any,
    ) -> Problem:  # fmt: skip
        parameters = {"movies": movies, "frames": frames, "pixels": pixels, "dose": dose}
        made: Problem = kernel.make(parameters, kernel.options(**options), seed, blocks)
        return made

    return make


@pytest.fixture(scope="session")
def drifting() -> Callable[..., Problem]:
    """Return a function that makes a problem of one movie with a given drift f64[frames, 2]."""

    def make(drift: Any, pixels: int = 256, dose: float = 80.0, seed: int = 5) -> Problem:
        rng = np.random.default_rng(seed)
        contrast = random_contrast(pixels, rng)
        movie = count_electrons(contrast, np.asarray(drift, float), dose, rng)
        made = problem_of(movie[None])
        return Problem(
            blocks=made.blocks,
            grid=made.grid,
            specimens=[Specimen(contrasts=contrast[None], drifts=np.asarray(drift, float)[None])],
        )

    return make


def problem_of(movies: Any, **options: Any) -> Problem:
    """Return a problem of given movies [movies, frames, rows, columns], whose truth is not known."""
    from daasbench.kernels.motion_correction.definition import grid_of

    parameters = {"band": 0.125, "bfactor": 150.0, "iterations": 5} | options
    return Problem(blocks=[np.ascontiguousarray(movies)], grid=grid_of(movies.shape[2:], **parameters))


@pytest.fixture(scope="session")
def without_truth() -> Callable[..., Problem]:
    """Return a function that makes a problem of given movies, whose truth is not known."""
    return problem_of
