"""CUDA through CuPy: the loops of `with_numba.py` with one histogram per block of threads, in shared memory.

Many threads can add to shared memory at once, so there are no lanes; at the end, blocks add their histogram to that
of the frame in device memory. If the bins do not fit into shared memory, every addition goes to device memory.
Device memory besides the block of frames: the map (6 bytes per pixel), the list of wide pixels, the sums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from daasbench.authoring import Resources

from .integrated import Integrated
from .pixels import TwoBins

if TYPE_CHECKING:
    from .problem import Problem

THREADS = 512
BLOCKS_A_FRAME = 32
SHARED_BYTES = 48 * 1024  # bytes of shared memory that every device gives a block of threads without a request
ALMOST_ALL = 1e-9  # a bin with less than this share of its norm has lost all its pixels

SOURCE = r"""
#ifdef INTEGER
typedef unsigned int Value;
typedef unsigned long long Sum;
__device__ inline bool no_data(Value value) { return value == 4294967295u; }
#else
typedef float Value;
typedef double Sum;
__device__ inline bool no_data(Value value) { return value != value; }
#endif

// One row of the grid per frame. `sums` [frames, bins], `lost` [frames, bins].
extern "C" __global__ void sum_unsplit(
    const Value* frames, const unsigned short* first, const double* solid_angle,
    int pixels, int bins, int shared, Sum* sums, double* lost)
{
    extern __shared__ double memory[];
    const Value* values = frames + (size_t) blockIdx.y * pixels;
    Sum* frame_sums = sums + (size_t) blockIdx.y * bins;
    Sum* histogram = shared ? (Sum*) memory : frame_sums;
    if (shared)
        for (int k = threadIdx.x; k < bins; k += blockDim.x) histogram[k] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < pixels; i += gridDim.x * blockDim.x) {
        int b = first[i];
        if (b == bins) continue;
        Value value = values[i];
        if (no_data(value)) atomicAdd(lost + (size_t) blockIdx.y * bins + b, solid_angle[i]);
        else atomicAdd(histogram + b, (Sum) value);
    }
    __syncthreads();
    if (shared)
        for (int k = threadIdx.x; k < bins; k += blockDim.x)
            if (histogram[k] != 0) atomicAdd(frame_sums + k, histogram[k]);
}

// `sums` [frames, bins, 3]: n, w n, w² n by first bin. `lost` [frames, bins + 1].
extern "C" __global__ void sum_split(
    const Value* frames, const unsigned short* first, const float* weights, const double* solid_angle,
    int pixels, int bins, int shared, double* sums, double* lost)
{
    extern __shared__ double memory[];
    const Value* values = frames + (size_t) blockIdx.y * pixels;
    double* frame_sums = sums + (size_t) blockIdx.y * bins * 3;
    double* frame_lost = lost + (size_t) blockIdx.y * (bins + 1);
    double* histogram = shared ? memory : frame_sums;
    if (shared)
        for (int k = threadIdx.x; k < 3 * bins; k += blockDim.x) histogram[k] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < pixels; i += gridDim.x * blockDim.x) {
        int b = first[i];
        if (b == bins) continue;
        Value value = values[i];
        double weight = weights[i];
        if (no_data(value)) {
            atomicAdd(frame_lost + b, weight * solid_angle[i]);
            atomicAdd(frame_lost + b + 1, (1.0 - weight) * solid_angle[i]);
        } else {
            atomicAdd(histogram + 3 * b, (double) value);
            atomicAdd(histogram + 3 * b + 1, weight * value);
            atomicAdd(histogram + 3 * b + 2, weight * weight * value);
        }
    }
    __syncthreads();
    if (shared)
        for (int k = threadIdx.x; k < 3 * bins; k += blockDim.x)
            if (histogram[k] != 0) atomicAdd(frame_sums + k, histogram[k]);
}

// The pixels that overlap more than two bins. `signal`, `variance` [frames, bins], `lost` [frames, bins + 1].
extern "C" __global__ void sum_wide(
    const Value* frames, const unsigned int* pixel, const unsigned short* first, const long long* begin,
    const float* shares, const double* solid_angle, int wide, int pixels, int bins,
    double* signal, double* variance, double* lost)
{
    const Value* values = frames + (size_t) blockIdx.y * pixels;
    size_t row = (size_t) blockIdx.y * bins;
    for (int k = blockIdx.x * blockDim.x + threadIdx.x; k < wide; k += gridDim.x * blockDim.x) {
        Value value = values[pixel[k]];
        int b = first[k];
        for (long long j = begin[k]; j < begin[k + 1]; j++, b++) {
            double share = shares[j];
            if (no_data(value)) {
                atomicAdd(lost + row + blockIdx.y + b, share * solid_angle[pixel[k]]);
            } else {
                atomicAdd(signal + row + b, share * value);
                atomicAdd(variance + row + b, share * share * value);
            }
        }
    }
}
"""


def options_for(integer: bool) -> tuple[str, ...]:
    """Return the compiler's options for integer or floating-point frames."""
    return ("-DINTEGER",) if integer else ()


