"""Transforms by scipy (pocketfft) on all threads, which needs no further package."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import scipy.fft

from daasbench.authoring import Resources

if TYPE_CHECKING:
    from .problem import Complex, Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[Complex], Any]:  # noqa: ARG001  (of the contract)
    """Return the function that transforms a field into its spectrum, complex[kz, ky, kx]."""
    return lambda field: scipy.fft.fftn(field, workers=resources.threads)


class ScipySlabs:
    """The transforms of one rank."""

    def __init__(self, size: int, dtype: Any, rows: int, threads: int) -> None:  # noqa: ARG002  (what plans need)
        self._threads = threads

    def plane(self, source: Complex, target: Complex) -> None:
        """See :class:`.slabs.Slabs`."""
        target[...] = scipy.fft.fft2(source, workers=self._threads)

    def lines(self, block: Complex) -> None:
        """See :class:`.slabs.Slabs`."""
        for row in range(block.shape[1]):  # row by row: the temporary of one row fits into the cache
            block[:, row] = scipy.fft.fft(block[:, row], axis=0, workers=self._threads)
