"""Measured maps: frames of HDF5 files as [positions, angles, rows, columns], and their geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError
from daasbench.formats.hdf5 import dataset_at

from .geometry import Diffractometer
from .layout import ScanEntry, numbers, open_entries
from .options import NanostrainOptions

F64 = NDArray[np.float64]
Counts = NDArray[Any]
Mask = NDArray[np.bool_]

_MOST_PHOTONS = 2**32 - 1  # per position: counters have 32 bits
_LEAST_VOXELS, _MOST_VOXELS = 3, 128  # per axis, if the option grid is not given


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What was read: `blocks` of u16 or u32 [positions, angles, rows, columns], and their geometry and mask."""

    blocks: Sequence[Counts]
    geometry: Diffractometer
    mask: Mask


def survey(path: Path, options: NanostrainOptions) -> Mapping[str, Any]:
    """Return positions per block, angles, rows, columns, grid and bytes per count, from the headers of a file."""
    with open_entries(path, options) as entries:
        rows, columns = _window(path, entries[0], options)
        positions, angles = _positions_and_angles(path, entries, options)
        geometry_of(path, entries, options)
        height, width = rows.stop - rows.start, columns.stop - columns.start
        return {
            "positions": min(options.positions, positions),
            "angles": angles,
            "rows": height,
            "columns": width,
            "grid": _grid(path, options, angles, height, width),
            "count_bytes": 2 if entries[0].frames.dtype.itemsize <= 2 else 4,
        }


