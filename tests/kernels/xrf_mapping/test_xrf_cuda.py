"""The CUDA source is tested without a GPU: it compiles for sm_90 and, run as C++ with threads, gives the numbers."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.xrf_mapping import kernel, with_cupy

from daasbench.contracts import Resources

AS_CPP = """
#include <barrier>
#include <cmath>
#include <cstddef>
#include <thread>
#include <vector>
#define __global__
#define __shared__
struct dim { int x; };
static thread_local dim threadIdx, blockIdx;
static dim blockDim;
float memory[1 << 16];  // shared: one block runs at a time
static std::barrier<>* together;
static void __syncthreads() { together->arrive_and_wait(); }
template <class Function> static void launch(int blocks, int threads, Function function) {
    blockDim.x = threads;
    for (int block = 0; block < blocks; block++) {
        std::barrier<> barrier(threads);
        together = &barrier;
        std::vector<std::thread> running;
        for (int t = 0; t < threads; t++)
            running.emplace_back([&, t] {
                threadIdx.x = t;
                blockIdx.x = block;
                function();
                barrier.arrive_and_drop();
            });
        for (auto& thread : running) thread.join();
    }
}
"""
LAUNCHERS = """
extern "C" void run_subtract_background(int blocks, int threads, float* spectra, int channels, int width) {
    launch(blocks, threads, [=] { subtract_background(spectra, channels, width); });
}
extern "C" void run_descend(int blocks, int threads, const float* both, const float* gram, const float* norms,
                            int pixels, int sweeps, float accuracy, float* areas) {
    launch(blocks, threads, [=] { descend(both, gram, norms, pixels, sweeps, accuracy, areas); });
}
"""
THREADS = 5  # on the host


@pytest.fixture
def cupy_on_the_host(as_cpp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put numpy, and the source compiled as C++, in the place of cupy."""

    class Function:
        def __init__(self, function: Any) -> None:
            self.function = function
            self.max_dynamic_shared_size_bytes = 0

        def __call__(self, grid: Any, block: Any, arguments: Any, shared_mem: int) -> None:
            assert shared_mem <= max(self.max_dynamic_shared_size_bytes, 48 * 1024)
            blocks = -(-grid[0] * block[0] // THREADS) if self.function.__name__ == "run_descend" else grid[0]
            self.function(blocks, THREADS, *(_as_c(argument) for argument in arguments))

    class RawModule:
        def __init__(self, code: str, options: tuple[str, ...]) -> None:
            assert code == with_cupy.SOURCE
            self.library = as_cpp(AS_CPP + code + LAUNCHERS, "-std=c++20", "-pthread", *options)

        def get_function(self, name: str) -> Function:
            return Function(getattr(self.library, f"run_{name}"))

    fake = SimpleNamespace(RawModule=RawModule, asarray=np.asarray, empty=np.empty, float32=np.float32)
    monkeypatch.setitem(sys.modules, "cupy", fake)  # type: ignore[arg-type]  # no module, as good as one here


def _as_c(argument: Any) -> Any:
    if isinstance(argument, np.ndarray):
        assert argument.dtype == np.float32
        assert argument.flags.c_contiguous
        return ctypes.c_void_p(argument.ctypes.data)
    return ctypes.c_float(argument) if isinstance(argument, np.float32) else ctypes.c_int(argument)


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize("method", ["linear", "snip", "nnls"])
def test_every_method_gives_the_right_areas(
    generated: Any, verdict: Any, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(with_cupy, "SPECTRA", 32)  # so that 50 pixels are two pieces
    problem = generated(5, 10, method=method)
    areas = with_cupy.prepare(problem, Resources(gpus=1))(problem.blocks[0])
    found = verdict(problem, areas, "cupy")
    assert found.ok or found.verified_by == "truth", found  # 50 pixels are few for statistics
    ours = kernel.implementations["numba"].load()(problem, Resources())(problem.blocks[0])
    np.testing.assert_allclose(areas, ours, atol=1e-5 * ours.max())


def test_two_spectra_fit_into_the_shared_memory_of_a_block() -> None:
    assert 8 * 4096 <= 48 * 1024  # bytes that every device has; 4096 channels are the most that detectors send
