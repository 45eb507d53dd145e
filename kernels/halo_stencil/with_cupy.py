"""The steps on one GPU: a thread computes a column along z, and keeps the cells below and above in registers.

`SOURCE` is plain CUDA C++. A test compiles it for sm_90 without a driver, and runs it on the host thread by thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import Resources

if TYPE_CHECKING:
    from .problem import Problem

BLOCK = (32, 8)  # threads: along x and y
DEPTH = 32  # cells along z per thread: few enough that there are threads for a large GPU

SOURCE = r"""
extern "C" __global__ void step_field(
    const double *field, double *next, const int size, const int depth, const double own, const double neighbour)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= size || y >= size) return;
    const int first = blockIdx.z * depth, last = min(size, first + depth);
    const long long plane = (long long)size * size, at = (long long)y * size + x;
    const long long left = (long long)y * size + (x ? x - 1 : size - 1);
    const long long right = (long long)y * size + (x < size - 1 ? x + 1 : 0);
    const long long back = (long long)(y ? y - 1 : size - 1) * size + x;
    const long long front = (long long)(y < size - 1 ? y + 1 : 0) * size + x;
    double below = field[(first ? first - 1 : size - 1) * plane + at], cell = field[first * plane + at];
    for (int z = first; z < last; ++z) {
        const double *here = field + z * plane;
        const double above = field[(z < size - 1 ? z + 1 : 0) * plane + at];
        const double around = here[left] + here[right] + here[back] + here[front] + below + above;
        next[z * plane + at] = around * neighbour + own * cell;
        below = cell;
        cell = above;
    }
}
"""


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:  # noqa: ARG001  (one device)
    """Return the function that advances a field on the device by `steps` steps.

    The next call uses the memory of the result again.
    """
    import cupy

    kernel = cupy.RawKernel(SOURCE, "step_field")
    size = problem.size
    state = [cupy.empty((size,) * 3, np.float64) for _ in range(min(2, problem.steps))]
    grid = (-(-size // BLOCK[0]), -(-size // BLOCK[1]), -(-size // DEPTH))
    weights = [np.float64(weight) for weight in problem.weights]

    def compute(field: Any) -> Any:
        for step in range(problem.steps):
            target = state[step % 2]
            kernel(grid, (*BLOCK, 1), (field, target, np.int32(size), np.int32(DEPTH), *weights))
            field = target
        return field

    return compute
