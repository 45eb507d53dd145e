"""Open, search and list HDF5 and NeXus files as beamlines write them, including all their links.

External links and virtual datasets may refer to data in other files. HDF5 ignores a link whose target is missing, and
reads zeros if the source of a virtual dataset is missing. This module reports both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daasbench.errors import InputError

_LOCK_TRIES = 3
_LOCK_WAIT_S = 0.2  # after each of them

LISTED = 20  # datasets in a message


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The contents of an HDF5 file.

    Attributes
    ----------
    datasets
        Every dataset by its path (without the first ``/``), in the file's order. Links are followed; a linked
        dataset appears under each path. A linked group is followed only by its first path.
    broken
        The targets of broken links, by the path of the link.
    """

    datasets: Mapping[str, Any]
    broken: Mapping[str, str]

    def __str__(self) -> str:
        """Return datasets with type and shape, and broken links, for messages."""
        lines = [f"{path} {dataset.dtype}{list(dataset.shape or ())}" for path, dataset in self.datasets.items()]
        lines += [f"{path} -> {target} (missing)" for path, target in self.broken.items()]
        more = f", and {len(lines) - LISTED} more" if len(lines) > LISTED else ""
        return ", ".join(lines[:LISTED]) + more if lines else "no datasets"

    def called(self, name: str) -> Iterator[str]:
        """Return the paths of the datasets whose last part is `name`."""
        return (path for path in self.datasets if path.rpartition("/")[2] == name)


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading, with the compressions that detectors use.

    Raises
    ------
    InputError
        If the file cannot be opened.
    """
    import hdf5plugin  # noqa: F401  (registers the compressions)

    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        file = _unlocked(path)
    except BlockingIOError as error:
        message = f"{path}: another program has this file open for writing; run again when the file is complete"
        raise InputError(message) from error
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read as HDF5 ({error}); it is empty, truncated, damaged or of another format"
        ) from error
    with file:
        yield file


def _unlocked(path: Path) -> Any:
    """Return the open file; wait a moment for a lock that is about to go: a writer that has just closed the file."""
    import h5py

    for _ in range(_LOCK_TRIES):
        try:
            return h5py.File(path, "r")
        except BlockingIOError:
            time.sleep(_LOCK_WAIT_S)
    return h5py.File(path, "r")


def contents(file: Any) -> Contents:
    """Return the contents of an open file."""
    datasets: dict[str, Any] = {}
    broken: dict[str, str] = {}
    _collect(file, "", {identity(file)}, datasets, broken)
    return Contents(datasets=datasets, broken=broken)


def _collect(group: Any, prefix: str, seen: set[Any], datasets: dict[str, Any], broken: dict[str, str]) -> None:
    import h5py

    for name in group:
        path = prefix + name
        try:
            item = group[name]
        except (KeyError, OSError):
            link = group.get(name, getlink=True)
            broken[path] = getattr(link, "filename", "") or getattr(link, "path", "an unreadable object")
            continue
        if isinstance(item, h5py.Dataset):
            datasets[path] = item
        elif isinstance(item, h5py.Group) and identity(item) not in seen:  # links may form a cycle
            seen.add(identity(item))
            _collect(item, f"{path}/", seen, datasets, broken)


def identity(item: Any) -> tuple[int, int]:
    """Return the identity of an object, which is the same for all paths and external links to it."""
    import h5py

    info = h5py.h5o.get_info(item.id)
    return info.fileno, info.addr


def distinct(datasets: Mapping[str, Any]) -> dict[str, Any]:
    """Return `datasets` without duplicates: of several paths to one dataset only the first remains."""
    first = {identity(dataset): path for path, dataset in reversed(list(datasets.items()))}
    return {path: dataset for path, dataset in datasets.items() if first[identity(dataset)] == path}


def dataset_at(file: Any, path: str) -> Any | None:
    """Return the dataset at `path`, or None."""
    import h5py

    try:
        item = file.get(path)
    except (KeyError, OSError, ValueError):  # through a dataset, or a broken link
        return None
    return item if isinstance(item, h5py.Dataset) else None


def check_sources(path: Path, dataset: Any) -> None:
    """Raise InputError if a source file of a virtual dataset is missing: its values would be read as 0."""
    if not dataset.is_virtual:
        return
    folder = Path(dataset.file.filename).parent
    for source in dataset.virtual_sources():
        name = source.file_name
        if name != "." and "%" not in name and not (folder / name).is_file() and not Path(name).is_file():
            raise InputError(
                f"{path}: {dataset.name} takes values from the missing file {name!r}; copy that file to this path"
            )
