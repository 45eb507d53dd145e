"""What the tests of nanostrain share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from daasbench.kernels.nanostrain import kernel
from daasbench.kernels.nanostrain.options import NanostrainOptions

from daasbench.contracts import Resources


@pytest.fixture(scope="session")
def generated() -> Callable[..., Any]:
    """Return a function that makes a problem of one block: ``generated("gridding", positions=17)``."""

    def make(stage: str = "all", *, blocks: int = 1, seed: int = 3, **parameters: Any) -> Any:
        options = NanostrainOptions(stage=stage)
        return kernel.make({**kernel.sizes["tiny"], **parameters}, options, seed, blocks)

    return make


@pytest.fixture(scope="session")
def compute() -> Callable[..., Any]:
    """Return a function that computes a block: ``compute(problem, "numba", threads=2)``."""

    def run(problem: Any, implementation: str, threads: int = 1, block: int = 0) -> Any:
        return kernel.implementations[implementation].load()(problem, Resources(threads=threads))(problem.blocks[block])

    return run


@pytest.fixture(scope="session")
def verdict() -> Callable[..., Any]:
    """Return a function that judges a result of block 0: ``verdict(problem, result, "numba")``."""

    def judge(problem: Any, result: Any, implementation: str) -> Any:
        options = NanostrainOptions(stage=problem.stage)
        return kernel.verify(
            problem, kernel.expect(problem, options), 0, result, kernel.implementations[implementation].judged_as
        )

    return judge
