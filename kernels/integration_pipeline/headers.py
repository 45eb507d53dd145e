"""The geometry of a file: from the options, else from the values that the detector wrote with the frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from daasbench.authoring import InputError
from daasbench.formats.hdf5 import contents, open_hdf5

from .geometry import Geometry
from .options import PipelineOptions

# Names by DECTRIS and NeXus (NXdetector, NXbeam), in the order in which they are tried.
_NAMES = {
    "distance_m": ("detector_distance", "distance"),
    "pixel_m": ("x_pixel_size",),
    "wavelength_m": ("incident_wavelength", "wavelength"),
    "beam_row": ("beam_center_y",),
    "beam_column": ("beam_center_x",),
}
_UNITS = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "angstrom": 1e-10, "a": 1e-10, "å": 1e-10}
_DEFAULT_UNIT = {"distance_m": "m", "pixel_m": "m", "wavelength_m": "angstrom"}


def geometry_of(path: Path, shape: tuple[int, int], options: PipelineOptions) -> Geometry:
    """Return the geometry of the frames of a file; raise InputError if it is unknown or impossible."""
    found = {name: getattr(options, name) for name in _NAMES}
    if None in found.values():
        found |= {name: value for name, value in _in_file(path).items() if found[name] is None}
    missing = [name for name, value in found.items() if value is None]
    if missing:
        raise InputError(f"{path}: does not state {' and '.join(missing)}; give the value: --set {missing[0]}=NUMBER")
    for name, value in found.items():
        if not np.isfinite(value) or (name.endswith("_m") and value <= 0):
            raise InputError(
                f"{path}: {name} is {value:g}, which is impossible; give the correct value: --set {name}=NUMBER"
            )
    return Geometry(shape=shape, **found)


def _in_file(path: Path) -> dict[str, float]:
    values = {}
    with open_hdf5(path) as file:
        listed = contents(file)
        for name, spellings in _NAMES.items():
            paths = [path for spelling in spellings for path in listed.called(spelling)]
            for dataset in (listed.datasets[path] for path in paths):
                if dataset.size == 1 and dataset.dtype.kind in "iuf":
                    unit = dataset.attrs.get("units", _DEFAULT_UNIT.get(name, ""))
                    unit = unit.decode() if isinstance(unit, bytes) else str(unit)
                    factor = _UNITS.get(unit.strip().lower(), 1.0) if name in _DEFAULT_UNIT else 1.0
                    values[name] = float(np.ravel(dataset[()])[0]) * factor
                    break
    return values
