"""Volumes by gathering on a CUDA device: without atomic additions, and with the same integers every time.

The pixels of the scan are sorted by voxel once. A thread then computes one voxel of four positions and adds its pixels;
neighbouring threads compute neighbouring voxels, whose pixels are neighbours on the detector. Sixteen positions are
processed at a time, which limits the memory. One thread computes one fit, in float64.

`SOURCE` is plain CUDA C++. A test compiles it for sm_90 without a driver, and runs it on the host thread by thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import Resources

from . import gaussian
from .grid import NOWHERE, Grid
from .results import Analysed, Fitted, Gridded

if TYPE_CHECKING:
    from .problem import Problem

BATCH = 16  # positions at a time
LANES = 4  # positions per thread
BLOCK = 128  # threads per block
FIT_BLOCK = 32

_CONSTANTS = f"""
#define MOST_STEPS {gaussian.MOST_STEPS}
#define FIRST_DAMPING {gaussian.FIRST_DAMPING}
#define LEAST_DAMPING {gaussian.LEAST_DAMPING}
#define MOST_DAMPING {gaussian.MOST_DAMPING}
#define DAMPING_FACTOR {gaussian.DAMPING_FACTOR}
#define CONVERGED {gaussian.CONVERGED}
#define SQRT_2_PI {gaussian.SQRT_2_PI!r}
"""
SOURCE = (
    _CONSTANTS
    + r"""
template <typename Count>
__device__ void gather(const Count *frames, const int *order, const int *starts, const int *voxels,
                       const int slots, const int positions, const long long pixels, const int all_voxels,
                       unsigned int *counts)
{
    const int slot = blockIdx.x * blockDim.x + threadIdx.x;
    if (slot >= slots) return;
    const int first = 4 * blockIdx.y, lanes = min(4, positions - first);
    const Count *scan = frames + first * pixels;
    const long long b = lanes > 1 ? pixels : 0, c = lanes > 2 ? 2 * pixels : 0, d = lanes > 3 ? 3 * pixels : 0;
    unsigned int sum[4] = {0, 0, 0, 0};
    for (int k = starts[slot]; k < starts[slot + 1]; ++k) {
        const int pixel = order[k];
        sum[0] += scan[pixel];
        sum[1] += scan[b + pixel];
        sum[2] += scan[c + pixel];
        sum[3] += scan[d + pixel];
    }
    for (int lane = 0; lane < lanes; ++lane) counts[(long long)(first + lane) * all_voxels + voxels[slot]] = sum[lane];
}

extern "C" __global__ void gather_u16(  // frames [positions, pixels], counts [positions, all_voxels], zeroed
    const unsigned short *frames, const int *order, const int *starts, const int *voxels,
    const int slots, const int positions, const long long pixels, const int all_voxels, unsigned int *counts)
{ gather(frames, order, starts, voxels, slots, positions, pixels, all_voxels, counts); }

extern "C" __global__ void gather_u32(
    const unsigned int *frames, const int *order, const int *starts, const int *voxels,
    const int slots, const int positions, const long long pixels, const int all_voxels, unsigned int *counts)
{ gather(frames, order, starts, voxels, slots, positions, pixels, all_voxels, counts); }

__device__ void normal_equations(const float *projection, const int bins, const double *at, double *sums)
{
    double squares = 0, m0 = 0, m1 = 0, m2 = 0, m3 = 0, m4 = 0, r0 = 0, r1 = 0, r2 = 0;
    for (int i = 0; i < bins; ++i) {
        const double u = (i - at[1]) / at[2], model = at[0] * exp(-0.5 * u * u), residual = projection[i] - model;
        const double weight = model * model, pull = model * residual;
        squares += residual * residual;
        m0 += weight; m1 += weight * u; m2 += weight * u * u; m3 += weight * u * u * u; m4 += weight * u * u * u * u;
        r0 += pull; r1 += pull * u; r2 += pull * u * u;
    }
    sums[0] = squares; sums[1] = m0; sums[2] = m1; sums[3] = m2; sums[4] = m3; sums[5] = m4;
    sums[6] = r0; sums[7] = r1; sums[8] = r2;
}

