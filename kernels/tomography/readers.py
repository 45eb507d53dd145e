"""Read sinograms from the frames of a detector: dark, flat, minus log, dead pixels, rotation centre."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError

from .layout import Scan, open_scan
from .options import TomographyOptions

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

_HALF_TURN_TOLERANCE = np.deg2rad(2.0)
_COARSE, _FINE = 0.5, 0.05  # pixels: steps in which the rotation centre is searched


@dataclass(frozen=True, kw_only=True)
class Sinograms:
    """Sinograms from a file: `blocks` of f32[slices, angles, detector] line integrals, and their geometry.

    `repaired` is the number of samples that were dead, masked or not finite and are interpolated along the detector.
    """

    blocks: tuple[F32, ...]
    angles: F64
    centre: float
    repaired: int


def survey(path: Path, options: TomographyOptions) -> Mapping[str, Any]:
    """Return the numbers of slices of a block, of angles and of detector pixels of a file, from its headers."""
    with open_scan(path, options) as scan:
        rows = _row_range(scan, options)
        _check_centre(scan, options.centre)
        if options.centre is None:
            _half_turn_apart(scan)
        return {
            "slices": min(options.slices, rows.stop - rows.start),
            "angles": scan.projections.size,
            "detector": scan.frames.shape[2],
        }


def read(path: Path, options: TomographyOptions, slices: int, blocks: int) -> Sinograms:
    """Return at most `blocks` blocks of `slices` sinograms, from successive rows."""
    with open_scan(path, options) as scan:
        rows = _row_range(scan, options)
        count = min(blocks, max(1, (rows.stop - rows.start) // slices))
        starts = [rows.start + slices * index for index in range(count)]
        made = [_sinograms(scan, slice(start, start + slices), options) for start in starts]
        centre = options.centre if options.centre is not None else estimate_centre(scan, rows, options)
        _check_centre(scan, centre)
        return Sinograms(
            blocks=tuple(sinograms for sinograms, _ in made),
            angles=scan.angles,
            centre=centre,
            repaired=sum(repaired for _, repaired in made),
        )


def estimate_centre(scan: Scan, rows: slice, options: TomographyOptions) -> float:
    """Return the rotation centre in pixels: the mirror line between two projections 180 degrees apart.

    The pair is the one closest to 180 degrees. The two projections are mirror images about the centre. The centre
    with the smallest mean square difference over their overlap is searched in the middle three fifths of the
    detector, in steps of 0.5 and 0.05 pixel. Raise InputError if it is not in this range.
    """
    one, other = (_sinograms(scan, rows, options, [index])[0][:, 0] for index in _half_turn_apart(scan))
    detector = one.shape[1]
    coarse = np.arange(0.2 * detector, 0.8 * detector, _COARSE)
    best = coarse[np.argmin([_mirror_mismatch(one, other, centre) for centre in coarse])]
    if best in (coarse[0], coarse[-1]):
        raise InputError(
            f"{scan.path}: no rotation centre is found between {coarse[0]:.0f} and {coarse[-1]:.0f} of {detector} "
            "columns; set it with --set centre=PIXEL"
        )
    fine = np.arange(best - _COARSE, best + _COARSE + _FINE / 2, _FINE)
    return float(fine[np.argmin([_mirror_mismatch(one, other, centre) for centre in fine])])


def _half_turn_apart(scan: Scan) -> tuple[int, int]:
    """Return the two projections whose difference in angle is closest to 180 degrees."""
    apart = np.abs(np.abs(scan.angles[:, None] - scan.angles[None]) - np.pi)
    first, second = np.unravel_index(np.argmin(apart), apart.shape)
    if apart[first, second] > _HALF_TURN_TOLERANCE:
        raise InputError(
            f"{scan.path}: the angles go from {np.rad2deg(scan.angles.min()):.4g} to "
            f"{np.rad2deg(scan.angles.max()):.4g} degrees, no two are 180 degrees apart, so the rotation centre "
            "cannot be estimated; set it with --set centre=PIXEL, or, if the angles are in radian: --set "
            "angle_unit=radian"
        )
    return int(first), int(second)


def _mirror_mismatch(one: F32, other: F32, centre: float) -> float:
    """Return the mean square difference of `one` and the mirror image of `other`, where they overlap."""
    pixels = np.arange(one.shape[1])
    mirrored = 2 * centre - pixels
    overlap = (mirrored >= 0) & (mirrored <= pixels[-1])
    left = np.floor(mirrored[overlap]).astype(int).clip(0, pixels[-1] - 1)
    weight = (mirrored[overlap] - left).astype(np.float32)
    image = other[:, left] * (1 - weight) + other[:, left + 1] * weight
    return float(np.mean((one[:, overlap] - image) ** 2))


def _row_range(scan: Scan, options: TomographyOptions) -> slice:
    height = scan.frames.shape[1]
    first, last = (int(part) for part in options.rows.split(":")) if options.rows else (0, height)
    if not first < last <= height:
        raise InputError(
            f"{scan.path}: rows {options.rows} is not a valid range; write first:last with first < last <= {height}"
        )
    return slice(first, last)


def _check_centre(scan: Scan, centre: float | None) -> None:
    width = scan.frames.shape[2]
    if centre is not None and not 0 <= centre <= width - 1:
        raise InputError(
            f"{scan.path}: centre {centre} is outside the detector; with {width} columns it is 0 to {width - 1}"
        )


def _sinograms(scan: Scan, rows: slice, options: TomographyOptions, chosen: list[Any] | None = None) -> tuple[F32, int]:
    """Return f32[rows, projections, columns] of the `chosen` projections (default all), and how many are repaired."""
    wanted = scan.projections if chosen is None else scan.projections[chosen]
    frames = np.asarray(scan.frames[wanted, rows] if wanted.size < scan.frames.shape[0] else scan.frames[:, rows])
    if options.minus_log:
        projections, bad = _minus_log(scan, frames, rows)
    else:
        projections, bad = frames.astype(np.float32), ~np.isfinite(frames)
    repaired = _repair(scan.path, projections, bad)
    return np.ascontiguousarray(projections.transpose(1, 0, 2)), repaired


def _minus_log(scan: Scan, frames: NDArray[Any], rows: slice) -> tuple[F32, Mask]:
    """Return f32[projections, rows, columns] line integrals, and which samples have no value."""
    dark = scan.darks.mean(rows) if scan.darks else np.zeros(frames.shape[1:])
    flat = scan.flats.mean(rows) if scan.flats else np.ones(frames.shape[1:])
    beam = flat - dark
    dead = ~(beam > 0)  # NaN counts as dead
    transmission = ((frames - dark) / np.where(dead, 1, beam)).astype(np.float32)
    bad = dead | ~np.isfinite(transmission) | ~(transmission > 0)
    return -np.log(np.where(bad, np.float32(1), transmission)), bad


def _repair(path: Path, projections: F32, bad: Mask) -> int:
    """Interpolate bad samples along their detector row, in place; return their number."""
    pixels = np.arange(projections.shape[2])
    for index in np.argwhere(bad.any(axis=2)):
        line, broken = projections[tuple(index)], bad[tuple(index)]
        if broken.all():
            raise InputError(
                f"{path}: row {index[1]} of the block has no usable pixel in projection {index[0]}; check flats and "
                "darks, or exclude the row with --set rows=first:last"
            )
        line[broken] = np.interp(pixels[broken], pixels[~broken], line[~broken])
    return int(bad.sum())
