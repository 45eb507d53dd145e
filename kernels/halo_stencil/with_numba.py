"""The steps by compiled rows, eight cells at a time; threads share z.

If six planes per thread fit into the last-level cache, two steps are made in one pass over memory: planes of the first
step remain in the cache until the second step has used them. Else each step reads a cell from memory once and writes
it once with a non-temporal store: 16 bytes; three planes, or some of their rows, remain in the last-level cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from daasbench.authoring import Resources
from daasbench.compute.addresses import fence
from daasbench.compute.simd import aligned_zeros, compiled
from daasbench.host.machine import last_level_cache_bytes

from .box import CELL_BYTES, Box
from .with_llvm import number, update_row, update_row_kept

if TYPE_CHECKING:
    from .problem import F64, Problem

LEAST_CACHE_BYTES = 2**18  # bytes if the size of the last-level cache is unknown: half of a small second-level cache
LEAST_PLANES = 8  # per thread that makes two steps at once: it computes the first step of two additional planes


def prepare(problem: Problem, resources: Resources) -> Callable[[F64], F64]:
    """Return the function that advances a field by `steps` steps.

    The next call uses the memory of the result again.
    """
    use_threads(resources.threads)
    size, (own, neighbour) = problem.size, problem.weights
    box = Box(cells=(size, size, size))
    whole = np.array([0, size, 0, size])
    state = [box.empty() for _ in range(min(2, problem.steps))]
    padded, threads = box.pitch != size, resources.threads
    between, rows = _planes_between(box, threads), rows_together(box, threads)

    def compute(field: F64) -> F64:
        source = box.laid(field) if padded else field.reshape(-1)
        left, target = problem.steps, state[0]
        while left:
            if between is not None and left > 1:
                sweep_twice(target, source, between, box.shape, own, neighbour, threads)
                left -= 2
            else:
                sweep(target, source, box.around(source), box.shape, whole, own, neighbour, threads, rows)
                left -= 1
            source, target = target, state[-1] if target is state[0] else state[0]
        return box.view(source)

    return compute


def use_threads(threads: int) -> None:
    """Set the number of threads of compiled loops."""
    numba.set_num_threads(threads)


def rows_together(box: Box, threads: int) -> int:
    """Return how many rows of three planes each of `threads` threads may keep in the last-level cache.

    Fewer rows would fit into a faster cache, but then memory is read in shorter pieces, which is a quarter slower.
    """
    cache = max((last_level_cache_bytes() or 0) // (2 * threads), LEAST_CACHE_BYTES)
    return max(4, cache // (3 * CELL_BYTES * box.pitch))


def _planes_between(box: Box, threads: int) -> F64 | None:
    """Return f64[threads, 3 planes] for the planes between two steps; None if single steps are faster."""
    plane = box.cells[1] * box.pitch
    needed = 6 * CELL_BYTES * plane * threads  # three planes are read, three are between the steps
    if needed > (last_level_cache_bytes() or 0) / 2 or box.cells[0] < LEAST_PLANES * threads:
        return None
    made: F64 = aligned_zeros((threads, 3 * plane), np.float64)
    return made


@compiled(parallel=True)
def sweep(
    target: Any,
    source: Any,
    around: Any,
    shape: Any,
    part: Any,
    own: float,
    neighbour: float,
    threads: int,
    rows: int,
) -> None:
    """Make one step of the rows from z = ``part[0]`` to ``part[1]``, y = ``part[2]`` to ``part[3]``.

    `target` and `source` are flat blocks of `shape` (:attr:`.Box.shape`); `around` gives the cells beyond its
    faces (:meth:`.Box.around`), in memory that the caller keeps. `rows` of every plane are computed together.
    """
    deep, high, wide, pitch = shape
    first, last, bottom, top = part
    line, plane = 8 * pitch, 8 * pitch * high
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


@compiled(parallel=True)
def sweep_twice(target: Any, source: Any, between: Any, shape: Any, own: float, neighbour: float, threads: int) -> None:
    """Make two steps of a whole periodic block; `between` is f64[threads, 3 planes], aligned for each thread."""
    deep, high, wide, pitch = shape
    plane = 8 * pitch * high
    to, origin, first = target.ctypes.data, source.ctypes.data, between.ctypes.data
    for thread in numba.prange(threads):
        start, stop = deep * thread // threads, deep * (thread + 1) // threads
        kept = first + 3 * plane * thread
        for z in range(start - 1, stop + 1):
            below, here, above = (z - 1) % deep, z % deep, (z + 1) % deep
            step_plane(
                kept + z % 3 * plane, origin + below * plane, origin + here * plane, origin + above * plane,
                high, wide, pitch, own, neighbour, True,
            )  # fmt: skip
            if z > start:
                step_plane(
                    to + (z - 1) * plane, kept + (z - 2) % 3 * plane, kept + (z - 1) % 3 * plane, kept + z % 3 * plane,
                    high, wide, pitch, own, neighbour, False,
                )  # fmt: skip
        fence()


@compiled()
def step_plane(
    to: int,
    below: int,
    here: int,
    above: int,
    high: int,
    wide: int,
    pitch: int,
    own: float,
    neighbour: float,
    keep: bool,
) -> None:
    """Make one step of a plane that is periodic along y and x; planes are given by their addresses.

    `keep`: whether the result should remain in the cache.
    """
    line = 8 * pitch
    for y in range(high):
        row = y * line
        at = here + row
        back = at - line if y > 0 else here + (high - 1) * line
        front = at + line if y < high - 1 else here
        left, right = at + 8 * (wide - 1), at
        if keep:
            update_row_kept(to + row, at, back, front, below + row, above + row, wide, left, right, own, neighbour)
        else:
            update_row(to + row, at, back, front, below + row, above + row, wide, left, right, own, neighbour)


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
