"""The algorithm of `definition.py` with CuPy, in batches of frames; a CUDA kernel adds the windows.

Where windows overlap, many waves are added to one pixel of the object. One thread owns the pixel and visits the waves
in order, so that no two threads add to it and every call gives the same result. Batches bound the memory in addition
to the waves.

`SOURCE` is plain CUDA C++. A test compiles it for sm_90 without a driver, and runs it on the host thread by thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import Resources

from .definition import Corners, Library, Reconstruction, reconstruct

if TYPE_CHECKING:
    from .problem import Problem

BATCH_SAMPLES = 1 << 24  # in a batch: 128 MiB of waves
BLOCK = (32, 8)  # threads: columns and rows of the object

SOURCE = r"""
extern "C" __global__ void add_windows(
    const float *waves,  // [frames, pixels, pixels, parts]; parts: 2 of a complex number, or 1
    const int2 *corners,  // [frames]: row (x) and column (y)
    const int frames, const int pixels, const int parts,
    const long long stride,  // from one frame to the next: 0 if all are the same
    const int top, const int rows, const int columns,  // the rows of the object to go through, its columns
    float *total)  // [object rows, columns, parts]
{
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y + top;
    if (column >= columns || row >= top + rows) return;
    float a = 0.f, b = 0.f;
    for (int f = 0; f < frames; ++f) {
        const int y = row - corners[f].x, x = column - corners[f].y;
        if (y < 0 || y >= pixels || x < 0 || x >= pixels) continue;
        const float *sample = waves + f * stride + ((long long)y * pixels + x) * parts;
        a += sample[0];
        if (parts == 2) b += sample[1];
    }
    float *pixel = total + ((long long)row * columns + column) * parts;
    pixel[0] += a;
    if (parts == 2) pixel[1] += b;
}
"""


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Reconstruction]:  # noqa: ARG001  (one device)
    """Return the function that turns the frames of a scan, on the device, into object, probe and R."""
    import cupy

    library = library_of(cupy, problem.pixels)

    def compute(diffraction: Any) -> Reconstruction:
        return reconstruct(library, diffraction, problem.corners, problem.probe, problem.iterations, problem.finish)

    return compute


def library_of(cupy: Any, pixels: int) -> Library:
    """Return the operations of CuPy for the definition."""
    kernel = cupy.RawKernel(SOURCE, "add_windows")

    def add(total: Any, waves: Any, corners: Corners) -> None:
        parts = 2 if total.dtype == np.complex64 else 1
        same = waves.strides[0] == 0  # one wave for all frames, broadcast
        samples = cupy.ascontiguousarray(waves[0] if same else waves)
        columns, top = total.shape[1], int(corners[:, 0].min())
        rows = int(corners[:, 0].max()) + pixels - top
        kernel(
            (-(-columns // BLOCK[0]), -(-rows // BLOCK[1]), 1),
            (*BLOCK, 1),
            (
                samples,
                cupy.asarray(np.ascontiguousarray(corners, np.int32)),
                *(np.int32(number) for number in (len(corners), pixels, parts)),
                np.int64(0 if same else parts * pixels**2),
                *(np.int32(number) for number in (top, rows, columns)),
                total,
            ),
        )

    return Library(
        xp=cupy,
        fft2=lambda waves: cupy.fft.fft2(waves, norm="ortho"),
        ifft2=lambda spectra: cupy.fft.ifft2(spectra, norm="ortho"),
        add=add,
        batch=max(1, BATCH_SAMPLES // pixels**2),
    )