__device__ void solve(const double *sums, const double damping, double *step)
{
    const double a = sums[1] * (1 + damping), d = sums[3] * (1 + damping), f = sums[5] * (1 + damping);
    const double b = sums[2], c = sums[3], e = sums[4], r0 = sums[6], r1 = sums[7], r2 = sums[8];
    const double one = d * f - e * e, two = c * e - b * f, three = b * e - c * d;
    const double inverse = 1 / (a * one + b * two + c * three);
    step[0] = (one * r0 + two * r1 + three * r2) * inverse;
    step[1] = (two * r0 + (a * f - c * c) * r1 + (b * c - a * e) * r2) * inverse;
    step[2] = (three * r0 + (b * c - a * e) * r1 + (a * d - b * b) * r2) * inverse;
}

extern "C" __global__ void fit(
    const float *projections,  // [positions, all]: along qx, qy and qz
    const int positions, const int along_x, const int along_y, const int along_z,
    double *fitted)  // [positions, 3, 3]: height, centre, sigma in bins; unchanged if there is no Gaussian
{
    const int index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= 3 * positions) return;
    const int axis = index % 3, all = along_x + along_y + along_z;
    const int start = axis == 0 ? 0 : axis == 1 ? along_x : along_x + along_y;
    const int bins = axis == 0 ? along_x : axis == 1 ? along_y : along_z;
    const float *projection = projections + (long long)(index / 3) * all + start;
    double at[3] = {0, 0, 0}, tried[3], step[3], sums[9], found[9], area = 0, damping = FIRST_DAMPING;
    for (int i = 0; i < bins; ++i) {
        area += projection[i];
        if (projection[i] > at[0]) { at[0] = projection[i]; at[1] = i; }
    }
    if (bins < 3 || !(at[0] > 0)) return;
    at[2] = area * (bins - 1) / bins / (at[0] * SQRT_2_PI);
    normal_equations(projection, bins, at, sums);
    for (int round = 0; round < MOST_STEPS; ++round) {
        solve(sums, damping, step);
        const double longest = fmax(fabs(step[0]), fmax(fabs(step[1]), fabs(step[2])));
        if (!(isfinite(step[0]) && isfinite(step[1]) && isfinite(step[2]))) return;
        tried[0] = at[0] + step[0] * at[0]; tried[1] = at[1] + step[1] * at[2]; tried[2] = at[2] + step[2] * at[2];
        if (longest < CONVERGED && damping <= 1) {
            if (!(0 <= tried[1] && tried[1] <= bins - 1 && fabs(tried[2]) <= bins)) return;
            double *result = fitted + 3 * (long long)index;
            result[0] = tried[0]; result[1] = tried[1]; result[2] = fabs(tried[2]);
            return;
        }
        normal_equations(projection, bins, tried, found);
        if (found[0] <= sums[0]) {
            for (int i = 0; i < 3; ++i) at[i] = tried[i];
            for (int i = 0; i < 9; ++i) sums[i] = found[i];
            damping = fmax(damping / DAMPING_FACTOR, LEAST_DAMPING);
        } else {
            damping *= DAMPING_FACTOR;
            if (!(damping <= MOST_DAMPING)) return;
        }
    }
}
"""
)


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:  # noqa: ARG001  (one device)
    """Return the function of the problem's stage, of arrays on the device."""
    import cupy

    return stage_on(cupy, problem)


