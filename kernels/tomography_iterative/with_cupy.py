"""SIRT on a CUDA device: four slices per thread; one thread per ray, and then one thread per pixel.

Four slices are stored together as a ``float4``: images ``[group of slices, row, column]``, residuals ``[group, angle,
detector pixel]``. Neighbouring threads compute neighbouring rays, or pixels in a row, so that their reads are in a few
cache lines. For rays that run along the rows there is a transposed copy of the image, made once per iteration.
Sixteen slices are computed at a time, which bounds the memory.

`SOURCE` is plain CUDA C++. A test compiles it for sm_90 without a driver, and runs it on the host thread by thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

from .definition import LEAST_RAY, Reconstruction, inverse

if TYPE_CHECKING:
    from .problem import Problem

BATCH = 16  # slices at a time
LANES = 4  # slices in a float4
RAYS = 128  # threads of a block that projects
PIXELS = (32, 8)  # threads of a block that back-projects: across and down

SOURCE = r"""
// Joseph's projector: a ray takes one sample per line; a line is a row of `image` or of `transposed`.
extern "C" __global__ void project(
    const float4 *image, const float4 *transposed,  // [groups, size, size]
    const float2 *directions,  // [angles]: cosine and sine
    const float4 *measured,  // [groups, angles, size]
    const int angles, const int size, const float centre,
    float4 *left)  // [groups, angles, size]: measured - projected
{
    const int ray = blockIdx.x * blockDim.x + threadIdx.x;
    if (ray >= size) return;
    const float2 direction = directions[blockIdx.y];
    const bool down = fabsf(direction.x) >= fabsf(direction.y);
    const float major = down ? direction.x : direction.y, minor = down ? direction.y : direction.x;
    const float middle = 0.5f * (size - 1), shift = -minor / major;
    const float start = (ray - centre) / major + middle - middle * shift;
    const float4 *line = (down ? image : transposed) + (size_t)blockIdx.z * size * size;
    float4 sum = make_float4(0.f, 0.f, 0.f, 0.f);
    for (int i = 0; i < size; ++i, line += size) {
        const float position = start + i * shift;
        if (!(position > -1.f && position < size)) continue;
        const int pixel = (int)floorf(position);
        const float weight = position - pixel;
        if (pixel >= 0) {
            const float4 p = line[pixel];
            const float w = 1.f - weight;
            sum.x += w * p.x; sum.y += w * p.y; sum.z += w * p.z; sum.w += w * p.w;
        }
        if (pixel + 1 < size) {
            const float4 q = line[pixel + 1];
            sum.x += weight * q.x; sum.y += weight * q.y; sum.z += weight * q.z; sum.w += weight * q.w;
        }
    }
    const float scale = 1.f / fabsf(major);
    const size_t at = ((size_t)blockIdx.z * angles + blockIdx.y) * size + ray;
    const float4 y = measured[at];
    left[at] = make_float4(y.x - scale * sum.x, y.y - scale * sum.y, y.z - scale * sum.z, y.w - scale * sum.w);
}

