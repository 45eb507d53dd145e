"""On a CUDA device: matrix products by cuBLAS, SNIP in shared memory, coordinate descent in registers.

In SNIP a block of threads computes a spectrum: each pass reads one copy in shared memory and writes the other. In NNLS
a thread computes a pixel: its solution and its products stay in registers, the common matrix in shared memory. Some
thousands of spectra are computed at a time, which bounds the memory.

`SOURCE` is plain CUDA C++. A test compiles it for sm_90 without a driver, and runs it on the host with threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]

SPECTRA = 16_384  # at a time: 128 MiB of 2048 channels
SNIP_THREADS, NNLS_THREADS = 256, 128
SWEEPS, ACCURACY = 5000, 2e-7  # of coordinate descent; relative to the largest area of a pixel

SOURCE = r"""
// Subtracts the SNIP background from f32[pixels, channels]; one block per pixel. Shared: 2 * channels floats.
extern "C" __global__ void subtract_background(float* spectra, const int channels, const int width)
{
    extern __shared__ float memory[];
    float* before = memory;
    float* after = memory + channels;
    float* spectrum = spectra + (size_t) blockIdx.x * channels;
    for (int c = threadIdx.x; c < channels; c += blockDim.x) before[c] = spectrum[c];
    __syncthreads();
    for (int p = width; p > 0; p--) {
        for (int c = threadIdx.x; c < channels; c += blockDim.x) {
            float value = before[c];
            if (c >= p && c < channels - p) value = fminf(value, 0.5f * (before[c - p] + before[c + p]));
            after[c] = value;
        }
        __syncthreads();
        float* other = before;
        before = after;
        after = other;
    }
    for (int c = threadIdx.x; c < channels; c += blockDim.x) spectrum[c] -= before[c];
}

// Non-negative least squares. `start` and `products` are f32[pixels, 2 * COMPONENTS], side by side; one thread per
// pixel. Shared: COMPONENTS * COMPONENTS floats.
extern "C" __global__ void descend(
    const float* start_and_products, const float* gram, const float* norms, const int pixels, const int sweeps,
    const float accuracy, float* areas)
{
    extern __shared__ float memory[];
    for (int i = threadIdx.x; i < COMPONENTS * COMPONENTS; i += blockDim.x) memory[i] = gram[i];
    __syncthreads();
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= pixels) return;
    const float* mine = start_and_products + (size_t) pixel * 2 * COMPONENTS;
    float x[COMPONENTS], products[COMPONENTS], largest = 0.f;
#pragma unroll
    for (int k = 0; k < COMPONENTS; k++) {
        x[k] = fmaxf(mine[k], 0.f);
        products[k] = mine[COMPONENTS + k];
        largest = fmaxf(largest, x[k]);
    }
    for (int sweep = 0; sweep < sweeps; sweep++) {
        float furthest = 0.f;
#pragma unroll
        for (int k = 0; k < COMPONENTS; k++) {
            float slope = products[k];
#pragma unroll
            for (int j = 0; j < COMPONENTS; j++) slope -= memory[k * COMPONENTS + j] * x[j];
            const float moved = fmaxf(x[k] + slope, 0.f);
            furthest = fmaxf(furthest, fabsf(moved - x[k]));
            x[k] = moved;
        }
        if (!(furthest > accuracy * largest)) break;
    }
#pragma unroll
    for (int k = 0; k < COMPONENTS; k++) areas[(size_t) pixel * COMPONENTS + k] = x[k] / norms[k];
}
"""


def options_for(components: int) -> tuple[str, ...]:
    """Return the compiler's options for this number of components."""
    return (f"-DCOMPONENTS={components}",)


SOURCE_OPTIONS = (options_for(21),)  # of the model of generated spectra


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:  # noqa: ARG001  (one device)
    """Return the function that turns spectra on the device into areas on the device."""
    import cupy

    model = problem.model
    components = len(model.names)
    fit = _fit_of(cupy, problem, cupy.RawModule(code=SOURCE, options=options_for(components)))

    def compute(spectra: Any) -> Any:
        areas = cupy.empty((spectra.shape[0], components), cupy.float32)
        for first in range(0, spectra.shape[0], SPECTRA):
            chunk = slice(first, first + SPECTRA)
            areas[chunk] = fit(spectra[chunk, model.first : model.last].astype(cupy.float32))
        return areas

    return compute


def _fit_of(cupy: Any, problem: Problem, module: Any) -> Callable[[Any], Any]:
    """Return the function that fits f32[pixels, channels]."""
    model = problem.model
    components, channels = len(model.names), model.last - model.first
    pseudo_inverse = cupy.asarray(np.ascontiguousarray(model.pseudo_inverse.T, np.float32))
    if problem.method == "linear":
        return lambda counts: counts @ pseudo_inverse
    if problem.method == "snip":
        subtract = module.get_function("subtract_background")
        subtract.max_dynamic_shared_size_bytes = 8 * channels

        def without_background(counts: Any) -> Any:
            arguments = (counts, np.int32(channels), np.int32(problem.snip_width))
            subtract((counts.shape[0],), (SNIP_THREADS,), arguments, shared_mem=8 * channels)
            return counts @ pseudo_inverse

        return without_background
    descend = module.get_function("descend")
    both = cupy.asarray(
        np.vstack([model.pseudo_inverse * model.norms[:, None], (model.matrix / model.norms).T]).T.astype(np.float32)
    )
    gram, norms = (cupy.asarray(np.ascontiguousarray(table, np.float32)) for table in (model.gram, model.norms))

    def non_negative(counts: Any) -> Any:
        pixels = counts.shape[0]
        areas = cupy.empty((pixels, components), cupy.float32)
        arguments = (counts @ both, gram, norms, np.int32(pixels), np.int32(SWEEPS), np.float32(ACCURACY), areas)
        blocks = -(-pixels // NNLS_THREADS)
        descend((blocks,), (NNLS_THREADS,), arguments, shared_mem=4 * components**2)
        return areas

    return non_negative
