"""The steps by compiled rows of eight cells at a time: three planes of a few rows stay in the cache, threads share z.

Each step reads a cell from memory once and writes it once, past the cache: 16 bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from daasbench.contracts import Resources
from daasbench.simd import compiled

from .box import Box
from .with_llvm import fence, number, update_row

if TYPE_CHECKING:
    from .problem import F64, Problem

CACHE_BYTES = 2**18  # of three planes of the rows that are worked on together: half of a small second-level cache


def prepare(problem: Problem, resources: Resources) -> Callable[[F64], F64]:
    """Return the function that turns a field into the one `steps` steps later.

    The result lies in memory that the next call uses again.
    """
    numba.set_num_threads(resources.threads)
    size, (own, neighbour) = problem.size, problem.weights
    box = Box(cells=(size, size, size))
    whole = np.array([0, size, 0, size])
    state = [box.empty() for _ in range(min(2, problem.steps))]
    padded = box.pitch != size

    def compute(field: F64) -> F64:
        source = box.laid(field) if padded else field.reshape(-1)
        for step in range(problem.steps):
            target = state[step % 2]
            sweep(target, source, box.around(source), box.shape, whole, own, neighbour, resources.threads)
            source = target
        return box.view(source)

    return compute


@compiled(parallel=True)
def sweep(
    target: Any, source: Any, around: Any, shape: Any, part: Any, own: float, neighbour: float, threads: int
) -> None:
    """Make one step of the rows from z = ``part[0]`` to ``part[1]``, y = ``part[2]`` to ``part[3]``.

    `target` and `source` are flat blocks of `shape` (:attr:`.Box.shape`); `around` is where the cells beyond its
    faces are (:meth:`.Box.around`): memory that the caller keeps.
    """
    deep, high, wide, pitch = shape
    first, last, bottom, top = part
    line, plane = 8 * pitch, 8 * pitch * high
    rows = max(4, CACHE_BYTES // (3 * line))
    to, origin = target.ctypes.data, source.ctypes.data
    for thread in numba.prange(threads):
        start = first + (last - first) * thread // threads
        stop = first + (last - first) * (thread + 1) // threads
        for y0 in range(bottom, top, rows):
            for z in range(start, stop):
                for y in range(y0, min(y0 + rows, top)):
                    row = z * high + y
                    at = origin + row * line
                    back = at - line if y > 0 else around[2, 0] + z * around[2, 1]
                    front = at + line if y < high - 1 else around[3, 0] + z * around[3, 1]
                    below = at - plane if z > 0 else around[0, 0] + y * around[0, 1]
                    above = at + plane if z < deep - 1 else around[1, 0] + y * around[1, 1]
                    left, right = around[4, 0] + row * around[4, 1], around[5, 0] + row * around[5, 1]
                    update_row(to + row * line, at, back, front, below, above, wide, left, right, own, neighbour)
        fence()


@compiled()
def sweep_ends(target: Any, source: Any, around: Any, shape: Any, part: Any, own: float, neighbour: float) -> None:
    """Compute the first and the last cell of each row of a part again: see :func:`sweep`."""
    deep, high, wide, pitch = shape
    for z in range(part[0], part[1]):
        for y in range(part[2], part[3]):
            row = z * high + y
            back = source.ctypes.data + 8 * (row - 1) * pitch if y > 0 else around[2, 0] + z * around[2, 1]
            front = source.ctypes.data + 8 * (row + 1) * pitch if y < high - 1 else around[3, 0] + z * around[3, 1]
            below = source.ctypes.data + 8 * (row - high) * pitch if z > 0 else around[0, 0] + y * around[0, 1]
            above = source.ctypes.data + 8 * (row + high) * pitch if z < deep - 1 else around[1, 0] + y * around[1, 1]
            for x in (0, wide - 1):
                at = row * pitch + x
                left = source[at - 1] if x > 0 else number(around[4, 0] + row * around[4, 1])
                right = source[at + 1] if x < wide - 1 else number(around[5, 0] + row * around[5, 1])
                total = left + right
                for beside in (back, front, below, above):
                    total += number(beside + 8 * x)
                target[at] = total * neighbour + own * source[at]
