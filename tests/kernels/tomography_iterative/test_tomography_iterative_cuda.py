"""The CUDA source is tested without a GPU: it compiles for sm_90 and, run as C++, gives the reference's numbers."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.tomography_iterative import with_cupy

AS_CPP = """
#include <cmath>
#include <cstddef>
#define __global__
struct dim { int x, y, z; };
struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
static float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
typedef float4* V;
static dim threadIdx, blockIdx, blockDim;
"""
LAUNCH = """
extern "C" void launch_NAME(const int* grid, const int* block, void** a, int angles, int size, float centre) {
    blockDim = {block[0], block[1], block[2]};
    for (blockIdx.z = 0; blockIdx.z < grid[2]; blockIdx.z++)
    for (blockIdx.y = 0; blockIdx.y < grid[1]; blockIdx.y++)
    for (blockIdx.x = 0; blockIdx.x < grid[0]; blockIdx.x++)
    for (threadIdx.y = 0; threadIdx.y < block[1]; threadIdx.y++)
    for (threadIdx.x = 0; threadIdx.x < block[0]; threadIdx.x++)
        CALL;
}
"""
CALLS = {
    "project": "project((V)a[0], (V)a[1], (float2*)a[2], (V)a[3], angles, size, centre, (V)a[4])",
    "back_project": "back_project((V)a[0], (float2*)a[1], (float*)a[2], angles, size, centre, (V)a[3])",
}


@pytest.fixture(scope="module")
def library(as_cpp: Any) -> Any:
    """Return the source, compiled as C++."""
    launches = [LAUNCH.replace("NAME", name).replace("CALL", call) for name, call in CALLS.items()]
    return as_cpp(AS_CPP + with_cupy.SOURCE + "".join(launches))


@pytest.fixture
def cupy_on_the_host(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put numpy, and the source compiled as C++, in the place of cupy."""

    class RawKernel:
        def __init__(self, source: str, name: str) -> None:
            assert f"void {name}(" in source
            self._launch = getattr(library, f"launch_{name}")

        def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            arrays = [one for one in arguments if isinstance(one, np.ndarray)]
            numbers = [one for one in arguments if not isinstance(one, np.ndarray)]
            for array in arrays:
                assert array.dtype == np.float32
                assert array.flags.c_contiguous
            assert [type(n) for n in numbers] == [np.int32] * 2 + [np.float32]
            self._launch(
                (ctypes.c_int * 3)(*grid),
                (ctypes.c_int * 3)(*block),
                (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays)),
                *(ctypes.c_int(int(number)) for number in numbers[:2]),
                ctypes.c_float(float(numbers[2])),
            )

    names = ["asarray", "ascontiguousarray", "zeros", "ones", "sum", "square", "sqrt", "float32", "float64"]
    fake = SimpleNamespace(RawKernel=RawKernel, **{name: getattr(np, name) for name in names})
    fake.empty = lambda shape, dtype: np.full(shape, np.nan, dtype)  # what is not written is seen
    monkeypatch.setitem(sys.modules, "cupy", fake)


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize(
    ("slices", "detector", "centre"), [(1, 32, None), (4, 41, 18.3), (7, 32, 17.0), (18, 33, None)]
)
def test_the_source_run_as_cpp_is_right(
    generated: Any, compute: Any, verdict: Any, slices: int, detector: int, centre: float | None
) -> None:
    problem = generated(slices, 15, detector, centre=centre, iterations=12, arc_deg=200.0)
    made = compute(problem, "cupy")
    assert verdict(problem, made, "cupy").ok
    reference = compute(problem, "numpy")
    assert np.abs(made.volume - reference.volume).max() < 1e-4 * np.abs(reference.volume).max()


def test_a_gpu_gives_the_same_if_there_is_one(needs: Any, generated: Any, verdict: Any, compute: Any) -> None:
    needs("cupy")
    import cupy

    if not cupy.cuda.is_available():
        pytest.skip("absent: a CUDA device")
    problem = generated(18, 60, 48)
    problem.blocks[0] = cupy.asarray(problem.blocks[0])
    made = type(compute(problem, "numpy"))(*(cupy.asnumpy(array) for array in compute(problem, "cupy")))
    problem.blocks[0] = cupy.asnumpy(problem.blocks[0])
    assert verdict(problem, made, "cupy").ok
