"""Runs that the tests of the spin ring share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from daasbench.kernels.sparse_eigen import kernel
from daasbench.kernels.sparse_eigen.problem import Problem

from daasbench.contracts import Resources
from daasbench.model import Verdict


@pytest.fixture(scope="session")
def generated() -> Callable[..., Problem]:
    """Return a function that makes a problem."""

    def make(length: int = 10, steps: int = 20, blocks: int = 1, seed: int = 3) -> Problem:
        made: Problem = kernel.make({"length": length, "steps": steps}, kernel.options(), seed, blocks)
        return made

    return make


@pytest.fixture(scope="session")
def compute() -> Callable[..., Any]:
    """Return a function that runs a block of a problem by an implementation."""

    def run(problem: Problem, name: str, block: int = 0, threads: int = 2) -> Any:
        return kernel.implementations[name].load()(problem, Resources(threads=threads))(problem.blocks[block])

    return run


@pytest.fixture(scope="session")
def verdict() -> Callable[..., Verdict]:
    """Return a function that verifies a result as the harness does."""

    def judge(problem: Problem, result: Any, name: str = "numba", block: int = 0) -> Verdict:
        return kernel.verify(problem, kernel.expect(problem, kernel.options()), block, result, name)

    return judge
