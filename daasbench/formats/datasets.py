"""The choice of a dataset in an HDF5 file.

All kernels choose in the same order:

1. the dataset that the user names;
2. the dataset to which the NeXus attributes ``default`` and ``signal`` lead from the root of the file [1]_;
3. for frames, a DECTRIS series;
4. the only dataset that is the signal of its group;
5. the only dataset with the required form.

If several datasets are possible, the file is refused, and the message lists its contents.

.. [1] NeXus manual, "Find the plottable data", https://manual.nexusformat.org/datarules.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from daasbench.errors import InputError
from daasbench.formats.hdf5 import Contents, check_sources, contents, dataset_at, distinct, identity

_STEPS = 8  # the largest number of `default` attributes that are followed: they may form a cycle
_SERIES = re.compile(r"(^|/)data_\d{6}$")  # the names of the links in master files of DECTRIS


@dataclass(frozen=True, kw_only=True)
class Sought:
    """The dataset that is searched in a file, as messages describe it.

    Attributes
    ----------
    noun
        The name, such as ``frames``.
    form
        The form, such as ``numbers [frame, row, column]``.
    option
        The option by which the user can name the dataset; None: there is none.
    """

    noun: str
    form: str
    option: str | None = "dataset"

    @property
    def fix(self) -> str:
        """Return what the user can do if several datasets are possible."""
        return f"name it with --set {self.option}=PATH" if self.option else f"keep only the {self.noun} in the file"


FRAMES = Sought(noun="frames", form="numbers [frame, row, column]")


def named(path: Path, file: Any, name: str, option: str) -> Any:
    """Return the dataset that the user names by an option.

    Raises
    ------
    InputError
        If there is no such dataset, or files with its values are missing.
    """
    dataset = dataset_at(file, name)
    if dataset is None:
        raise InputError(f"{path}: has no dataset at {option} = {name!r}; it has: {contents(file)}")
    check_sources(path, dataset)
    return dataset


def at_known_path(
    path: Path,
    file: Any,
    option: str,
    wanted: str | None,
    paths: Iterable[str],
    *,
    may_be: Callable[[Any], bool] | None = None,
) -> Any | None:
    """Return the dataset that the user names, else the first that exists at the paths of a format, else None.

    Parameters
    ----------
    may_be
        A test. If the NeXus default passes it, it has priority over the paths; None: it has no priority.
    """
    if wanted is not None:
        return named(path, file, wanted, option)
    default = nexus_default(path, file) if may_be else None
    if default is not None and may_be and may_be(default):
        chosen = default
    else:
        chosen = next((found for each in paths if (found := dataset_at(file, each)) is not None), None)
    if chosen is not None:
        check_sources(path, chosen)
    return chosen


def nexus_default(path: Path, group: Any) -> Any | None:
    """Return the dataset to which the NeXus attributes ``default`` and ``signal`` lead from a group, or None.

    Raises
    ------
    InputError
        If they lead to a link whose target is missing.
    """
    import h5py

    item = group
    for _ in range(_STEPS):
        step = _text(item, "default") or _text(item, "signal")
        if step is None:
            return None
        item = _follow(path, item, step)
        if isinstance(item, h5py.Dataset):
            return item
        if not isinstance(item, h5py.Group):
            return None
    return None


def only(
    path: Path,
    file: Any,
    sought: Sought,
    possible: Mapping[str, Any],
    found: Contents,
    *,
    likely: Callable[[Any], bool] = lambda _: True,
) -> Any:
    """Return the one dataset among those that are `possible`.

    It is the NeXus default, else the only signal of a group, else the only `likely` dataset, else the only dataset.

    Raises
    ------
    InputError
        If there is no such dataset, or if there are several.
    """
    default = _same(nexus_default(path, file), possible.values())
    choices = (
        [] if default is None else [default],
        _signals(file, possible, found),
        _distinct({name: one for name, one in possible.items() if likely(one)}),
        _distinct(possible),
    )
    for choice in choices:
        if len(choice) == 1:
            check_sources(path, choice[0])
            return choice[0]
    problem = f"several datasets that could be the {sought.noun}" if possible else f"no {sought.noun}, {sought.form}"
    raise InputError(f"{path}: has {problem}; {sought.fix}; it has: {found}")


def find_frames(
    path: Path,
    file: Any,
    wanted: str | None,
    *,
    shape: tuple[int, int] | None = None,
    fewest: int = 1,
    images: bool = True,
) -> list[Any]:
    """Return the datasets that contain the frames of a file, in their order.

    A DECTRIS series of linked files counts as one dataset. So does a virtual dataset over the series. A stack has
    priority over single images (masks, flat fields).

    Parameters
    ----------
    wanted
        Path of the dataset; None: it is searched.
    shape
        Rows and columns that the frames should have, if known.
    fewest
        Datasets with fewer frames are ignored.
    images
        Whether an image [row, column] counts as a stack of one frame.

    Raises
    ------
    InputError
        If there are no frames, if several datasets may be the frames, or if files with frames are missing.
    """
    if wanted is not None:
        dataset = named(path, file, wanted, "dataset")
        if not _may_be_frames(dataset, images):
            raise InputError(
                f"{path}: dataset = {wanted!r} has no frames ({FRAMES.form}); the file has: {contents(file)}"
            )
        return [dataset]
    found = contents(file)
    possible = {
        name: one
        for name, one in found.datasets.items()
        if _may_be_frames(one, images) and (_SERIES.search(name) or _length(one) >= fewest)
    }
    default = _same(nexus_default(path, file), possible.values())
    if default is not None and not _is_series(default, possible):
        check_sources(path, default)
        return [default]
    fitting = {name: one for name, one in possible.items() if shape is None or one.shape[-2:] == shape} or possible
    series = _series(path, fitting, found)
    if not series:
        return [only(path, file, FRAMES, fitting, found, likely=lambda one: one.ndim == 3)]
    for part in series:
        check_sources(path, part)
        if part.shape[-2:] != series[0].shape[-2:] or part.dtype != series[0].dtype:
            raise InputError(
                f"{path}: the frames in {_place(part)} differ from those in {_place(series[0])}; {FRAMES.fix}"
            )
    return series


def _place(dataset: Any) -> str:
    """Return file, path and type of a dataset: links of a series lead to the same path in several files."""
    return f"{Path(dataset.file.filename).name}{dataset.name} ({dataset.dtype}{list(dataset.shape)})"


def _text(item: Any, attribute: str) -> str | None:
    """Return a text attribute, whatever its encoding; None if it is missing or empty."""
    value = item.attrs.get(attribute)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return value if isinstance(value, str) and value else None


def _follow(path: Path, group: Any, step: str) -> Any | None:
    """Return the item at `step` of a group, or None; raise InputError if the target of a link is missing."""
    try:
        return group[step]
    except (KeyError, OSError, ValueError):
        link = group.get(step, getlink=True)
        target = getattr(link, "filename", "") or getattr(link, "path", "")
        if not target:
            return None
        raise InputError(
            f"{path}: its NeXus default {step} leads to {target}, which is missing; copy it next to the file"
        ) from None


def _same(wanted: Any | None, datasets: Iterable[Any]) -> Any | None:
    """Return the dataset that is the same object as `wanted`, through any link."""
    if wanted is None:
        return None
    return next((one for one in datasets if identity(one) == identity(wanted)), None)


def _distinct(datasets: Mapping[str, Any]) -> list[Any]:
    return list(distinct(datasets).values())


def _signals(file: Any, possible: Mapping[str, Any], found: Contents) -> list[Any]:
    """Return the datasets that are the signal of a group: by its attribute, or by their own (before 2014)."""
    marked = {}
    for name, one in found.datasets.items():
        folder, _, last = name.rpartition("/")
        own = one.attrs.get("signal") in (1, "1", b"1")
        if (own or _text(file[folder] if folder else file, "signal") == last) and _same(one, possible.values()):
            marked[name] = one
    return _distinct(marked)


def _may_be_frames(dataset: Any, images: bool) -> bool:
    return dataset.ndim in ((2, 3) if images else (3,)) and dataset.dtype.kind in "biuf" and dataset.size > 0


def _length(dataset: Any) -> int:
    """Return the number of frames of a dataset."""
    return int(dataset.shape[0]) if dataset.ndim == 3 else 1


def _is_series(dataset: Any, possible: Mapping[str, Any]) -> bool:
    """Return whether a dataset is a part of a series, or a virtual dataset over the whole series."""
    parts = _distinct({name: one for name, one in possible.items() if _SERIES.search(name)})
    shown = bool(parts) and dataset.is_virtual and _length(dataset) == sum(map(_length, parts))
    return shown or _same(dataset, parts) is not None


def _series(path: Path, fitting: Mapping[str, Any], found: Contents) -> list[Any]:
    """Return the datasets to which a DECTRIS master file links, in their order.

    The detector makes the links before the measurement. If the measurement was stopped, some targets may be missing.
    """
    series = [name for name in sorted(distinct(fitting)) if _SERIES.search(name)]
    lost = min((name for name in found.broken if _SERIES.search(name)), default=None)
    if lost is not None and (not series or lost < series[-1]):
        raise InputError(
            f"{path}: its link {lost} leads to {found.broken[lost]}, which is missing; copy it next to the file"
        )
    return [fitting[name] for name in series]
