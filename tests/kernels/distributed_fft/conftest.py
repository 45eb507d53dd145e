"""Problems that the tests of the distributed transform share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from daasbench.kernels.distributed_fft import kernel
from daasbench.kernels.distributed_fft.problem import Problem

from daasbench.contracts import Resources


@pytest.fixture(scope="session")
def generated() -> Callable[..., Problem]:
    """Return a function that makes a generated problem."""

    def make(size: int = 16, blocks: int = 1, seed: int = 5, **options: Any) -> Problem:
        made: Problem = kernel.make({"size": size}, kernel.options(**options), seed, blocks)
        return made

    return make


@pytest.fixture(scope="session")
def compute() -> Callable[..., Any]:
    """Return a function that transforms a block of a problem by an implementation."""

    def run(problem: Problem, name: str, block: int = 0, threads: int = 2) -> Any:
        return kernel.implementations[name].load()(problem, Resources(threads=threads))(problem.blocks[block])

    return run


@pytest.fixture(scope="session")
def verdict() -> Callable[..., Any]:
    """Return a function that verifies a result as the harness does."""

    def judge(problem: Problem, result: Any, name: str = "numpy", block: int = 0) -> Any:
        return kernel.verify(problem, kernel.expect(problem, kernel.options()), block, result, name)

    return judge
