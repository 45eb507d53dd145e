"""Problems that the tests of the stencil share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from daasbench.kernels.halo_stencil import kernel
from daasbench.kernels.halo_stencil.problem import Problem


@pytest.fixture(scope="session")
def generated() -> Callable[..., Problem]:
    """Return a function that makes a generated problem."""

    def make(size: int = 16, steps: int = 4, blocks: int = 1, seed: int = 5, **options: Any) -> Problem:
        made: Problem = kernel.make({"size": size, "steps": steps}, kernel.options(**options), seed, blocks)
        return made

    return make
