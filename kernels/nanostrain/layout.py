"""Rocking scans in HDF5 files: the positions of frames, motors and detector geometry in them.

Three layouts are known: a map at every angle, each in its own entry (BLISS at ID01, the files that XSOCS merges);
frames of one position at successive angles (BLISS, 34-ID); and a map at one angle (26-ID).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError
from daasbench.formats.datasets import nexus_default
from daasbench.formats.hdf5 import LISTED, check_sources, contents, dataset_at, distinct, identity, open_hdf5

from .options import NanostrainOptions

F64 = NDArray[np.float64]

_NAMES: Mapping[str, tuple[str, ...]] = {  # names at beamlines; the first that exists is used
    "eta": ("eta", "theta_deg"),
    "phi": ("phi",),
    "nu": ("nu",),
    "delta": ("delta", "del"),
    "energy": ("beam_energy", "Energy", "energy", "incident_energy", "mononrj", "nrj"),
    "distance": ("distance", "detector_distance"),
    "pixel_rows": ("y_pixel_size",),
    "pixel_columns": ("x_pixel_size",),
    "centre_row": ("beam_center_y", "center_chan_dim0"),
    "centre_column": ("beam_center_x", "center_chan_dim1"),
    "per_degree_rows": ("chan_per_deg_dim0",),
    "per_degree_columns": ("chan_per_deg_dim1",),
    "offset": ("image_roi_offset",),
}
_METRES = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "µm": 1e-6}
_KEV_FROM = 200.0  # larger energies are in eV


@dataclass(frozen=True, kw_only=True)
class ScanEntry:
    """One scan in an open file: its frames [any, rows, columns], and its other datasets by path."""

    name: str
    frames: Any
    others: Mapping[str, Any]

    def find(self, quantity: str) -> F64 | None:
        """Return the values of a quantity, flat; None if the entry has none. Names among positioners come first."""
        for name in _NAMES[quantity]:
            paths = [path for path in self.others if path.rpartition("/")[2] == name]
            for path in sorted(paths, key=lambda path: "positioners/" not in path):
                found = numbers(self.others[path])
                if found is not None:
                    return found
        return None

    def number(self, quantity: str) -> float | None:
        """Return the mean value of a quantity in its own unit; None if the entry has none."""
        found = self.find(quantity)
        return None if found is None else float(found.mean())

    def metres(self, quantity: str) -> float | None:
        """Return a length in metres by its attribute `units`; without units it is taken as metres."""
        found = self.number(quantity)
        if found is None:
            return None
        for name in _NAMES[quantity]:
            for path, dataset in self.others.items():
                if path.rpartition("/")[2] == name:
                    unit = dataset.attrs.get("units", "m")
                    return found * _METRES.get(unit.decode() if isinstance(unit, bytes) else str(unit), 1.0)
        return found

    def energy_kev(self) -> float | None:
        """Return the photon energy in keV; files have keV or eV, which differ by a factor of a thousand."""
        found = self.number("energy")
        return found if found is None or found < _KEV_FROM else found / 1000

    def mask(self) -> NDArray[np.bool_] | None:
        """Return the detector's mask of bad pixels; None if the entry has none."""
        for path, dataset in self.others.items():
            if path.rpartition("/")[2] == "pixel_mask" and dataset.shape == self.frames.shape[1:]:
                bad: NDArray[np.bool_] = np.not_equal(dataset[()], 0)
                return bad
        return None


@contextmanager
def open_entries(path: Path, options: NanostrainOptions) -> Iterator[Sequence[ScanEntry]]:
    """Open a file; yield its scans that have frames, in the order of the file.

    Raises
    ------
    InputError
        If there are none, if it is not clear which they are, or if their frames are in files that are missing.
    """
    with open_hdf5(path) as file:
        entries = list(_named(path, file, options.dataset)) if options.dataset else list(_searched(path, file))
        if not entries:
            raise InputError(
                f"{path}: has no frames (integers [any, rows, columns]); it has: {contents(file)}; name them "
                "with --set dataset=PATH"
            )
        shapes = {entry.frames.shape[1:] for entry in entries}
        if len(shapes) > 1:
            raise InputError(
                f"{path}: frames of its scans differ in rows and columns ({', '.join(map(str, sorted(shapes)))}); name "
                "one dataset with --set dataset=PATH"
            )
        for entry in entries:
            check_sources(path, entry.frames)
        yield entries


def numbers(dataset: Any) -> F64 | None:
    """Return finite numbers of a dataset as f64, flat; None if it has no such numbers."""
    if dataset.dtype.kind not in "iuf" or dataset.size == 0 or dataset.ndim > 1:
        return None
    values = np.atleast_1d(np.asarray(dataset[()], np.float64))
    return values if np.isfinite(values).all() else None


def _is_frames(dataset: Any) -> bool:
    return dataset.ndim == 3 and dataset.dtype.kind in "iu" and min(dataset.shape) > 0 and min(dataset.shape[1:]) > 1


def _named(path: Path, file: Any, name: str) -> Iterator[ScanEntry]:
    """Return the scans whose frames are at `name`, relative to the root or to each entry."""
    found = dataset_at(file, name)
    if found is not None:
        groups = {name.strip("/").split("/")[0] if "/" in name.strip("/") else "": found}
    else:
        groups = {key: dataset for key in file if (dataset := dataset_at(file, f"{key}/{name}")) is not None}
    if not groups:
        raise InputError(f"{path}: dataset = {name!r} is not in the file; it has: {contents(file)}")
    for group, frames in groups.items():
        if not _is_frames(frames):
            raise InputError(
                f"{path}: {frames.name} is {frames.dtype}{list(frames.shape)}; frames must be integers "
                "[any, rows, columns]"
            )
        yield ScanEntry(name=group, frames=frames, others=contents(file[group] if group else file).datasets)


def _searched(path: Path, file: Any) -> Iterator[ScanEntry]:
    """Return the scans that a search finds: a dataset of frames in each entry, or at the root."""
    import h5py

    groups = [name for name in file if isinstance(file.get(name), h5py.Group)]
    for name in ["", *groups]:
        datasets = contents(file[name]).datasets if name else {k: file[k] for k in file if k not in groups}
        stacks: Mapping[str, Any] = distinct(
            {
                key: dataset
                for key, dataset in datasets.items()
                if isinstance(dataset, h5py.Dataset) and _is_frames(dataset)
            }
        )
        if default := _default(path, file[name] if name else file, stacks):
            stacks = default
        if len(stacks) > 1:
            sources = {
                tuple((s.file_name, s.dset_name) for s in stack.virtual_sources())
                for stack in stacks.values()
                if stack.is_virtual
            }
            if len(sources) != 1 or not all(stack.is_virtual for stack in stacks.values()):
                listed = ", ".join(f"{name}/{key}".strip("/") for key in list(stacks)[:LISTED])
                raise InputError(
                    f"{path}: several datasets may be the frames: {listed}; name one of them with --set dataset=PATH"
                )
        if stacks:
            yield ScanEntry(name=name, frames=next(iter(stacks.values())), others=datasets)


def _default(path: Path, group: Any, stacks: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the stack that is the NeXus default of an entry; nothing if the default is none of the stacks."""
    default = nexus_default(path, group)
    return (
        {}
        if default is None
        else {key: dataset for key, dataset in stacks.items() if identity(dataset) == identity(default)}
    )
