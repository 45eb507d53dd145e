"""The CUDA source is tested without a GPU: it compiles for sm_90 and, run as C++, gives the reference's numbers."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.xpcs import with_cupy

AS_CPP = """
#define __global__
struct dim { int x, y, z; };
static dim threadIdx, blockIdx, blockDim;
"""
EVERY_THREAD = """
extern "C" void launch(int grid, int block, const unsigned short* counts, int frames, long long pixels,
                       long long first, int batch, double* slots) {
    blockDim = {block, 1, 1};
    for (blockIdx.x = 0; blockIdx.x < grid; blockIdx.x++)
    for (threadIdx.x = 0; threadIdx.x < block; threadIdx.x++)
        multi_tau(counts, frames, pixels, first, batch, slots);
}
"""


@pytest.fixture
def cupy_on_the_host(as_cpp: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put numpy, and the source compiled as C++, in the place of cupy; return how many pixels each launch processed."""
    launches: list[int] = []

    class RawKernel:
        def __init__(self, source: str, name: str, options: tuple[str, ...]) -> None:
            assert f"void {name}(" in source
            (self.levels,) = (int(option.removeprefix("-DLEVELS=")) for option in options)
            self.library = as_cpp(AS_CPP + source + EVERY_THREAD, *options)

        def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            counts, frames, pixels, first, batch, slots = arguments
            assert [type(n) for n in (frames, pixels, first, batch)] == [np.int32, np.int64, np.int64, np.int32]
            assert counts.dtype == np.uint16
            assert slots.shape == (self.levels * 22 + 1, batch)
            assert counts.flags.c_contiguous
            assert slots.flags.c_contiguous
            launches.append(int(batch))
            self.library.launch(
                ctypes.c_int(grid[0]),
                ctypes.c_int(block[0]),
                ctypes.c_void_p(counts.ctypes.data),
                ctypes.c_int(frames),
                ctypes.c_longlong(pixels),
                ctypes.c_longlong(first),
                ctypes.c_int(batch),
                ctypes.c_void_p(slots.ctypes.data),
            )

    names = ("asarray", "zeros", "arange", "float64")
    fake = SimpleNamespace(RawKernel=RawKernel, asnumpy=np.asarray, **{name: getattr(np, name) for name in names})
    fake.empty = lambda shape, dtype: np.full(shape, np.nan, dtype)  # what is not written is seen
    monkeypatch.setitem(sys.modules, "cupy", fake)
    return launches


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize("frames", [2, 7, 8, 9, 64, 130, 301])
def test_the_source_run_as_cpp_is_right(generated: Any, compute: Any, frames: int) -> None:
    problem = generated(frames, 12, 20)
    np.testing.assert_allclose(compute(problem, "cupy"), compute(problem, "numpy"), atol=1e-12)


@pytest.mark.usefixtures("cupy_on_the_host")
def test_large_counts_are_right_within_the_tolerance(problem_of: Any, compute: Any, verdict: Any) -> None:
    problem = problem_of(30_000 + np.random.default_rng(1).integers(0, 30_000, (1000, 3, 5)))
    found = verdict(problem, compute(problem, "cupy"), "cupy")
    assert found.ok, found


def test_device_memory_is_bounded_by_taking_some_pixels_at_a_time(
    generated: Any, compute: Any, monkeypatch: pytest.MonkeyPatch, cupy_on_the_host: Any
) -> None:
    monkeypatch.setattr(with_cupy, "NUMBERS", 1)
    problem = generated(40, 20, 30)
    np.testing.assert_allclose(compute(problem, "cupy"), compute(problem, "numpy"), atol=1e-12)
    assert cupy_on_the_host == [128] * 4 + [88]


def test_a_gpu_gives_the_same_if_there_is_one(needs: Any, generated: Any, verdict: Any, compute: Any) -> None:
    needs("cupy")
    import cupy

    if not cupy.cuda.is_available():
        pytest.skip("absent: a CUDA device")
    problem = generated(301)
    problem.blocks[0] = cupy.asarray(problem.blocks[0])
    result = cupy.asnumpy(compute(problem, "cupy"))
    problem.blocks[0] = cupy.asnumpy(problem.blocks[0])
    assert verdict(problem, result, "cupy").ok