def stage_on(xp: Any, problem: Problem) -> Callable[[Any], Any]:
    """Return the function of the problem's stage with the array library `xp`, which has ``RawKernel``."""
    grid = problem.grid
    fit = xp.RawKernel(SOURCE, "fit")
    first, step = xp.asarray(grid.first), xp.asarray(grid.step)

    def gaussians(projections: Any) -> Any:
        positions = projections.shape[0]
        fitted = xp.full((positions, 3, 3), np.nan)
        sizes = (np.int32(bins) for bins in grid.shape)
        blocks = -(-3 * positions // FIT_BLOCK)
        fit((blocks, 1, 1), (FIT_BLOCK, 1, 1), (projections, np.int32(positions), *sizes, fitted))
        height, centre, sigma = fitted[..., 0], fitted[..., 1], fitted[..., 2]
        return xp.stack([height * sigma * gaussian.SQRT_2_PI * step, first + centre * step, sigma * step], axis=-1)

    if problem.stage == "fits":
        return lambda projections: Fitted(gaussians=gaussians(projections))
    volumes_of = _gatherer(xp, grid)
    hits = xp.asarray(np.maximum(grid.hits, 1).astype(np.float32).reshape(grid.shape))
    plane_hits = xp.asarray(np.maximum(grid.plane_hits(), 1))

    def gridding(frames: Any) -> Gridded:
        volumes = xp.empty((len(frames), *grid.shape), xp.float32)
        photons = xp.empty(len(frames), xp.int64)
        for start in range(0, len(frames), BATCH):
            counts = volumes_of(frames[start : start + BATCH])
            photons[start : start + BATCH] = counts.sum(axis=(1, 2, 3), dtype=xp.int64)
            volumes[start : start + BATCH] = counts.astype(xp.float32) / hits
        return Gridded(volumes=volumes, photons=photons)

    def everything(frames: Any) -> Analysed:
        photons, brightest = xp.empty(len(frames), xp.int64), xp.empty(len(frames), xp.float32)
        projections = xp.empty((len(frames), grid.bins), xp.float32)
        for start in range(0, len(frames), BATCH):
            counts = volumes_of(frames[start : start + BATCH])
            part = slice(start, start + len(counts))
            brightest[part] = (counts.astype(xp.float32) / hits).max(axis=(1, 2, 3))
            rows = counts.sum(axis=3, dtype=xp.int64)
            planes = xp.concatenate(
                [rows.sum(axis=2), rows.sum(axis=1), counts.sum(axis=(1, 2), dtype=xp.int64)], axis=1
            )
            photons[part] = planes[:, : grid.shape[0]].sum(axis=1)
            projections[part] = planes / plane_hits
        return Analysed(photons=photons, brightest=brightest, projections=projections, gaussians=gaussians(projections))

    return gridding if problem.stage == "gridding" else everything


def _gatherer(xp: Any, grid: Grid) -> Callable[[Any], Any]:
    """Return the function from frames to u32[positions, nx, ny, nz] photons."""
    voxels = np.flatnonzero(grid.hits)
    masked = int(np.count_nonzero(grid.voxel_of == NOWHERE))
    order = xp.asarray(np.argsort(grid.voxel_of, kind="stable")[masked:].astype(np.int32))
    starts = xp.asarray(np.concatenate([[0], np.cumsum(grid.hits[voxels])]).astype(np.int32))
    places = xp.asarray(voxels.astype(np.int32))
    kernels = {kind: xp.RawKernel(SOURCE, f"gather_{kind}") for kind in ("u16", "u32")}
    pixels = grid.voxel_of.size

    def gather(frames: Any) -> Any:
        positions = len(frames)
        counts = xp.zeros((positions, *grid.shape), xp.uint32)
        kernels["u16" if frames.dtype.itemsize == 2 else "u32"](
            (-(-voxels.size // BLOCK), -(-positions // LANES), 1),
            (BLOCK, 1, 1),
            (
                frames,
                order,
                starts,
                places,
                np.int32(voxels.size),
                np.int32(positions),
                np.int64(pixels),
                np.int32(grid.voxels),
                counts,
            ),
        )
        return counts

    return gather
