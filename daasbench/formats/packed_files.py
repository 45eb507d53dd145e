"""HDF5 files on disk whose frames are bitshuffle-LZ4 chunks: find, check and read the chunks without unpacking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from daasbench.errors import InputError
from daasbench.formats.chunks import U8, check_packed, locate
from daasbench.formats.datasets import find_frames
from daasbench.formats.hdf5 import open_hdf5


class PackedStack:
    """The packed frames of an open file: one dataset, or several successive datasets as Dectris writes them."""

    def __init__(self, path: Path, datasets: Sequence[Any]) -> None:
        self._path, self._datasets = path, datasets
        self._ends = np.cumsum([len(one) for one in datasets])
        self.frames = int(self._ends[-1])
        self.shape: tuple[int, int] = datasets[0].shape[1:]
        self.dtype: np.dtype[Any] = datasets[0].dtype
        self.sizes = np.concatenate([locate(one, str(path))[1] for one in datasets])

    def chunk(self, frame: int) -> U8:
        """Return one packed frame: u8[bytes]."""
        which = int(np.searchsorted(self._ends, frame, side="right"))
        dataset = self._datasets[which]
        first = int(self._ends[which]) - len(dataset)
        try:
            _, content = dataset.id.read_direct_chunk((frame - first, 0, 0))
        except (OSError, RuntimeError) as error:
            raise InputError(f"{self._path}: frame {frame} cannot be read, the file is damaged: {error}") from error
        return np.frombuffer(content, np.uint8)


@contextmanager
def open_packed(path: Path, wanted: str | None) -> Iterator[PackedStack]:
    """Open the packed frames in a file.

    Parameters
    ----------
    wanted
        Path of their dataset inside the file; None: found by the rules of :mod:`daasbench.formats.datasets`.

    Raises
    ------
    InputError
        If the file cannot be read, if several datasets may be the frames, or if they are not packed as expected.
    """
    with open_hdf5(path) as file:
        datasets = find_frames(path, file, wanted, images=False)
        for one in datasets:
            check_packed(path, one)
        yield PackedStack(path, datasets)