// Its transpose: a pixel has weight in the rays to the left and right of its projection.
extern "C" __global__ void back_project(
    const float4 *left,  // [groups, angles, size]
    const float2 *directions,
    const float *pixel_weights,  // [size, size]
    const int angles, const int size, const float centre,
    float4 *image)  // [groups, size, size]: is added to
{
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= size || row >= size) return;
    const float x = column - 0.5f * (size - 1), y = row - 0.5f * (size - 1);
    const float4 *rays = left + (size_t)blockIdx.z * angles * size;
    float4 sum = make_float4(0.f, 0.f, 0.f, 0.f);
    for (int a = 0; a < angles; ++a, rays += size) {
        const float2 direction = directions[a];
        const float t = x * direction.x + y * direction.y + centre;
        if (!(t > -1.f && t < size)) continue;
        const float height = 1.f / fmaxf(fabsf(direction.x), fabsf(direction.y));
        const int ray = (int)floorf(t);
        const float fraction = t - ray;
        if (ray >= 0) {
            const float4 p = rays[ray];
            const float w = height * fmaxf(0.f, 1.f - height * fraction);
            sum.x += w * p.x; sum.y += w * p.y; sum.z += w * p.z; sum.w += w * p.w;
        }
        if (ray + 1 < size) {
            const float4 q = rays[ray + 1];
            const float w = height * fmaxf(0.f, 1.f - height * (1.f - fraction));
            sum.x += w * q.x; sum.y += w * q.y; sum.z += w * q.z; sum.w += w * q.w;
        }
    }
    const size_t at = ((size_t)blockIdx.z * size + row) * size + column;
    const float weight = pixel_weights[(size_t)row * size + column];
    float4 pixel = image[at];
    pixel.x += weight * sum.x; pixel.y += weight * sum.y; pixel.z += weight * sum.z; pixel.w += weight * sum.w;
    image[at] = pixel;
}
"""


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Reconstruction]:  # noqa: ARG001  (one device)
    """Return the function that turns a block of sinograms on the device into a volume on the device."""
    import cupy

    detector = problem.blocks[0].shape[2]
    directions = np.column_stack([np.cos(problem.angles), np.sin(problem.angles)])
    solver = _Solver(cupy, directions.astype(np.float32), problem.centre, detector)

    def compute(sinograms: Any) -> Reconstruction:
        slices = sinograms.shape[0]
        volume = cupy.empty((slices, detector, detector), cupy.float32)
        residuals = cupy.empty((slices, problem.iterations), cupy.float64)
        for first in range(0, slices, BATCH):
            batch = slice(first, first + BATCH)
            solver.solve(sinograms[batch], volume[batch], residuals[batch])
        return Reconstruction(volume, residuals)

    return compute


class _Solver:
    """The geometry on the device, and the weights R and C, by the array library `xp`."""

    def __init__(self, xp: Any, directions: NDArray[np.float32], centre: float, size: int) -> None:
        self._xp, self._size, self._centre = xp, np.int32(size), np.float32(centre)
        self._directions, self._angles = xp.asarray(directions), np.int32(len(directions))
        self._project_kernel = xp.RawKernel(SOURCE, "project")
        self._back_project_kernel = xp.RawKernel(SOURCE, "back_project")
        rays, pixels = (1, len(directions), size, LANES), (1, size, size, LANES)
        row_sums = -self._project(xp.ones(pixels, xp.float32), xp.zeros(rays, xp.float32))[0, ..., 0]
        self._R = inverse(row_sums, LEAST_RAY).astype(xp.float32)[..., None]
        column_sums = xp.zeros(pixels, xp.float32)
        self._C = xp.ones((size, size), xp.float32)
        self._back_project(xp.ones(rays, xp.float32), column_sums)
        self._C = inverse(column_sums[0, ..., 0], 0.0).astype(xp.float32)

    def solve(self, sinograms: Any, volume: Any, residuals: Any) -> None:
        """Write the reconstruction of up to sixteen slices."""
        xp, slices, size = self._xp, len(sinograms), int(self._size)
        groups = -(-slices // LANES)
        measured = xp.zeros((groups * LANES, int(self._angles), size), xp.float32)
        measured[:slices] = sinograms
        measured = _lanes_last(xp, measured)
        image = xp.zeros((groups, size, size, LANES), xp.float32)
        for n in range(residuals.shape[1]):
            left = self._project(image, measured)
            squares = xp.sum(xp.square(left), axis=(1, 2), dtype=xp.float64)
            residuals[:, n] = xp.sqrt(squares).reshape(-1)[:slices]
            left *= self._R
            self._back_project(left, image)
        volume[:] = image.transpose(0, 3, 1, 2).reshape(-1, size, size)[:slices]

    def _project(self, image: Any, measured: Any) -> Any:
        """Return y - A x, f32[groups, angles, detector, 4]."""
        transposed = self._xp.ascontiguousarray(image.transpose(0, 2, 1, 3))
        left = self._xp.empty(measured.shape, self._xp.float32)
        grid = (-(-int(self._size) // RAYS), int(self._angles), len(image))
        arguments = (image, transposed, self._directions, measured, self._angles, self._size, self._centre, left)
        self._project_kernel(grid, (RAYS, 1, 1), arguments)
        return left

    def _back_project(self, left: Any, image: Any) -> None:
        """Add C A^T times the weighted residual to the image."""
        across, down = (-(-int(self._size) // threads) for threads in PIXELS)
        arguments = (left, self._directions, self._C, self._angles, self._size, self._centre, image)
        self._back_project_kernel((across, down, len(image)), (*PIXELS, 1), arguments)


def _lanes_last(xp: Any, stack: Any) -> Any:
    """Return [groups, rows, columns, 4] of [slices, rows, columns], whose slices are a multiple of four."""
    return xp.ascontiguousarray(stack.reshape(-1, LANES, *stack.shape[1:]).transpose(0, 2, 3, 1))