SOURCE_OPTIONS = (options_for(True), options_for(False))  # all options with which the source is compiled


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Integrated]:  # noqa: ARG001  (one GPU)
    """Return ``compute(frames)`` of frames in device memory; its results are in device memory too."""
    import cupy

    integer = problem.blocks[0].dtype.kind == "u"
    module = cupy.RawModule(code=SOURCE, options=options_for(integer))
    solid_angle = cupy.asarray(problem.solid_angle.ravel())
    full_norm = cupy.asarray(problem.pixel_bins.norm(problem.solid_angle.ravel()))
    add_up = (_split_sums if problem.mode == "split" else _unsplit_sums)(cupy, module, problem, solid_angle, integer)

    def compute(frames: Any) -> Integrated:
        signal, variance, lost = add_up(frames)
        norm = full_norm - lost
        norm = cupy.where(norm > ALMOST_ALL * full_norm, norm, 0.0)
        return Integrated.from_sums(cupy, signal, variance, norm)

    return compute


def _unsplit_sums(cupy: Any, module: Any, problem: Problem, solid_angle: Any, integer: bool) -> Callable[[Any], Any]:
    bins, pixels = problem.pixel_bins.bins, problem.mask.size
    first = cupy.asarray(problem.pixel_bins.first)
    kernel = module.get_function("sum_unsplit")
    shared = bins * 8 <= SHARED_BYTES

    def add_up(frames: Any) -> tuple[Any, Any, Any]:
        sums = cupy.zeros((len(frames), bins), cupy.uint64 if integer else cupy.float64)
        lost = cupy.zeros((len(frames), bins))
        arguments = (frames, first, solid_angle, cupy.int32(pixels), cupy.int32(bins), cupy.int32(shared), sums, lost)
        kernel((BLOCKS_A_FRAME, len(frames)), (THREADS,), arguments, shared_mem=bins * 8 if shared else 0)
        return sums, sums, lost

    return add_up


def _split_sums(cupy: Any, module: Any, problem: Problem, solid_angle: Any, integer: bool) -> Callable[[Any], Any]:  # noqa: ARG001  (as its sibling)
    bins, pixels = cupy.int32(problem.pixel_bins.bins), cupy.int32(problem.mask.size)
    two = TwoBins.of(problem.pixel_bins)
    first, weight = cupy.asarray(two.first), cupy.asarray(two.weight)
    wide = [cupy.asarray(each) for each in (two.wide_pixel, two.wide_first, two.wide_begin, two.wide_share)]
    wide_pixels = cupy.int32(two.wide_pixel.size)
    narrow_kernel, wide_kernel = module.get_function("sum_split"), module.get_function("sum_wide")
    shared_bytes = 24 * int(bins) if 24 * int(bins) <= SHARED_BYTES else 0

    def add_up(frames: Any) -> tuple[Any, Any, Any]:
        shape, grid = (len(frames), int(bins)), (BLOCKS_A_FRAME, len(frames))
        sums, lost = cupy.zeros((*shape, 3)), cupy.zeros((shape[0], shape[1] + 1))
        signal, variance = cupy.zeros(shape), cupy.zeros(shape)
        shared = cupy.int32(shared_bytes > 0)
        narrow = (frames, first, weight, solid_angle, pixels, bins, shared, sums, lost)
        narrow_kernel(grid, (THREADS,), narrow, shared_mem=shared_bytes)
        if wide_pixels:
            arguments = (frames, *wide, solid_angle, wide_pixels, pixels, bins, signal, variance, lost)
            wide_kernel(grid, (THREADS,), arguments)
        a, b, c = sums[..., 0], sums[..., 1], sums[..., 2]
        signal += b
        signal[:, 1:] += (a - b)[:, :-1]
        variance += c
        variance[:, 1:] += (a - 2 * b + c)[:, :-1]
        return signal, cupy.maximum(variance, 0.0), lost[:, :-1]

    return add_up