def read(path: Path, options: NanostrainOptions, positions: int, blocks: int) -> Scan:
    """Return at most `blocks` blocks of `positions` successive positions."""
    with open_entries(path, options) as entries:
        in_file, angles = _positions_and_angles(path, entries, options)
        window = _window(path, entries[0], options)
        starts = range(0, max(1, in_file // positions) * positions, positions)[:blocks]
        made = [_frames(path, entries, angles, start, positions, window) for start in starts]
        mask = entries[0].mask()
        masked = np.zeros(made[0].shape[2:], bool) if mask is None else mask[window]
        if options.mask_above is not None:
            masked |= np.logical_or.reduce([(block > options.mask_above).any(axis=(0, 1)) for block in made])
        if masked.all():
            raise InputError(f"{path}: all pixels are masked; check its pixel_mask, or set a larger mask_above")
        most = max(int(block.sum(axis=(1, 2, 3), dtype=np.int64).max()) for block in made)
        if most > _MOST_PHOTONS:
            raise InputError(
                f"{path}: a position has {most} photons, but at most {_MOST_PHOTONS} can be counted; exclude hot "
                "pixels with --set mask_above=COUNTS"
            )
        return Scan(blocks=made, geometry=geometry_of(path, entries, options), mask=masked)


def geometry_of(path: Path, entries: Sequence[ScanEntry], options: NanostrainOptions) -> Diffractometer:
    """Return the geometry from the options, else from the file; raise InputError for a value that neither has."""
    first = entries[0]
    rows, columns = _window(path, first, options)
    _, angles = _positions_and_angles(path, entries, options)
    row, column = _centre(path, first, options)
    distance_m, pixel_m = _distance_and_pixel(path, first, options)
    motors = {name: _motor(path, entries, options, name, angles) for name in ("eta", "phi", "nu", "delta")}
    energy = options.energy_kev if options.energy_kev is not None else first.energy_kev()
    if energy is None:
        raise _missing(path, "the photon energy", "energy_kev=8.5")
    return Diffractometer(
        energy_kev=energy,
        distance_m=distance_m,
        pixel_m=pixel_m,
        centre=(row - rows.start, column - columns.start),
        shape=(rows.stop - rows.start, columns.stop - columns.start),
        **motors,
    )


def _missing(path: Path, what: str, example: str) -> InputError:
    return InputError(f"{path}: does not state {what}; give it, for example --set {example}")


def _positions_and_angles(path: Path, entries: Sequence[ScanEntry], options: NanostrainOptions) -> tuple[int, int]:
    """Return both numbers: entries are angles of a map, or the frames of a single entry are angles of a position."""
    counts = {len(entry.frames) for entry in entries}
    if len(entries) > 1:
        if len(counts) > 1:
            raise InputError(
                f"{path}: its scans have {', '.join(map(str, sorted(counts)))} frames; maps at several angles must "
                "have the same number of frames; name one dataset with --set dataset=PATH"
            )
        return counts.pop(), len(entries)
    rocking = _angles_of(path, entries[0], options)
    frames = counts.pop()
    if rocking is not None and rocking.size > 1:
        if rocking.size != frames:
            raise InputError(
                f"{path}: there are {frames} frames and {rocking.size} angles of {options.rocking}; "
                "there must be one angle per frame"
            )
        return 1, frames
    return frames, 1


def _angles_of(path: Path, entry: ScanEntry, options: NanostrainOptions) -> F64 | None:
    """Return the rocking angles of an entry in degrees; None if it has none."""
    if options.angles is None:
        return entry.find(options.rocking)
    found = dataset_at(entry.frames.file, options.angles) or entry.others.get(options.angles)
    values = None if found is None else numbers(found)
    if values is None:
        raise InputError(f"{path}: angles = {options.angles!r} is not a list of numbers in the file")
    return values


def _motor(path: Path, entries: Sequence[ScanEntry], options: NanostrainOptions, name: str, angles: int) -> F64:
    """Return f64[angles] in degrees."""
    fixed_deg = getattr(options, f"{name}_deg")
    rocks = name == options.rocking
    if fixed_deg is not None and not (rocks and angles > 1):
        return np.full(angles, fixed_deg)
    found = [_angles_of(path, entry, options) if rocks else entry.find(name) for entry in entries]
    values = [angles_deg for angles_deg in found if angles_deg is not None]
    if len(values) < len(entries):
        example = f"angles=PATH, or {name}_deg=17.1" if rocks else f"{name}_deg=0"
        raise _missing(path, f"the angle {name}", example)
    if len(entries) > 1:
        values = [np.array([angles_deg.mean() for angles_deg in values])]
    angle = values[0] if values[0].size == angles else np.full(angles, values[0].mean())
    if rocks and angles > 1 and np.ptp(angle) == 0:
        raise InputError(
            f"{path}: {name} does not move; name the rocking motor: --set rocking=eta or --set rocking=phi"
        )
    return angle


def _centre(path: Path, entry: ScanEntry, options: NanostrainOptions) -> tuple[float, float]:
    if options.centre is not None:
        row, column = (float(part) for part in options.centre.split(","))
        return row, column
    centre = entry.number("centre_row"), entry.number("centre_column")
    if centre[0] is None or centre[1] is None:
        raise _missing(path, "the position of the direct beam on the detector", "centre=185.6,172.9 (row, column)")
    offset = entry.find("offset")
    first = (0.0, 0.0) if offset is None or offset.size != 2 else (float(offset[0]), float(offset[1]))
    return centre[0] - first[0], centre[1] - first[1]


def _distance_and_pixel(path: Path, entry: ScanEntry, options: NanostrainOptions) -> tuple[float, tuple[float, float]]:
    """Return both in metres. XSOCS has only pixels per degree, which give the ratio of both."""
    per_degree = entry.number("per_degree_rows"), entry.number("per_degree_columns")
    if per_degree[0] and per_degree[1] and options.distance_mm is None and options.pixel_um is None:
        whole = 2 * float(np.tan(np.deg2rad(0.5)))
        return 1.0, (whole / abs(per_degree[0]), whole / abs(per_degree[1]))
    distance = entry.metres("distance") if options.distance_mm is None else options.distance_mm * 1e-3
    if distance is None or not distance > 0:
        raise _missing(path, "the distance of the detector", "distance_mm=566.9")
    if options.pixel_um is not None:
        return distance, (options.pixel_um * 1e-6, options.pixel_um * 1e-6)
    height, width = entry.metres("pixel_rows"), entry.metres("pixel_columns")
    if height is None or width is None:
        raise _missing(path, "the size of a pixel", "pixel_um=55")
    return distance, (height, width)


def _window(path: Path, entry: ScanEntry, options: NanostrainOptions) -> tuple[slice, slice]:
    shape = entry.frames.shape[1:]
    if options.window is None:
        return slice(0, shape[0]), slice(0, shape[1])
    ends = [tuple(int(part) for part in side.split(":")) for side in options.window.split(",")]
    for (first, last), count in zip(ends, shape, strict=True):
        if not first + 1 < last <= count:
            raise InputError(
                f"{path}: window = {options.window} does not fit into frames of {shape[0]} x {shape[1]}; it must be "
                "row:row,column:column with the ends excluded, at least two rows and two columns"
            )
    return slice(*ends[0]), slice(*ends[1])


def _grid(path: Path, options: NanostrainOptions, angles: int, rows: int, columns: int) -> list[int]:
    if options.grid is None:
        return [min(max(count, _LEAST_VOXELS), _MOST_VOXELS) for count in (angles, columns // 2, rows // 2)]
    grid = [int(part) for part in options.grid.split(",")]
    if min(grid) < 2:
        raise InputError(f"{path}: grid = {options.grid} is too small; at least two voxels are needed along every axis")
    return grid


def _frames(
    path: Path, entries: Sequence[ScanEntry], angles: int, start: int, positions: int, window: tuple[slice, slice]
) -> Counts:
    """Return u16 or u32 [positions, angles, rows, columns] from position `start` on."""
    if len(entries) == 1 and angles > 1:
        raw = entries[0].frames[(slice(None), *window)][None]
    else:
        raw = np.stack([entry.frames[(slice(start, start + positions), *window)] for entry in entries], axis=1)
    if raw.dtype.kind == "i":
        raw = np.maximum(raw, 0)  # gaps and dead pixels
    largest = int(raw.max(initial=0))
    if largest > _MOST_PHOTONS:
        raise InputError(f"{path}: a pixel has {largest} counts; at most {_MOST_PHOTONS} are possible")
    return np.ascontiguousarray(raw, np.uint16 if entries[0].frames.dtype.itemsize <= 2 else np.uint32)
