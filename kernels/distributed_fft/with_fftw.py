"""Transforms by FFTW, planned by measuring; on one node each thread transforms a plane, then a row of lines, at a time.

The wheels of pyFFTW contain FFTW, which is licensed under the GPL: only this module imports it, and only if a user has
installed it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pyfftw

from daasbench.authoring import Resources

from .slabs import aligned_empty

if TYPE_CHECKING:
    from .problem import Complex, Problem

_MALLOC_ALIGNMENT = 16  # the minimum of numpy's arrays, which is sufficient for the vector code of FFTW


def prepare(problem: Problem, resources: Resources) -> Callable[[Complex], Any]:
    """Return the function that transforms a field into its spectrum, complex[kz, ky, kx].

    The next call uses the memory of the spectrum again.
    """
    size, dtype = problem.size, problem.blocks[0].dtype
    slabs = FftwSlabs(size, dtype, size, resources.threads)
    spectrum = aligned_empty((size,) * 3, dtype)

    def compute(field: Complex) -> Any:
        slabs.planes(field, spectrum)
        slabs.lines(spectrum)
        return spectrum

    return compute


class FftwSlabs:
    """The transforms of one rank.

    Parameters
    ----------
    size, dtype
        Size and type of the field.
    rows
        Number of rows of each plane that this rank transforms along the lines.
    threads
        Number of threads; each has its own plans.
    """

    def __init__(self, size: int, dtype: Any, rows: int, threads: int) -> None:
        self._planes = [_plane_plan(size, dtype) for _ in range(threads)]
        self._lines = [_line_plan(size, dtype, rows) for _ in range(threads if rows else 0)]
        self._threads = ThreadPoolExecutor(threads) if threads > 1 else None

    def plane(self, source: Complex, target: Complex) -> None:
        """See :class:`.slabs.Slabs`; one thread."""
        _execute(self._planes[0], source, target)

    def planes(self, source: Complex, target: Complex) -> None:
        """Transform every plane of complex[planes, size, size], shared between the threads."""

        def task(thread: int) -> None:
            for z in range(thread, len(source), len(self._planes)):
                _execute(self._planes[thread], source[z], target[z])

        self._together(task, len(self._planes))

    def lines(self, block: Complex) -> None:
        """See :class:`.slabs.Slabs`; rows are shared between the threads."""

        def task(thread: int) -> None:
            for row in range(thread, block.shape[1], len(self._lines)):
                line = block[:, row]
                _execute(self._lines[thread], line, line)

        self._together(task, len(self._lines))

    def _together(self, task: Callable[[int], None], threads: int) -> None:
        if self._threads is None or threads < 2:
            for thread in range(threads):
                task(thread)
            return
        done: Iterator[None] = self._threads.map(task, range(threads))
        for _ in done:  # raises the exception of a task
            pass


def _execute(plan: Any, source: Complex, target: Complex) -> None:
    plan.update_arrays(source, target)
    plan.execute()


def _plane_plan(size: int, dtype: Any) -> Any:
    source, target = (_planning_memory((size, size), dtype) for _ in range(2))
    return pyfftw.FFTW(source, target, axes=(0, 1), flags=("FFTW_MEASURE",))


def _line_plan(size: int, dtype: Any, rows: int) -> Any:
    across = _planning_memory((size, rows, size), dtype)[:, 0]
    return pyfftw.FFTW(across, across, axes=(0,), flags=("FFTW_MEASURE",))


def _planning_memory(shape: tuple[int, ...], dtype: Any) -> Complex:
    """Return zeros with the smallest alignment of any plane or row: a plan refuses arrays with a smaller alignment."""
    itemsize = np.dtype(dtype).itemsize
    offset = _MALLOC_ALIGNMENT if shape[-1] * itemsize % _MALLOC_ALIGNMENT == 0 else itemsize
    raw = aligned_empty((int(np.prod(shape)) + offset // itemsize,), dtype)
    made: Complex = raw[offset // itemsize :].reshape(shape)
    made[...] = 0
    return made
