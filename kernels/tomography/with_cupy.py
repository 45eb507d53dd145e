"""Direct back-projection on a CUDA device: four slices per thread, interpolated from the L1 cache.

The filtered projections of four slices are stored together as a ``float4``: ``[group of slices, angle, detector]``. A
thread computes one pixel of the image in four slices. The threads of a warp compute neighbours in a row, so that
their reads at an angle are in a few cache lines. Sixteen slices are computed at a time, which bounds the memory.

`SOURCE` is plain CUDA C++. A test compiles it for sm_90 without a driver, and runs it on the host thread by thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

from .definition import padded_length, ramp

if TYPE_CHECKING:
    from .problem import Problem

BATCH = 16  # slices at a time
LANES = 4  # slices in a float4
BLOCK = (32, 8)  # threads: pixels across and down

SOURCE = r"""
extern "C" __global__ void back_project(
    const float4 *filtered,  // [groups, angles, detector + 3]: one zero before the detector, two behind
    const float2 *directions,  // [angles]: cosine and sine
    const int angles, const int detector, const int slices, const float centre,
    float *volume)  // [slices, detector, detector]
{
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= detector || row >= detector) return;
    const float x = column - 0.5f * (detector - 1), y = row - 0.5f * (detector - 1);
    const int stride = detector + 3;
    const float4 *projection = filtered + (size_t)blockIdx.z * angles * stride;
    float4 sum = make_float4(0.f, 0.f, 0.f, 0.f);
    for (int a = 0; a < angles; ++a, projection += stride) {
        const float2 direction = directions[a];
        float position = x * direction.x + y * direction.y + centre + 1.f;
        position = fminf(fmaxf(position, 0.f), detector + 1.f);
        const int left = (int)position;
        const float weight = position - left;
        const float4 p = projection[left], q = projection[left + 1];
        sum.x += p.x + weight * (q.x - p.x);
        sum.y += p.y + weight * (q.y - p.y);
        sum.z += p.z + weight * (q.z - p.z);
        sum.w += p.w + weight * (q.w - p.w);
    }
    const size_t image = (size_t)detector * detector;
    float *pixel = volume + 4 * blockIdx.z * image + (size_t)row * detector + column;
    const int left_over = slices - 4 * (int)blockIdx.z;
    pixel[0] = sum.x;
    if (left_over > 1) pixel[image] = sum.y;
    if (left_over > 2) pixel[2 * image] = sum.z;
    if (left_over > 3) pixel[3 * image] = sum.w;
}
"""


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:  # noqa: ARG001  (one device)
    """Return the function that turns a block of sinograms on the device into a volume on the device."""
    import cupy

    kernel = cupy.RawKernel(SOURCE, "back_project")
    _, angles, detector = problem.blocks[0].shape
    response = cupy.asarray(ramp_response(detector, angles))
    directions = cupy.asarray(directions_of(problem.angles))
    across, down = (-(-detector // threads) for threads in BLOCK)

    def compute(sinograms: Any) -> Any:
        volume = cupy.empty((sinograms.shape[0], detector, detector), cupy.float32)
        for first in range(0, sinograms.shape[0], BATCH):
            filtered = filter_projections(cupy, sinograms[first : first + BATCH], response)
            images = volume[first : first + BATCH]
            kernel(
                (across, down, filtered.shape[0]),
                (*BLOCK, 1),
                (
                    filtered,
                    directions,
                    np.int32(angles),
                    np.int32(detector),
                    np.int32(images.shape[0]),
                    np.float32(problem.centre),
                    images,
                ),
            )
        return volume

    return compute


def filter_projections(xp: Any, sinograms: Any, response: Any) -> Any:
    """Return f32[groups, angles, detector + 3, 4] filtered projections, by the array library `xp`.

    The last group is filled up with zeros. One group is transformed at a time, so that the padded spectra take
    the memory of four slices.
    """
    slices, angles, detector = sinograms.shape
    groups, length = -(-slices // LANES), padded_length(detector)
    filtered = xp.zeros((groups, angles, detector + 3, LANES), xp.float32)
    for group in range(groups):
        members = sinograms[group * LANES : (group + 1) * LANES]
        spectra = xp.fft.rfft(members, length) * response
        projections = xp.fft.irfft(spectra, length)[..., :detector]
        filtered[group, :, 1 : detector + 1, : len(members)] = projections.transpose(1, 2, 0)
    return filtered


def ramp_response(detector: int, angles: int) -> NDArray[np.float32]:
    """Return f32[padded_length / 2 + 1]: the Fourier transform of the ramp, times pi / Ntheta."""
    length = padded_length(detector)
    offsets = (np.arange(length) + length // 2) % length - length // 2
    return (np.fft.rfft(ramp(offsets)).real * np.pi / angles).astype(np.float32)


def directions_of(angles: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return f32[angles, 2]: the cosines and the sines."""
    return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
