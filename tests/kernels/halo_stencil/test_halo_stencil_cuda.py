"""The CUDA source is right without a GPU: it compiles for sm_90, and run as C++ it gives the reference's numbers."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.halo_stencil import with_cupy

AS_CPP = """
#include <algorithm>
using std::min;
#define __global__
struct dim { int x, y, z; };
static dim threadIdx, blockIdx, blockDim;
"""
EVERY_THREAD = """
extern "C" void launch(const int* grid, const int* block, const double* field, double* next,
                       int size, int depth, double own, double neighbour) {
    blockDim = {block[0], block[1], block[2]};
    for (blockIdx.z = 0; blockIdx.z < grid[2]; blockIdx.z++)
    for (blockIdx.y = 0; blockIdx.y < grid[1]; blockIdx.y++)
    for (blockIdx.x = 0; blockIdx.x < grid[0]; blockIdx.x++)
    for (threadIdx.y = 0; threadIdx.y < block[1]; threadIdx.y++)
    for (threadIdx.x = 0; threadIdx.x < block[0]; threadIdx.x++)
        step_field(field, next, size, depth, own, neighbour);
}
"""


@pytest.fixture(scope="module")
def library(as_cpp: Any) -> Any:
    """Return the source, compiled as C++."""
    return as_cpp(AS_CPP + with_cupy.SOURCE + EVERY_THREAD, "-ffp-contract=off")


@pytest.fixture
def cupy_on_the_host(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put numpy, and the source compiled as C++, instead of cupy."""

    class RawKernel:
        def __init__(self, source: str, name: str) -> None:
            assert f"void {name}(" in source

        def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            field, following, *numbers = arguments
            assert [type(number) for number in numbers] == [np.int32, np.int32, np.float64, np.float64]
            library.launch(
                (ctypes.c_int * 3)(*grid),
                (ctypes.c_int * 3)(*block),
                *(ctypes.c_void_p(array.ctypes.data) for array in (field, following)),
                *(ctypes.c_int(int(number)) for number in numbers[:2]),
                *(ctypes.c_double(float(number)) for number in numbers[2:]),
            )

    fake = SimpleNamespace(RawKernel=RawKernel, empty=lambda shape, dtype: np.full(shape, np.nan, dtype))
    monkeypatch.setitem(sys.modules, "cupy", fake)


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize(("size", "steps"), [(1, 1), (2, 2), (9, 3), (32, 2), (33, 5), (70, 2)])
def test_the_source_run_as_cpp_equals_the_reference(generated: Any, compute: Any, size: int, steps: int) -> None:
    problem = generated(size, steps)
    before = problem.blocks[0].copy()
    assert np.abs(compute(problem, "cupy") - compute(problem, "numpy")).max() < 1e-14
    assert np.array_equal(problem.blocks[0], before)


def test_a_gpu_gives_the_same_if_there_is_one(needs: Any, generated: Any, compute: Any) -> None:
    needs("cupy")
    import cupy

    if not cupy.cuda.is_available():
        pytest.skip("absent: a CUDA device")
    problem = generated(40, 5)
    expected = compute(problem, "numpy")
    problem.blocks[0] = cupy.asarray(problem.blocks[0])
    assert np.abs(cupy.asnumpy(compute(problem, "cupy")) - expected).max() < 1e-14
