"""Alignment and summation with the transforms of FFTW, one frame at a time in every thread (`streamed.py`).

The wheels of pyFFTW contain FFTW, which is licensed under the GPL: only this module imports it, and only if a user has
installed it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pyfftw
from numpy.typing import NDArray

from daasbench.authoring import Resources

from . import streamed
from .definition import Aligned, Grid

if TYPE_CHECKING:
    from .problem import Frames, Problem

F32 = NDArray[np.float32]
C64 = NDArray[np.complex64]


def prepare(problem: Problem, resources: Resources) -> Callable[[Frames], Aligned]:
    """Return the function that aligns a block of movies; plans are measured once."""
    return streamed.prepare_with(problem, resources, _Fftw)


class _Fftw:
    """Plans for frames of one shape, and their memory: a frame in float32 and its spectrum."""

    def __init__(self, grid: Grid) -> None:
        rows, columns = grid.frame
        self._image: F32 = pyfftw.empty_aligned((rows, columns), np.float32)
        self._spectrum: C64 = pyfftw.empty_aligned((rows, columns // 2 + 1), np.complex64)
        self._low = self._spectrum[:, : grid.columns // 2 + 1]
        self._rows = _plan(self._image, self._spectrum, (1,))
        self._columns = _plan(self._low, self._low, (0,))
        self._both = _plan(self._image, self._spectrum, (0, 1))
        self._inverse = _plan(self._spectrum, self._image, (0, 1), "FFTW_BACKWARD")

    def band(self, frame: Frames) -> C64:
        """See :class:`~.streamed.Transforms`."""
        self._image[:] = frame
        self._rows.execute()
        self._columns.execute()
        low: C64 = self._low
        return low

    def whole(self, frame: Frames) -> C64:
        """See :class:`~.streamed.Transforms`."""
        self._image[:] = frame
        self._both.execute()
        return self._spectrum

    def back(self, spectrum: C64) -> F32:
        """See :class:`~.streamed.Transforms`."""
        self._spectrum[:] = spectrum
        self._inverse.execute()
        self._image /= self._image.size
        return self._image


def _plan(
    source: NDArray[np.generic], target: NDArray[np.generic], axes: tuple[int, ...], direction: str = "FFTW_FORWARD"
) -> pyfftw.FFTW:
    return pyfftw.FFTW(source, target, axes, direction, ("FFTW_MEASURE", "FFTW_DESTROY_INPUT"), threads=1)
