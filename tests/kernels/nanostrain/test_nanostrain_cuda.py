"""The CUDA source is right without a GPU: it compiles for sm_90, and run as C++ it gives the reference's numbers."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.nanostrain import with_cupy

AS_CPP = """
#include <cmath>
#include <cstddef>
#include <algorithm>
using std::min; using std::isfinite;
#define __global__
#define __device__ static
struct dim { int x, y, z; };
static dim threadIdx, blockIdx, blockDim;
"""
EVERY_THREAD = """
#define EVERY(CALL) \\
    blockDim = {block[0], block[1], block[2]}; \\
    for (blockIdx.y = 0; blockIdx.y < grid[1]; blockIdx.y++) \\
    for (blockIdx.x = 0; blockIdx.x < grid[0]; blockIdx.x++) \\
    for (threadIdx.x = 0; threadIdx.x < block[0]; threadIdx.x++) CALL;
#define GATHER(NAME, COUNT) \\
extern "C" void launch_##NAME(const int* grid, const int* block, const COUNT* frames, const int* order, \\
    const int* starts, const int* voxels, int slots, int positions, long long pixels, int all, unsigned* counts) { \\
    EVERY(NAME(frames, order, starts, voxels, slots, positions, pixels, all, counts)) }
GATHER(gather_u16, unsigned short)
GATHER(gather_u32, unsigned int)
extern "C" void launch_fit(const int* grid, const int* block, const float* projections, int positions,
    int x, int y, int z, double* fitted) { EVERY(fit(projections, positions, x, y, z, fitted)) }
"""
KINDS = {
    "gather_u16": "u2 i4 i4 i4 int32 int32 int64 int32 u4",
    "gather_u32": "u4 i4 i4 i4 int32 int32 int64 int32 u4",
    "fit": "f4 int32 int32 int32 int32 f8",
}


@pytest.fixture(scope="module")
def library(as_cpp: Any) -> Any:
    """Return the source, compiled as C++."""
    return as_cpp(AS_CPP + with_cupy.SOURCE + EVERY_THREAD)


@pytest.fixture
def cupy_on_the_host(library: Any, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Put numpy, and the source compiled as C++, instead of cupy."""
    allocated: list[int] = []

    class RawKernel:
        def __init__(self, source: str, name: str) -> None:
            assert f"void {name}(" in source
            self._name = name

        def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            passed: list[Any] = []
            for argument, kind in zip(arguments, KINDS[self._name].split(), strict=True):
                assert np.dtype(argument.dtype) == kind
                if kind.startswith("int"):
                    assert isinstance(argument, np.integer)
                    passed.append((ctypes.c_longlong if kind == "int64" else ctypes.c_int)(int(argument)))
                else:
                    assert argument.flags.c_contiguous
                    passed.append(ctypes.c_void_p(argument.ctypes.data))
            launch = getattr(library, f"launch_{self._name}")
            launch((ctypes.c_int * 3)(*grid), (ctypes.c_int * 3)(*block), *passed)

    names = ("asarray", "full", "stack", "concatenate", "float32", "uint32", "int64")
    fake = SimpleNamespace(RawKernel=RawKernel, allocated=allocated, **{name: getattr(np, name) for name in names})

    def zeros(shape: Any, dtype: Any) -> Any:
        allocated.append(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        return np.zeros(shape, dtype)

    fake.zeros = zeros
    fake.empty = lambda shape, dtype: np.full(shape, -1, dtype)  # what is not written is seen
    monkeypatch.setitem(sys.modules, "cupy", fake)
    return fake


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize("stage", ["all", "gridding", "fits"])
@pytest.mark.parametrize("positions", [1, 4, 7, 18])
def test_the_source_run_as_cpp_is_right(generated: Any, compute: Any, verdict: Any, stage: str, positions: int) -> None:
    problem = generated(stage, positions=positions)
    found = verdict(problem, compute(problem, "cupy"), "cupy")
    assert found.ok, found


@pytest.mark.usefixtures("cupy_on_the_host")
def test_the_source_counts_in_32_bits_too(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated("gridding")
    problem.blocks[0] = problem.blocks[0].astype(np.uint32)
    assert verdict(problem, compute(problem, "cupy"), "cupy").ok


@pytest.mark.usefixtures("cupy_on_the_host")
def test_where_there_is_no_peak_the_fit_is_not_a_number_on_the_gpu_either(generated: Any, compute: Any) -> None:
    problem = generated("fits")
    problem.blocks[0][1, :16] = 0
    assert np.isnan(compute(problem, "cupy").gaussians[1, 0]).all()


def test_device_memory_does_not_grow_with_the_number_of_positions(
    generated: Any, compute: Any, cupy_on_the_host: SimpleNamespace
) -> None:
    problem = generated("all", positions=40)
    compute(problem, "cupy")
    assert max(cupy_on_the_host.allocated) <= with_cupy.BATCH * problem.grid.voxels * 4


def test_a_gpu_gives_the_same_if_there_is_one(needs: Any, generated: Any, verdict: Any, compute: Any) -> None:
    needs("cupy")
    import cupy

    from daasbench.compute.backends import map_arrays

    if not cupy.cuda.is_available():
        pytest.skip("absent: a CUDA device")
    for stage in ("all", "gridding", "fits"):
        problem = generated(stage, positions=18)
        problem.blocks[0] = cupy.asarray(problem.blocks[0])
        result = map_arrays(cupy.asnumpy, compute(problem, "cupy"))
        problem.blocks[0] = cupy.asnumpy(problem.blocks[0])
        assert verdict(problem, result, "cupy").ok
