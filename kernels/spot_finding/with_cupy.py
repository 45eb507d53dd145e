"""CUDA with CuPy: one pass that marks strong pixels, then union-find over the list of strong pixels.

A thread processes one column of a band of a frame. For each row it adds the seven pixels around its column and keeps
the last seven such sums in registers, which gives the count and the sum of its window; neighbours in a warp read the
same cache lines. As in `with_numba.py`, only few pixels need more; for these the thread reads the whole window and
decides in double precision. CuPy lists the strong pixels in order. One thread per strong pixel finds its four
preceding neighbours in the list by bisection and unites their trees.

Device memory in addition to the frames: the mask, and some 60 bytes per strong pixel.

`SOURCE` is plain CUDA C++. A test compiles it for sm_90 without a driver, and runs it on the host thread by thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import Resources

from .definition import FoundSpots

if TYPE_CHECKING:
    from .problem import Problem

THREADS = 128
BAND_ROWS = 64  # rows per thread; six more are read

SOURCE = r"""
typedef long long Index;
#define REACH 3
#define WINDOW 7
#define COUNTED_BELOW 16777216u
#define GENEROUS 0.99999f  // single precision is good to 1e-6 here

__device__ inline bool is_counted(int value, unsigned char masked)
{
    return !masked && (unsigned int) value < COUNTED_BELOW;
}

__device__ inline bool is_dispersed(
    const int* frame, const unsigned char* masked, int ny, int nx, int row, int column,
    double nsig_b, double nsig_s, int min_count)
{
    Index m = 0, x = 0, y = 0;
    for (int j = max(row - REACH, 0); j <= min(row + REACH, ny - 1); ++j)
        for (int i = max(column - REACH, 0); i <= min(column + REACH, nx - 1); ++i) {
            const Index at = (Index) j * nx + i;
            if (!is_counted(frame[at], masked[at])) continue;
            const Index value = frame[at];
            m += 1;
            x += value;
            y += value * value;
        }
    if (m < min_count) return false;
    const double m_ = m, x_ = x, y_ = y, value = frame[(Index) row * nx + column];
    // each product is rounded, as on a host: no multiplication is fused with an addition
    const double a = __dsub_rn(__dsub_rn(__dmul_rn(m_, y_), __dmul_rn(x_, x_)), __dmul_rn(x_, m_ - 1));
    const double b = __dsub_rn(__dmul_rn(m_, value), x_);
    return a > __dmul_rn(__dmul_rn(x_, nsig_b), sqrt(2 * (m_ - 1))) && b > __dmul_rn(nsig_s, sqrt(__dmul_rn(x_, m_)));
}

// One thread per column of a band: grid [columns / threads, bands, frames]. `strong` u8[frames, ny, nx].
extern "C" __global__ void mark_strong(
    const int* frames, const unsigned char* masked, int ny, int nx, int band_rows,
    int by_dispersion, double nsig_b, double nsig_s, int min_count, int threshold, unsigned char* strong)
{
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= nx) return;
    const int* frame = frames + (size_t) blockIdx.z * ny * nx;
    unsigned char* out = strong + (size_t) blockIdx.z * ny * nx;
    const int first = blockIdx.y * band_rows, last = min(first + band_rows, ny);
    if (!by_dispersion) {
        for (int row = first; row < last; ++row) {
            const Index at = (Index) row * nx + column;
            out[at] = !masked[at] && frame[at] >= 0 && frame[at] > threshold;
        }
        return;
    }
    int sums[WINDOW] = {0, 0, 0, 0, 0, 0, 0}, counts[WINDOW] = {0, 0, 0, 0, 0, 0, 0};
    int x = 0, m = 0;
    const float factor = (float) (nsig_s * nsig_s) * GENEROUS;
    const int left = max(column - REACH, 0), right = min(column + REACH, nx - 1);
    for (int base = first - REACH; base < last + REACH; base += WINDOW) {
        #pragma unroll
        for (int k = 0; k < WINDOW; ++k) {
            const int enters = base + k, row = enters - REACH;
            if (row >= last) break;
            x -= sums[k];
            m -= counts[k];
            sums[k] = counts[k] = 0;
            if (enters >= 0 && enters < ny)
                for (int i = left; i <= right; ++i) {
                    const Index at = (Index) enters * nx + i;
                    const int value = frame[at];
                    if (is_counted(value, masked[at])) {
                        sums[k] += value;
                        counts[k] += 1;
                    }
                }
            x += sums[k];
            m += counts[k];
            if (row < first) continue;
            const Index at = (Index) row * nx + column;
            const int value = frame[at];
            const float above = (float) ((Index) m * value - x);
            out[at] = above > 0.f && above * above > factor * (float) m * (float) x && value > threshold && !masked[at]
                && is_dispersed(frame, masked, ny, nx, row, column, nsig_b, nsig_s, min_count);
        }
    }
}

