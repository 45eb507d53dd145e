"""The CUDA source is right without a GPU: it compiles for sm_90, and run as C++ it gives the reference's numbers."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.sparse_eigen import with_cupy

AS_CPP = """
#include <cmath>
#define __global__
struct dim { int x, y, z; };
static dim threadIdx, blockIdx, blockDim;
"""
EVERY_THREAD = """
template <class F> static void every(int grid, int block, F body) {
    blockDim = {block, 1, 1};
    for (blockIdx.x = 0; blockIdx.x < grid; blockIdx.x++)
    for (threadIdx.x = 0; threadIdx.x < block; threadIdx.x++) body();
}
extern "C" void launch_ring_product(int grid, int block, double* out, const double* vector, const double* before,
                                    const double* squares, int step, int length) {
    every(grid, block, [=] { ring_product(out, vector, before, squares, step, length); });
}
extern "C" void launch_subtract(int grid, int block, double* out, const double* vector, const double* products,
                                const double* squares, int step, int length) {
    every(grid, block, [=] { subtract(out, vector, products, squares, step, length); });
}
"""


@pytest.fixture(scope="module")
def library(as_cpp: Any) -> Any:
    """Return the source, compiled as C++."""
    return as_cpp(AS_CPP + with_cupy.SOURCE + EVERY_THREAD)


@pytest.fixture
def cupy_on_the_host(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``import cupy`` find numpy, and raw kernels the source compiled as C++."""

    class RawKernel:
        def __init__(self, source: str, name: str) -> None:
            assert source == with_cupy.SOURCE
            self.function = getattr(library, f"launch_{name}")

        def __call__(self, grid: Any, block: Any, arguments: Any) -> None:
            numbers = [ctypes.c_int(int(one)) for one in (grid[0], block[0])]
            given = [
                ctypes.c_void_p(one.ctypes.data) if isinstance(one, np.ndarray) else ctypes.c_int(int(one))
                for one in arguments
            ]
            self.function(*numbers, *given)

    fake = SimpleNamespace(RawKernel=RawKernel, dot=np.dot, asnumpy=np.array, float64=np.float64)
    fake.empty = lambda shape, dtype: np.full(shape, np.nan, dtype)  # what is not written is seen
    monkeypatch.setitem(sys.modules, "cupy", fake)


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize(("length", "steps"), [(4, 3), (6, 6), (10, 24), (12, 26)])
def test_the_source_run_as_cpp_is_right(generated: Any, compute: Any, length: int, steps: int) -> None:
    problem = generated(length, steps)
    before = problem.blocks[0].copy()
    ours, reference = compute(problem, "cupy"), compute(problem, "numpy")
    for name in ("alpha", "beta", "energy"):
        np.testing.assert_allclose(ours[name], reference[name], atol=1e-11)
    np.testing.assert_array_equal(problem.blocks[0], before)
