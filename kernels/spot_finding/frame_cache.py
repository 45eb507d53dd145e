"""HEXRD's frame caches."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from daasbench.authoring import InputError

Array = np.ndarray[Any, np.dtype[Any]]


class FrameCache:
    """The sparse frames of HEXRD: rows, columns and counts of the pixels above its threshold, as npz."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        try:
            self._cache: Any = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path}: cannot be read as a frame cache ({error}); it is truncated or damaged"
            ) from error
        cache = self._cache
        try:
            rows, columns = (int(length) for length in cache["shape"])
            self._type = np.dtype(str(np.asarray(cache["dtype"]).item().decode()))
            self.shape = (int(cache["nframes"]), rows, columns)
        except (KeyError, ValueError, TypeError, AttributeError, zlib.error, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path}: is not a frame cache of HEXRD ({error}); such a file has shape, nframes, dtype and, for "
                "every frame, N_row, N_col and N_data"
            ) from error

    def read(self, start: int, frames: int) -> Array:
        """Return `frames` frames from `start` on; pixels that are not in the cache are 0."""
        return np.stack([self._frame(index) for index in range(start, start + frames)])

    def _frame(self, index: int) -> Array:
        frame = np.zeros(self.shape[1:], self._type)
        try:
            row, column, counts = (self._cache[f"{index}_{name}"] for name in ("row", "col", "data"))
            frame[row, column] = counts
        except (KeyError, ValueError, IndexError, TypeError, zlib.error, zipfile.BadZipFile) as error:
            raise InputError(f"{self.path}: its frame {index} is damaged or missing: {error}") from error
        return frame
