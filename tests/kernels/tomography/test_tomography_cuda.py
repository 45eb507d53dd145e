"""The CUDA source is tested without a GPU: it compiles for sm_90 and, run as C++, gives the reference's numbers."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.tomography import with_cupy

AS_CPP = """
#include <cmath>
#include <cstddef>
#define __global__
struct dim { int x, y, z; };
struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
static float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static dim threadIdx, blockIdx, blockDim;
"""
EVERY_THREAD = """
extern "C" void launch(const int* grid, const int* block, const float4* filtered, const float2* directions,
                       int angles, int detector, int slices, float centre, float* volume) {
    blockDim = {block[0], block[1], block[2]};
    for (blockIdx.z = 0; blockIdx.z < grid[2]; blockIdx.z++)
    for (blockIdx.y = 0; blockIdx.y < grid[1]; blockIdx.y++)
    for (blockIdx.x = 0; blockIdx.x < grid[0]; blockIdx.x++)
    for (threadIdx.y = 0; threadIdx.y < block[1]; threadIdx.y++)
    for (threadIdx.x = 0; threadIdx.x < block[0]; threadIdx.x++)
        back_project(filtered, directions, angles, detector, slices, centre, volume);
}
"""


@pytest.fixture(scope="module")
def library(as_cpp: Any) -> Any:
    """Return the source, compiled as C++."""
    return as_cpp(AS_CPP + with_cupy.SOURCE + EVERY_THREAD)


@pytest.fixture
def cupy_on_the_host(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put numpy, and the source compiled as C++, in the place of cupy."""

    class RawKernel:
        def __init__(self, source: str, name: str) -> None:
            assert f"void {name}(" in source

        def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            filtered, directions, angles, detector, slices, centre, volume = arguments
            for array in (filtered, directions, volume):
                assert array.dtype == np.float32
                assert array.flags.c_contiguous
            assert [type(n) for n in (angles, detector, slices, centre)] == [np.int32] * 3 + [np.float32]
            library.launch(
                (ctypes.c_int * 3)(*grid),
                (ctypes.c_int * 3)(*block),
                *(ctypes.c_void_p(array.ctypes.data) for array in (filtered, directions)),
                *(ctypes.c_int(int(number)) for number in (angles, detector, slices)),
                ctypes.c_float(float(centre)),
                ctypes.c_void_p(volume.ctypes.data),
            )

    fake = SimpleNamespace(RawKernel=RawKernel, **{n: getattr(np, n) for n in ("asarray", "zeros", "fft", "float32")})
    fake.empty = lambda shape, dtype: np.full(shape, np.nan, dtype)  # what is not written is seen
    monkeypatch.setitem(sys.modules, "cupy", fake)


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize("slices", [1, 4, 7, 18])
@pytest.mark.parametrize("detector", [32, 41])
def test_the_source_run_as_cpp_is_right(generated: Any, compute: Any, verdict: Any, slices: int, detector: int) -> None:
    problem = generated(slices, 24, detector, centre=detector / 2 + 1.3)
    found = verdict(problem, compute(problem, "cupy"), "cupy")
    assert found.ok, found
    difference = compute(problem, "cupy") - compute(problem, "numpy")
    assert np.abs(difference).max() < 1e-4


def test_device_memory_does_not_grow_with_the_number_of_slices() -> None:
    made: list[int] = []

    class Counting:
        fft, float32 = np.fft, np.float32

        @staticmethod
        def zeros(shape: Any, dtype: Any) -> Any:
            made.append(int(np.prod(shape)) * 4)
            return np.zeros(shape, dtype)

    for slices in (16, 5):
        sinograms = np.zeros((slices, 3, 32), np.float32)
        with_cupy.filter_projections(Counting, sinograms, with_cupy.ramp_response(32, 3))
    assert max(made) <= with_cupy.BATCH * 3 * (32 + 3) * 4


def test_a_gpu_gives_the_same_if_there_is_one(needs: Any, generated: Any, verdict: Any, compute: Any) -> None:
    needs("cupy")
    import cupy

    if not cupy.cuda.is_available():
        pytest.skip("absent: a CUDA device")
    problem = generated(18, 60, 48)
    problem.blocks[0] = cupy.asarray(problem.blocks[0])
    result = cupy.asnumpy(compute(problem, "cupy"))
    problem.blocks[0] = cupy.asnumpy(problem.blocks[0])
    assert verdict(problem, result, "cupy").ok
