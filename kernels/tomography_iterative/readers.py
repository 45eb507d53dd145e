"""Read sinograms from HDF5: a dataset [slice, angle, detector pixel] of line integrals, and its angles.

The software of the beamline makes such files from raw scans (DXchange, NXtomo; flats and darks).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError
from daasbench.formats.datasets import Sought, named, only
from daasbench.formats.hdf5 import Contents, contents, open_hdf5

from .options import IterativeOptions

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_SINOGRAMS = Sought(noun="sinograms", form="numbers [slice, angle, detector pixel]")
_OF_ROWS = Sought(noun="angles", form="one number for each row of a sinogram", option="angles")
_ANGLES = ("angles", "theta", "rotation_angle")


@dataclass(frozen=True, kw_only=True)
class Sinograms:
    """Sinograms from a file: `blocks` of f32[slices, angles, detector], `angles` in radian, `centre` in pixels."""

    blocks: tuple[F32, ...]
    angles: F64
    centre: float


def survey(path: Path, options: IterativeOptions) -> Mapping[str, Any]:
    """Return the numbers of slices of a block, of angles and of detector pixels of a file, from its headers."""
    with _opened(path, options) as (sinograms, angles):
        _centre(path, options, sinograms.shape[2])
        return {
            "slices": min(options.slices, sinograms.shape[0]),
            "angles": angles.size,
            "detector": sinograms.shape[2],
        }


def read(path: Path, options: IterativeOptions, slices: int, blocks: int) -> Sinograms:
    """Return at most `blocks` blocks of `slices` successive sinograms."""
    with _opened(path, options) as (sinograms, angles):
        found = max(1, sinograms.shape[0] // slices)
        made = [_block(path, sinograms, slices * index, slices) for index in range(min(blocks, found))]
        return Sinograms(
            blocks=tuple(made),
            angles=angles,
            centre=_centre(path, options, sinograms.shape[2]),
        )


def _block(path: Path, sinograms: Any, first: int, slices: int) -> F32:
    block = np.ascontiguousarray(sinograms[first : first + slices], np.float32)
    bad = np.argwhere(~np.isfinite(block))
    if bad.size:
        z, angle, pixel = bad[0]
        raise InputError(
            f"{path}: {sinograms.name} has {len(bad)} numbers that are not finite in slices {first} to "
            f"{first + slices - 1}, the first in slice {first + z}, angle {angle}, pixel {pixel}; line integrals must "
            "be finite: repair dead pixels first"
        )
    return block


@contextmanager
def _opened(path: Path, options: IterativeOptions) -> Iterator[tuple[Any, F64]]:
    """Open a file; yield the dataset of the sinograms and the angles in radian."""
    with open_hdf5(path) as file:
        try:
            found = contents(file)
            sinograms = _sinograms(path, file, found, options)
            yield sinograms, _angles(path, file, found, options, sinograms)
        except (OSError, RuntimeError) as error:  # raised by HDF5 during a read
            raise InputError(
                f"{path}: cannot be read to its end ({error}); it is truncated, damaged or has an unknown compression"
            ) from error


def _sinograms(path: Path, file: Any, found: Contents, options: IterativeOptions) -> Any:
    if options.dataset is not None:
        dataset = named(path, file, options.dataset, "dataset")
    else:
        cubes = {name: one for name, one in found.datasets.items() if len(one.shape or ()) == 3}
        dataset = only(path, file, _SINOGRAMS, cubes, found)
    if dataset.ndim != 3 or dataset.dtype.kind not in "iuf" or min(dataset.shape) < 1 or dataset.shape[2] < 2:
        raise InputError(
            f"{path}: {dataset.name} is {dataset.dtype}{list(dataset.shape)}; sinograms must be numbers in the shape "
            "[slice, angle, detector pixel] with two pixels or more"
        )
    return dataset


def _angles(path: Path, file: Any, found: Contents, options: IterativeOptions, sinograms: Any) -> F64:
    if options.angles is not None:
        dataset = named(path, file, options.angles, "angles")
    else:
        called = {name: one for name, one in found.datasets.items() if name.rpartition("/")[2] in _ANGLES}
        dataset = only(path, file, _OF_ROWS, called, found)
    count = sinograms.shape[1]
    if dataset.dtype.kind not in "iuf" or dataset.size != count or not np.isfinite(dataset[()]).all():
        raise InputError(
            f"{path}: {dataset.name} is {dataset.dtype}{list(dataset.shape)}; there must be one finite angle for each "
            f"of the {count} rows of a sinogram ({sinograms.name} is {list(sinograms.shape)})"
        )
    angles = np.asarray(dataset[()], np.float64).ravel()
    stored = dataset.attrs.get("units", "degree")
    unit = (stored.decode() if isinstance(stored, bytes) else str(stored)).strip().lower()
    if not unit.startswith(("rad", "deg", "°")):
        raise InputError(f"{path}: {dataset.name} is in {unit!r}; its attribute units must be degree or radian")
    return angles if unit.startswith("rad") else np.deg2rad(angles)


def _centre(path: Path, options: IterativeOptions, width: int) -> float:
    centre = (width - 1) / 2 if options.centre is None else options.centre
    if not 0 <= centre <= width - 1:
        raise InputError(f"{path}: centre {centre} is outside the detector; with {width} pixels it is 0 to {width - 1}")
    return centre
