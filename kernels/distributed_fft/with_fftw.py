"""FFTW's transforms, planned by measuring; on one node a plane, then a row of lines, at a time in every thread.

pyFFTW's wheels carry FFTW, which is licensed under the GPL: it is imported here only, and only where a user has
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

_MALLOC_ALIGNMENT = 16  # what numpy's arrays have at least, and all that FFTW's vector code asks for


def prepare(problem: Problem, resources: Resources) -> Callable[[Complex], Any]:
    """Return the function that turns a field into its spectrum, complex[kz, ky, kx].

    The spectrum lies in memory that the next call uses again.
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
    """The transforms that a rank does alone.

    Parameters
    ----------
    size, dtype
        Of the field.
    rows
        How many rows of each plane this rank transforms along the lines.
    threads
        Each has plans of its own.
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
        for _ in done:  # raises what one of them raised
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
    """Return zeros aligned as the worst plane or row will be: a plan takes none that are aligned less."""
    itemsize = np.dtype(dtype).itemsize
    offset = _MALLOC_ALIGNMENT if shape[-1] * itemsize % _MALLOC_ALIGNMENT == 0 else itemsize
    raw = aligned_empty((int(np.prod(shape)) + offset // itemsize,), dtype)
    made: Complex = raw[offset // itemsize :].reshape(shape)
    made[...] = 0
    return made
