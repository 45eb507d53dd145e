"""Result arrays whose memory is used again once nobody holds them, as a pipeline keeps its buffers.

The pages of a fresh array are cleared by the system when they are first touched, which takes longer than the
unpacking: 9 against 20 GB/s were measured on two cores. Whoever reads one series of frames after another keeps the
memory; here every way and every peer that can be told where to write does.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MINE = 3  # references to an array that nobody else holds: the list's, the loop's, the argument's


class Recycled:
    """Arrays of any content, the first whose last user is gone, or a new one."""

    def __init__(self) -> None:
        self._arrays: list[NDArray[Any]] = []

    def array(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Return a C-contiguous array that nobody else holds, nor a view of it."""
        for array in self._arrays:
            if array.shape == shape and array.dtype == dtype and sys.getrefcount(array) == _MINE:
                return array
        fresh = np.empty(shape, dtype)
        self._arrays = [kept for kept in self._arrays if kept.shape == shape and kept.dtype == dtype] + [fresh]
        return fresh
