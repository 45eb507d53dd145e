"""What the tests of all kernels share."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import pytest

from daasbench import registry
from daasbench.contracts import Kernel, Resources
from daasbench.testing import sources


def kernel_of(problem: Any) -> Kernel:
    """Return the kernel in whose folder the problem's class stands."""
    return registry.kernel(type(problem).__module__.split(".")[2])


@pytest.fixture(scope="session")
def compute() -> Callable[..., Any]:
    """Return a function that computes a block of a problem by an implementation."""

    def run(problem: Any, name: str, block: int = 0, threads: int = 2) -> Any:
        implementation = kernel_of(problem).implementations[name]
        return implementation.load()(problem, Resources(threads=threads))(problem.blocks[block])

    return run


@pytest.fixture(scope="session")
def verdict() -> Callable[..., Any]:
    """Return a function that verifies a result as the harness does."""

    def judge(problem: Any, result: Any, name: str = "numpy", block: int = 0) -> Any:
        kernel = kernel_of(problem)
        return kernel.verify(
            problem, kernel.expect(problem, kernel.options()), block, result, kernel.implementations[name].judged_as
        )

    return judge


@pytest.fixture(scope="session")
def as_cpp(program: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ctypes.CDLL]:
    """Return a function that compiles a text as C++, with checks for undefined behaviour where the compiler has them.

    The same text and options are compiled once.
    """
    compiler = program("g++", fix="apt install g++")

    @functools.cache
    def compile_(source: str, *options: str) -> ctypes.CDLL:
        return sources.compile_as_cpp(source, tmp_path_factory.mktemp("cpp"), *options, compiler=compiler)

    return compile_
