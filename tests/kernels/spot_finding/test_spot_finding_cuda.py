"""The CUDA source is tested without a GPU: it compiles for sm_90 and, run as C++, gives the reference's spots."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.spot_finding import with_cupy

AS_CPP = """
#include <algorithm>
#include <cmath>
#include <cstddef>
using std::max; using std::min; using std::sqrt;
#define __global__
#define __device__
struct dim { int x, y, z; };
static dim threadIdx, blockIdx, blockDim;
static double __dsub_rn(double a, double b) { return a - b; }
static double __dmul_rn(double a, double b) { return a * b; }
static int atomicMin(int* at, int value) { int was = *at; *at = min(was, value); return was; }
static void atomicAdd(unsigned long long* at, unsigned long long value) { *at += value; }
"""
# The threads run in another order: the result must not depend on it.
EVERY_THREAD = """
template <class Kernel> static void each(const int* grid, int threads, bool backwards, Kernel kernel) {
    blockDim = {threads, 1, 1};
    for (blockIdx.z = 0; blockIdx.z < grid[2]; blockIdx.z++)
    for (blockIdx.y = 0; blockIdx.y < grid[1]; blockIdx.y++)
    for (int x = 0; x < grid[0]; x++)
    for (int t = 0; t < threads; t++) {
        blockIdx.x = backwards ? grid[0] - 1 - x : x;
        threadIdx.x = backwards ? threads - 1 - t : t;
        kernel();
    }
}
extern "C" void run_mark_strong(
    const int* grid, int threads, bool backwards, const int* frames, const unsigned char* masked, int ny,
    int nx, int rows, int dispersion, double nsig_b, double nsig_s, int least, int above, unsigned char* out) {
    each(grid, threads, backwards,
         [&] { mark_strong(frames, masked, ny, nx, rows, dispersion, nsig_b, nsig_s, least, above, out); });
}
extern "C" void run_join_neighbours(
    const int* grid, int threads, bool backwards, const Index* pixels, int total, int ny, int nx, int* parent) {
    each(grid, threads, backwards, [&] { join_neighbours(pixels, total, ny, nx, parent); });
}
extern "C" void run_sum_spots(const int* grid, int threads, bool backwards, const int* frames, const Index* pixels,
                           int total, int ny, int nx, const int* parent, unsigned long long* sums) {
    each(grid, threads, backwards, [&] { sum_spots(frames, pixels, total, ny, nx, parent, sums); });
}
"""
_C = {np.int32: ctypes.c_int, np.float64: ctypes.c_double}


@pytest.fixture(scope="module")
def library(as_cpp: Any) -> Any:
    """Return the source, compiled as C++."""
    return as_cpp(AS_CPP + with_cupy.SOURCE + EVERY_THREAD, "-ffp-contract=off")


@pytest.fixture(params=[False, True], ids=["forwards", "backwards"])
def cupy_on_the_host(library: Any, monkeypatch: pytest.MonkeyPatch, request: Any) -> None:
    """Put numpy, and the source compiled as C++, in the place of cupy."""

    class RawModule:
        def __init__(self, code: str) -> None:
            self.code = code

        def get_function(self, name: str) -> Any:
            assert f"void {name}(" in self.code

            def launch(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
                assert block[1:] == (1, 1)
                given = [
                    ctypes.c_void_p(one.ctypes.data) if isinstance(one, np.ndarray) else _C[type(one)](one.item())
                    for one in arguments
                ]
                assert all(one.flags.c_contiguous for one in arguments if isinstance(one, np.ndarray))
                whole = (ctypes.c_int * 3)(*grid), ctypes.c_int(block[0]), ctypes.c_bool(request.param)
                getattr(library, f"run_{name}")(*whole, *given)

            return launch

    names = ("asarray", "arange", "zeros", "flatnonzero", "bincount", "int32", "int64", "uint8", "uint64")
    fake = SimpleNamespace(RawModule=RawModule, **{name: getattr(np, name) for name in names})
    fake.empty = lambda shape, dtype: np.full(shape, 9, dtype)  # what is not written is seen
    monkeypatch.setitem(sys.modules, "cupy", fake)


@pytest.mark.usefixtures("cupy_on_the_host")
def test_the_source_run_as_cpp_finds_the_planted_spots(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated()
    found = verdict(problem, compute(problem, "cupy"), "cupy")
    assert found.ok, found
    assert found.verified_by == "truth"


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize(
    "criteria",
    [{}, {"nsig_b": 1.3, "nsig_s": 0.7, "min_count": 40}, {"threshold": 60}, {"method": "threshold", "threshold": 2}],
)
def test_the_source_run_as_cpp_is_right_at_every_edge(
    problem_of: Any, compute: Any, verdict: Any, trouble: Any, criteria: dict[str, Any]
) -> None:
    problem = problem_of(*trouble, min_pixels=1, max_pixels=10**6, **criteria)
    found = verdict(problem, compute(problem, "cupy"), "cupy")
    assert found.ok, found


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (6, 9), (64, 129), (131, 5)])
def test_the_source_run_as_cpp_is_right_for_any_shape(
    problem_of: Any, compute: Any, verdict: Any, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(5)
    frames = rng.poisson(0.7, (3, *shape)) + 20 * (rng.random((3, *shape)) < 0.05)
    problem = problem_of(frames, min_pixels=1)
    found = verdict(problem, compute(problem, "cupy"), "cupy")
    assert found.ok, found


@pytest.mark.usefixtures("cupy_on_the_host")
def test_frames_without_a_strong_pixel_have_no_spots(problem_of: Any, compute: Any) -> None:
    assert compute(problem_of(np.zeros((2, 9, 9))), "cupy").spots.tolist() == [0, 0]


def test_a_gpu_finds_the_same_if_there_is_one(needs: Any, generated: Any, verdict: Any, compute: Any) -> None:
    needs("cupy")
    import cupy

    from daasbench.compute.backends import map_arrays

    if not cupy.cuda.is_available():
        pytest.skip("absent: a CUDA device")
    problem = generated("small")
    problem.blocks[0] = cupy.asarray(problem.blocks[0])
    result = map_arrays(cupy.asnumpy, compute(problem, "cupy"))
    problem.blocks[0] = cupy.asnumpy(problem.blocks[0])
    assert verdict(problem, result, "cupy").ok
