"""Problems that the tests of azimuthal integration share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.azimuthal_integration import kernel
from daasbench.kernels.azimuthal_integration.geometry import Geometry
from daasbench.kernels.azimuthal_integration.pixels import RadialAxis
from daasbench.kernels.azimuthal_integration.problem import Problem

from daasbench.contracts import Resources


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Any]:
    """Return a function that makes the generated problem `tiny`."""

    def make(blocks: int = 1, seed: int = 1, **options: Any) -> Any:
        return kernel.make(kernel.sizes["tiny"], kernel.options(**{"bins": 150, **options}), seed, blocks)

    return make


@pytest.fixture(scope="session")
def compute() -> Callable[..., Any]:
    """Return a function that integrates a block of a problem by an implementation."""

    def run(problem: Any, name: str, block: int = 0, threads: int = 1) -> Any:
        return kernel.implementations[name].load()(problem, Resources(threads=threads))(problem.blocks[block])

    return run


@pytest.fixture(scope="session")
def problem_of() -> Callable[..., Any]:
    """Return a function that makes a problem of given frames on a small upright detector."""

    def make(
        frames: Any, mode: str = "nosplit", bins: int = 8, mask: Any = None, sectors: int = 1, **pose: float
    ) -> Any:
        shape = frames.shape[1:]
        pose = {"distance_m": 0.1, "poni1_m": 2.3e-3, "poni2_m": 1.2e-3, "rot1": 0.0, "rot2": 0.0, **pose}
        geometry = Geometry(shape=shape, pixel1_m=1e-3, pixel2_m=1e-3, **pose)
        low, high = geometry.extremes("2th_deg")
        return Problem(
            blocks=[frames],
            geometry=geometry,
            axis=RadialAxis(unit="2th_deg", bins=bins, low=low, high=high),
            mode=mode,
            sectors=sectors,
            mask=np.zeros(shape, bool) if mask is None else mask,
            truth=None,
            masked_pixels=0,
            lost_values=0,
        )

    return make
