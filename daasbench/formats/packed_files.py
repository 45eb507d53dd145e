"""HDF5 files on disk whose frames are bitshuffle-LZ4 chunks: found, checked, and taken out as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from daasbench.errors import InputError
from daasbench.formats.chunks import U8, check_packed, locate
from daasbench.formats.hdf5 import check_sources, contents, dataset_at, distinct, open_hdf5

_SERIES = re.compile(r"(^|/)data_\d{6}$")


class PackedStack:
    """The packed frames of an open file: one dataset, or several in a row as Dectris writes them."""

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
        Path of their dataset inside the file; None: the only stack of frames, or a series ``data_000001`` and on.

    Raises
    ------
    InputError
        If the file cannot be read, it is not clear where the frames are, or they are not packed as expected.
    """
    with open_hdf5(path) as file:
        datasets = _choose(path, file, wanted)
        for one in datasets:
            check_sources(path, one)
            check_packed(path, one)
            if one.shape[1:] != datasets[0].shape[1:] or one.dtype != datasets[0].dtype:
                raise InputError(f"{path}: {one.name} has other frames than {datasets[0].name}; set dataset=PATH")
        yield PackedStack(path, datasets)


def _choose(path: Path, file: Any, wanted: str | None) -> list[Any]:
    if wanted is not None:
        dataset = dataset_at(file, wanted)
        if dataset is None or not _are_frames(dataset):
            problem = "no dataset" if dataset is None else "no frames, which are numbers [frame, row, column],"
            raise InputError(f"{path}: has {problem} at dataset = {wanted!r}; it has: {contents(file)}")
        return [dataset]
    found = contents(file)
    stacks = {name: one for name, one in distinct(found.datasets).items() if _are_frames(one)}
    series = [stacks[name] for name in sorted(stacks) if _SERIES.search(name)]
    missing = sorted(name for name in found.broken if _SERIES.search(name))
    if missing:
        raise InputError(f"{path}: its link {missing[0]} leads to {found.broken[missing[0]]}, which is missing")
    if series or len(stacks) == 1:
        return series or list(stacks.values())
    problem = "several stacks of frames" if stacks else "no frames, which are numbers [frame, row, column]"
    raise InputError(f"{path}: has {problem}; set dataset=PATH; it has: {found}")


def _are_frames(dataset: Any) -> bool:
    return dataset.ndim == 3 and dataset.dtype.kind in "biuf" and dataset.size > 0
