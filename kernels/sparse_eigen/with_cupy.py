"""On a CUDA device: one thread per state, which gathers over all bonds; the reads for high bits are coalesced.

CuPy computes the sums over the vector. The coefficients stay on the device until the run has ended, so that no step
waits for the host. `SOURCE` is plain CUDA C++. A test compiles it for sm_90 without a driver, and runs it on the
host thread by thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

from .definition import coefficients

if TYPE_CHECKING:
    from .problem import Problem

THREADS = 256

SOURCE = r"""
// squares: [0] start . start, then the square of the length of each vector that follows.
// out = H v / |v| - (|v| / |before|) before, where before is not normalised either; step 0 has no before.
extern "C" __global__ void ring_product(
    double *out, const double *vector, const double *before, const double *squares,
    const int step, const int length)
{
    const unsigned long long states = 1ull << length;
    const unsigned long long state = blockIdx.x * (unsigned long long)blockDim.x + threadIdx.x;
    if (state >= states) return;
    const double scale = 1.0 / sqrt(squares[step]);
    const double mine = vector[state];
    double sum = 0.5 * length * mine;
    for (int site = 0; site + 1 < length; ++site)
        if ((state >> site ^ state >> (site + 1)) & 1ull) sum += vector[state ^ (3ull << site)] - mine;
    if ((state ^ state >> (length - 1)) & 1ull) sum += vector[state ^ (1ull | states >> 1)] - mine;
    double value = 0.5 * scale * sum;
    if (step) value -= sqrt(squares[step]) / sqrt(squares[step - 1]) * before[state];
    out[state] = value;
}

// products: vector . out of each step; alpha = products / |v|
extern "C" __global__ void subtract(
    double *out, const double *vector, const double *products, const double *squares,
    const int step, const int length)
{
    const unsigned long long state = blockIdx.x * (unsigned long long)blockDim.x + threadIdx.x;
    if (state >= 1ull << length) return;
    out[state] -= products[step] / squares[step] * vector[state];
}
"""


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], dict[str, NDArray[np.float64]]]:  # noqa: ARG001
    """Return the function that runs `steps` Lanczos steps from a state on the device."""
    import cupy

    ring_product = cupy.RawKernel(SOURCE, "ring_product")
    subtract = cupy.RawKernel(SOURCE, "subtract")
    length, steps = problem.length, problem.steps
    grid = (-(-(2**length) // THREADS),)
    spare = cupy.empty(2**length, cupy.float64), cupy.empty(2**length, cupy.float64)

    def compute(start: Any) -> dict[str, NDArray[np.float64]]:
        products, squares = (cupy.empty(steps, cupy.float64) for _ in range(2))
        vector, before, (out, other) = start, start, spare
        squares[0] = cupy.dot(start, start)
        for step in range(steps):
            numbers = (np.int32(step), np.int32(length))
            ring_product(grid, (THREADS,), (out, vector, before, squares, *numbers))
            products[step] = cupy.dot(vector, out)
            if step == steps - 1:
                break
            subtract(grid, (THREADS,), (out, vector, products, squares, *numbers))
            squares[step + 1] = cupy.dot(out, out)
            before, vector = vector, out
            out = other if step == 0 else before
        scalars, lengths = cupy.asnumpy(products), np.sqrt(cupy.asnumpy(squares))
        return coefficients((scalars / lengths).tolist(), lengths[1:].tolist())

    return compute
