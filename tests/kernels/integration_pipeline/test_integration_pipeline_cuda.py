"""The CUDA source is right without a GPU: it compiles for sm_90, and run as C++ it gives the reference's numbers."""

from __future__ import annotations

import ctypes
import dataclasses
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.integration_pipeline import with_cupy

from daasbench.errors import InputError, MissingRequirement
from daasbench.formats.chunks import FileImage, chunks_of

AS_CPP = """
#define LANES 1
#define __global__
#define __device__
#define __shared__
#define __syncwarp()
#define __syncthreads()
struct dim { int x, y, z; };
static dim threadIdx, blockIdx, blockDim;
unsigned long long memory[1 << 16];
static void atomicAdd(unsigned long long* to, unsigned long long number) { *to += number; }
static void atomicAdd(double* to, double number) { *to += number; }
"""
EVERY_THREAD = """
extern "C" void launch_find(int grid, int threads, const u8* content, const long long* offset, const long long* size,
    int frames, int pixels, int block, int blocks, int bins, const unsigned short* bin_of_pixel,
    const double* solid_angle, long long* start, u64* signal, double* lost, int* status) {
    blockDim.x = threads;
    for (blockIdx.x = 0; blockIdx.x < grid; blockIdx.x++)
    for (threadIdx.x = 0; threadIdx.x < threads; threadIdx.x++)
        find_blocks(content, offset, size, frames, pixels, block, blocks, bins, bin_of_pixel, solid_angle, start,
                    signal, lost, status);
}
extern "C" void launch_integrate(int across, int down, const u8* content, const long long* offset,
    const long long* size, const long long* start, int pixels, int block, int blocks, int blocks_a_warp, int bins,
    int shared, const unsigned short* bin_of_pixel, const double* solid_angle, u64* signal, double* lost, int* status) {
    blockDim.x = 1;
    threadIdx.x = 0;
    for (blockIdx.y = 0; blockIdx.y < down; blockIdx.y++)
    for (blockIdx.x = 0; blockIdx.x < across; blockIdx.x++)
        integrate(content, offset, size, start, pixels, block, blocks, blocks_a_warp, bins, shared, bin_of_pixel,
                  solid_angle, signal, lost, status);
}
"""


@pytest.fixture(scope="module")
def library(as_cpp: Any) -> Any:
    """Return the source, compiled as C++."""
    return as_cpp(AS_CPP + with_cupy.SOURCE + EVERY_THREAD)


@pytest.fixture
def cupy_on_the_host(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put numpy, and the source compiled as C++ with warps of one lane, instead of cupy."""

    def as_c(argument: Any) -> Any:
        if isinstance(argument, np.ndarray):
            assert argument.flags.c_contiguous
            return ctypes.c_void_p(argument.ctypes.data)
        assert isinstance(argument, np.int32)
        return ctypes.c_int(int(argument))

    def find(grid: Any, block: Any, arguments: Any) -> None:
        library.launch_find(ctypes.c_int(grid[0]), ctypes.c_int(block[0]), *map(as_c, arguments))

    def integrate(grid: Any, block: Any, arguments: Any, shared_mem: int) -> None:
        assert block == (with_cupy.LANES,)  # one warp
        assert shared_mem <= with_cupy.SHARED_BYTES
        library.launch_integrate(ctypes.c_int(grid[0]), ctypes.c_int(grid[1]), *map(as_c, arguments))

    functions = {"find_blocks": find, "integrate": integrate}
    names = ("asarray", "zeros", "int64", "int32", "uint64", "float64")
    fake = SimpleNamespace(**{name: getattr(np, name) for name in names})
    fake.asnumpy = np.asarray
    fake.RawModule = lambda code: SimpleNamespace(get_function=functions.__getitem__)
    monkeypatch.setattr(with_cupy, "WARPS", 1)
    monkeypatch.setitem(sys.modules, "cupy", fake)


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize("bins", [1, 100, 7000])  # sums of 7000 bins do not fit into shared memory
@pytest.mark.parametrize("frames", [1, 5])
def test_the_source_run_as_cpp_is_right(generated: Any, compute: Any, verdict: Any, bins: int, frames: int) -> None:
    problem = generated(frames=frames, bins=bins)
    found = verdict(problem, compute(problem, "cupy"), "cupy")
    assert found.ok, found


@pytest.mark.usefixtures("cupy_on_the_host")
def test_the_source_reports_damage_too(generated: Any, compute: Any) -> None:
    problem = generated()
    image = problem.blocks[0]
    offset = int(chunks_of(image).offset[3])
    for at, damage in ((7, "another size"), (12, "too early"), (16, "damaged")):
        content = image.content.copy()
        content[offset + at : offset + at + 4] = 255
        broken = dataclasses.replace(problem, blocks=[FileImage(content=content, frames=image.frames)])
        with pytest.raises(InputError, match=f"frame 3 .*{damage}"):
            compute(broken, "cupy")


def test_no_more_shared_memory_is_requested_than_there_is() -> None:
    for block, bins in ((2048, 1000), (2048, 65_000), (8192, 1000), (12_288, 1)):
        warps, shared, bytes_ = with_cupy.shared_memory(block, bins)
        assert bytes_ == warps * block * 4 + shared * bins * 8 <= with_cupy.SHARED_BYTES
    with pytest.raises(MissingRequirement, match="do not fit"):
        with_cupy.shared_memory(20_000, 1)


def test_a_gpu_gives_the_same_if_there_is_one(needs: Any, generated: Any, verdict: Any, compute: Any) -> None:
    needs("cupy")
    import cupy

    if not cupy.cuda.is_available():
        pytest.skip("absent: a CUDA device")
    problem = generated()
    image = problem.blocks[0]
    there = FileImage(content=cupy.asarray(image.content), frames=image.frames)
    result = compute(dataclasses.replace(problem, blocks=[there]), "cupy")
    assert verdict(problem, result, "cupy").ok
