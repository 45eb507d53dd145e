"""Runs that the tests of the spin ring share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from daasbench.kernels.sparse_eigen import kernel
from daasbench.kernels.sparse_eigen.problem import Problem

from daasbench.model import Verdict


@pytest.fixture(scope="session")
def generated() -> Callable[..., Problem]:
    """Return a function that makes a problem."""

    def make(length: int = 10, steps: int = 20, blocks: int = 1, seed: int = 3) -> Problem:
        made: Problem = kernel.make({"length": length, "steps": steps}, kernel.options(), seed, blocks)
        return made

    return make


@pytest.fixture(scope="session")
def verdict() -> Callable[..., Verdict]:
    """Return a function that verifies a result as the harness does."""

    def judge(problem: Problem, result: Any, name: str = "numba", block: int = 0) -> Verdict:
        return kernel.verify(
            problem, kernel.expect(problem, kernel.options()), block, result, kernel.implementations[name].judged_as
        )

    return judge
