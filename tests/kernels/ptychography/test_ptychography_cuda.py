"""The CUDA implementation is tested without a GPU: array code with numpy, its kernel as C++ and compiled for sm_90."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.ptychography import with_cupy

AS_CPP = """
#define __global__
struct dim { int x, y, z; };
struct int2 { int x, y; };
static dim threadIdx, blockIdx, blockDim;
"""
EVERY_THREAD = """
extern "C" void launch(const int* grid, const int* block, const float* waves, const int2* corners, int frames,
                       int pixels, int parts, long long stride, int top, int rows, int columns, float* total) {
    blockDim = {block[0], block[1], block[2]};
    for (blockIdx.y = 0; blockIdx.y < grid[1]; blockIdx.y++)
    for (blockIdx.x = 0; blockIdx.x < grid[0]; blockIdx.x++)
    for (threadIdx.y = 0; threadIdx.y < block[1]; threadIdx.y++)
    for (threadIdx.x = 0; threadIdx.x < block[0]; threadIdx.x++)
        add_windows(waves, corners, frames, pixels, parts, stride, top, rows, columns, total);
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
            waves, corners, *numbers, total = arguments
            assert [type(one) for one in numbers] == [np.int32] * 3 + [np.int64] + [np.int32] * 3
            assert corners.dtype == np.int32
            assert waves.dtype == total.dtype
            assert all(one.flags.c_contiguous for one in (waves, corners, total))
            kinds = [ctypes.c_longlong if type(one) is np.int64 else ctypes.c_int for one in numbers]
            library.launch(
                (ctypes.c_int * 3)(*grid),
                (ctypes.c_int * 3)(*block),
                *(ctypes.c_void_p(one.ctypes.data) for one in (waves, corners)),
                *(kind(int(one)) for kind, one in zip(kinds, numbers, strict=True)),
                ctypes.c_void_p(total.ctypes.data),
            )

    names = [name for name in dir(np) if not name.startswith("_")]
    fake = SimpleNamespace(**{name: getattr(np, name) for name in names}, RawKernel=RawKernel)
    monkeypatch.setitem(sys.modules, "cupy", fake)


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize("frames", [25, 1, 7])
@pytest.mark.parametrize("batch", [4, 16])
def test_the_array_code_and_the_source_run_as_cpp_give_the_references_numbers(
    generated: Any, compute: Any, monkeypatch: pytest.MonkeyPatch, frames: int, batch: int
) -> None:
    monkeypatch.setattr(with_cupy, "BATCH_SAMPLES", batch * 32**2)
    problem = generated(frames, iterations=5, finish=3)
    problem.blocks[0][:, 3, 4] = -1
    result, reference = compute(problem, "cupy"), compute(problem, "numpy")
    np.testing.assert_allclose(result.r, reference.r, atol=1e-6)
    np.testing.assert_allclose(result.object, reference.object, atol=3e-4)
    np.testing.assert_allclose(result.probe, reference.probe, atol=1e-4 * np.abs(reference.probe).max())


@pytest.mark.usefixtures("cupy_on_the_host")
def test_the_result_is_right(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated()
    assert verdict(problem, compute(problem, "cupy"), "cupy").ok


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize("pixels", [16, 256, 1024, 8192])
def test_a_batch_takes_no_more_than_128_mib(pixels: int) -> None:
    import cupy

    batch = with_cupy.library_of(cupy, pixels).batch
    assert batch >= 1
    assert batch == 1 or 8 * batch * pixels**2 <= 1 << 27
