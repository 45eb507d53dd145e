"""The CUDA source is right without a GPU: it compiles for sm_90, and run as C++ it gives the reference's numbers."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.azimuthal_integration import with_cupy
from daasbench.kernels.azimuthal_integration.pixels import TwoBins
from daasbench.kernels.azimuthal_integration.powder import DUMMY

# One thread per block, blocks in sequence: every loop and index of the source, without the concurrency.
AS_CPP = """
#include <cstddef>
#define __global__
#define __device__
#define __shared__
struct dim { int x, y; };
static dim threadIdx, blockIdx, blockDim, gridDim;
static double memory[8192];
static inline void __syncthreads() {}
template <class T, class V> static inline void atomicAdd(T* at, V value) { *at += (T) value; }
"""
LAUNCH = """
extern "C" void launch_{name}(int grid_x, int grid_y, {declared}) {{
    blockDim = {{1, 1}}; gridDim = {{grid_x, grid_y}}; threadIdx = {{0, 0}};
    for (blockIdx.y = 0; blockIdx.y < grid_y; blockIdx.y++)
        for (blockIdx.x = 0; blockIdx.x < grid_x; blockIdx.x++) {name}({passed});
}}
"""


class CpuModule:
    """The source, compiled as C++, instead of a ``cupy.RawModule``."""

    def __init__(self, as_cpp: Any, integer: bool) -> None:
        text = AS_CPP + with_cupy.SOURCE.replace("extern __shared__ double memory[];", "")
        self._types: dict[str, list[str]] = {}
        for name in ("sum_unsplit", "sum_split", "sum_wide"):
            head = with_cupy.SOURCE.split(f"void {name}(")[1].split(")")[0]
            arguments = [argument.strip() for argument in head.split(",")]
            self._types[name] = arguments
            text += LAUNCH.format(name=name, declared=head, passed=", ".join(a.split()[-1] for a in arguments))
        self._library = as_cpp(text, *with_cupy.options_for(integer))

    def get_function(self, name: str) -> Any:
        """Return a callable like ``cupy.RawKernel``."""

        def launch(grid: tuple[int, int], block: tuple[int], arguments: tuple[Any, ...], shared_mem: int = 0) -> None:
            assert len(arguments) == len(self._types[name])
            passed = [
                ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else ctypes.c_int(int(a)) for a in arguments
            ]
            getattr(self._library, "launch_" + name)(*map(ctypes.c_int, grid), *passed)

        return launch


@pytest.mark.parametrize("shared_bytes", [48 * 1024, 0])
@pytest.mark.parametrize("nothing", [np.uint32(DUMMY), np.float32("nan")])
@pytest.mark.parametrize("mode", ["nosplit", "split"])
def test_the_source_run_as_cpp_gives_the_reference(
    problem_of: Any,
    compute: Any,
    as_cpp: Any,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    nothing: Any,
    shared_bytes: int,
) -> None:
    rng = np.random.default_rng(8)
    frames = rng.integers(1, 99, (2, 45, 50)).astype(nothing.dtype)
    frames[1][rng.random((45, 50)) < 0.05] = nothing
    problem = problem_of(frames, mode, bins=90, mask=rng.random((45, 50)) < 0.1)
    if mode == "split":
        assert TwoBins.of(problem.pixel_bins).wide_pixel.size > 20
    monkeypatch.setattr(with_cupy, "SHARED_BYTES", shared_bytes)
    monkeypatch.setattr(np, "RawModule", lambda **_: CpuModule(as_cpp, nothing.dtype.kind == "u"), raising=False)
    monkeypatch.setitem(__import__("sys").modules, "cupy", np)
    got, want = compute(problem, "cupy"), compute(problem, "numpy")
    np.testing.assert_allclose(got.intensity, want.intensity, rtol=1e-6)
    np.testing.assert_allclose(got.sigma, want.sigma, rtol=1e-6)
    if problem.exact:
        np.testing.assert_array_equal(got.signal, want.signal)