__device__ inline int find(const int* parent, int k)
{
    while (parent[k] != k) k = parent[k];
    return k;
}

__device__ inline void unite(int* parent, int one, int other)
{
    while (true) {
        one = find(parent, one);
        other = find(parent, other);
        if (one == other) return;
        const int low = min(one, other), high = max(one, other);
        const int was = atomicMin(parent + high, low);
        if (was == high) return;
        one = low;
        other = was;  // another thread has linked it meanwhile: unite with that pixel too
    }
}

// One thread per strong pixel; `pixels` are their indices in the block, ascending.
extern "C" __global__ void join_neighbours(const Index* pixels, int total, int ny, int nx, int* parent)
{
    const int k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= total) return;
    const Index pixel = pixels[k], row = pixel / nx % ny, column = pixel % nx;
    if (column > 0 && k > 0 && pixels[k - 1] == pixel - 1) unite(parent, k - 1, k);
    if (row == 0) return;
    const Index from = pixel - nx - (column > 0), to = pixel - nx + (column < nx - 1);
    int low = 0, high = k;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (pixels[middle] < from) low = middle + 1; else high = middle;
    }
    for (; pixels[low] <= to; ++low) unite(parent, low, k);
}

// `sums` [total, 4]: counts, counts times row, counts times column, pixels, where the root of a spot is.
extern "C" __global__ void sum_spots(
    const int* frames, const Index* pixels, int total, int ny, int nx, const int* parent, unsigned long long* sums)
{
    const int k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= total) return;
    const Index pixel = pixels[k], row = pixel / nx % ny, column = pixel % nx;
    const unsigned long long value = frames[pixel];
    unsigned long long* mine = sums + 4 * (size_t) find(parent, k);
    atomicAdd(mine, value);
    atomicAdd(mine + 1, value * row);
    atomicAdd(mine + 2, value * column);
    atomicAdd(mine + 3, 1ull);
}
"""


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], FoundSpots]:  # noqa: ARG001  (one device)
    """Return the function that finds the spots in a block of frames on the device; its result is on the device too."""
    import cupy

    module = cupy.RawModule(code=SOURCE)
    mark, link, add_up = (module.get_function(name) for name in ("mark_strong", "join_neighbours", "sum_spots"))
    masked = cupy.asarray(problem.mask.astype(np.uint8))
    criteria = problem.criteria
    limits = (
        np.int32(criteria.method == "dispersion"),
        np.float64(criteria.nsig_b),
        np.float64(criteria.nsig_s),
        np.int32(criteria.min_count),
        np.int32(criteria.threshold),
    )

    def compute(frames: Any) -> FoundSpots:
        count, ny, nx = frames.shape
        size = (np.int32(ny), np.int32(nx))
        mask = cupy.empty(frames.shape, cupy.uint8)
        grid = (-(-nx // THREADS), -(-ny // BAND_ROWS), count)
        mark(grid, (THREADS, 1, 1), (frames, masked, *size, np.int32(BAND_ROWS), *limits, mask))
        pixels = cupy.flatnonzero(mask)
        total = int(pixels.size)
        parent, sums = cupy.arange(total, dtype=cupy.int32), cupy.zeros((total, 4), cupy.uint64)
        if total:
            blocks = (-(-total // THREADS), 1, 1)
            link(blocks, (THREADS, 1, 1), (pixels, np.int32(total), *size, parent))
            add_up(blocks, (THREADS, 1, 1), (frames, pixels, np.int32(total), *size, parent, sums))
        # a root is the first pixel of its spot; only roots have sums
        kept = cupy.flatnonzero((sums[:, 3] >= criteria.min_pixels) & (sums[:, 3] <= criteria.max_pixels))
        whole, frame = sums[kept].astype(cupy.int64), pixels[kept] // (ny * nx)
        return FoundSpots(
            mask=mask,
            spots=cupy.bincount(frame, minlength=count).astype(cupy.int32),
            y=whole[:, 1] / whole[:, 0],
            x=whole[:, 2] / whole[:, 0],
            intensity=whole[:, 0],
            pixels=whole[:, 3].astype(cupy.int32),
        )

    return compute
