"""Verification: by the definition in exact integers at every pixel, and by the simulated spots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from daasbench.authoring import Verdict, worst_of

from .definition import COUNTED_BELOW, WINDOW, Criteria, FoundSpots
from .options import SpotOptions
from .pattern import Planted
from .problem import Problem

Array = np.ndarray[Any, np.dtype[Any]]

FOUR_CONNECTED = "four_connected"  # a judgement

BRIGHT = 200.0  # counts from which on a simulated spot must be found
RECALL, PRECISION, CENTROID = 0.98, 0.99, 0.15  # docs/reference/kernel-definitions.md; the last in pixels
NEAR = 2.0  # pixels: a found spot within this distance is the simulated spot
PLACES = 1e-9  # pixels: centroids are quotients of exact integers


@dataclass(frozen=True, kw_only=True)
class Spots:
    """The list of spots of a block, as in :class:`~.definition.FoundSpots`."""

    spots: Array
    y: Array
    x: Array
    intensity: Array
    pixels: Array


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The expected result of a block: flat indices of strong pixels, and its spots by either connectivity."""

    strong: Array
    eight: Spots
    four: Spots
    planted: Planted | None  # if known, and if the criteria are those for which the spots were made


def expect(problem: Problem, options: SpotOptions) -> list[Expectation]:  # noqa: ARG001  (of the contract)
    """Return the expected result of each block."""
    criteria = problem.criteria
    made = []
    for index, frames in enumerate(problem.blocks):
        strong = np.stack([strong_pixels(frame, problem.mask, criteria) for frame in frames])
        known = problem.planted is not None and criteria == Criteria()
        made.append(
            Expectation(
                strong=np.flatnonzero(strong),
                eight=_spots(frames, strong, criteria, 8),
                four=_spots(frames, strong, criteria, 4),
                planted=problem.planted[index] if known and problem.planted else None,
            )
        )
    return made


def verify(problem: Problem, expectation: list[Expectation], block: int, result: FoundSpots, judged_as: str) -> Verdict:
    """Return the verdict on the result of a block: by the definition first, then by the truth."""
    expected = expectation[block]
    shape = problem.blocks[block].shape
    if result.mask.shape != shape or result.mask.dtype != np.uint8:
        message = f"the mask is {result.mask.dtype}{list(result.mask.shape)}, not uint8{list(shape)}"
        return Verdict(error=1.0, tolerance=0.0, verified_by="oracle", message=message)
    if message := _wrong_type(result):
        return Verdict(error=1.0, tolerance=0.0, verified_by="oracle", message=message)
    strong = np.flatnonzero(result.mask)
    wrong = np.setxor1d(strong, expected.strong, assume_unique=True).size
    wrong += int(np.count_nonzero(result.mask.ravel()[strong] != 1))
    listed = expected.four if judged_as == FOUR_CONNECTED else expected.eight
    differ = _differing(result, listed)
    message = f"{wrong} pixels of the mask and {differ} spots differ from the definition"
    exact = Verdict(error=float(wrong + differ), tolerance=0.0, verified_by="oracle", message=message)
    if not exact.ok or expected.planted is None:
        return exact  # a list of spots that differs from the definition's may not even be valid
    return worst_of((_against_truth(result, expected.planted), exact))


# --- the definition ------------------------------------------------------------------------------------------


def strong_pixels(frame: Array, mask: Array, criteria: Criteria) -> Array:
    """Return bool[rows, columns]: which pixels are strong, decided in integers of any length.

    Both inequalities are squared. The second is evaluated for all pixels, the first for the few pixels that pass it.
    """
    data = (frame >= 0) & ~mask
    bright = data & (frame > criteria.threshold)
    if criteria.method == "threshold":
        return np.asarray(bright)
    counted = data & (frame < COUNTED_BELOW)
    counts = np.where(counted, frame, 0)
    m, x = _box(counted.astype(np.int64)), _box(counts.astype(np.int64))
    over = m * frame - x
    # generous by more than the rounding of the squares; the pixels that pass are decided exactly
    near = over.astype(float) ** 2 >= criteria.nsig_s**2 * (1 - 1e-9) * (m * x).astype(float)
    rows, columns = np.nonzero(bright & (m >= criteria.min_count) & (over > 0) & near)
    padded = np.pad(counts.astype(np.int64), WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (WINDOW, WINDOW))[rows, columns]
    y = (windows**2).sum(axis=(1, 2))
    strong = np.zeros(frame.shape, bool)
    strong[rows, columns] = [
        _exceeds(m_ * y_ - x_ * x_ - x_ * (m_ - 1), criteria.nsig_b, 2 * (m_ - 1) * x_ * x_)
        and _exceeds(over_, criteria.nsig_s, m_ * x_)
        for m_, x_, y_, over_ in zip(
            m[rows, columns].tolist(), x[rows, columns].tolist(), y.tolist(), over[rows, columns].tolist(), strict=True
        )
    ]
    return strong


def _exceeds(value: int, factor: float, square: int) -> bool:
    """Return whether ``value > factor * sqrt(square)``, exactly."""
    above, below = factor.as_integer_ratio()
    return value > 0 and (value * below) ** 2 > above**2 * square


def _box(values: Array) -> Array:
    """Return the sum over the window about each pixel, by adding shifted copies."""
    ny, nx = values.shape
    padded = np.pad(values, WINDOW // 2)
    down, whole = np.zeros((ny, padded.shape[1]), values.dtype), np.zeros(values.shape, values.dtype)
    for step in range(WINDOW):
        down += padded[step : step + ny]
    for step in range(WINDOW):
        whole += down[:, step : step + nx]
    return whole


def _spots(frames: Array, strong: Array, criteria: Criteria, connected: int) -> Spots:
    """Return the spots of a block, by the labels of all its frames at once."""
    structure = np.zeros((3, 3, 3), int)
    structure[1] = ndimage.generate_binary_structure(2, connected // 4)
    labels, _ = ndimage.label(strong, structure)
    where = np.nonzero(labels)
    label = labels[where]
    order = np.argsort(label, kind="stable")
    frame, row, column = (axis[order] for axis in where)
    _, first, size = np.unique(label[order], return_index=True, return_counts=True)
    raster = np.lexsort((column[first], row[first], frame[first])) if first.size else np.zeros(0, np.intp)
    kept = raster[(size[raster] >= criteria.min_pixels) & (size[raster] <= criteria.max_pixels)]
    counts = frames[frame, row, column].astype(np.int64)
    total, down, across = (
        np.add.reduceat(each, first)[kept] if first.size else np.zeros(0, np.int64)
        for each in (counts, counts * row, counts * column)
    )
    return Spots(
        spots=np.bincount(frame[first][kept], minlength=len(frames)).astype(np.int32),
        y=down / total,
        x=across / total,
        intensity=total,
        pixels=size[kept].astype(np.int32),
    )


def _wrong_type(result: FoundSpots) -> str:
    """Return which column of the list of spots has a wrong type; an empty text if all types are correct."""
    kinds = {"spots": "int32", "y": "float64", "x": "float64", "intensity": "int64", "pixels": "int32"}
    for name, kind in kinds.items():
        if getattr(result, name).dtype != kind:
            return f"{name} is {getattr(result, name).dtype}, not {kind}"
    return ""


def _differing(result: FoundSpots, expected: Spots) -> int:
    """Return how many entries of the list of spots differ from the expected list; all if the lengths differ."""
    ours = (result.spots, result.y, result.x, result.intensity, result.pixels)
    theirs = (expected.spots, expected.y, expected.x, expected.intensity, expected.pixels)
    if [len(one) for one in ours] != [len(other) for other in theirs]:
        return max(1, *(len(one) for one in (*ours, *theirs)))
    exact = [one == other for one, other in zip(ours, theirs, strict=True)]
    for at in (1, 2):
        exact[at] = np.abs(ours[at] - theirs[at]) <= PLACES  # NaN is not close
    return int(np.count_nonzero(~exact[0]) + np.count_nonzero(~np.logical_and.reduce(exact[1:])))


# --- the truth -----------------------------------------------------------------------------------------------


def _against_truth(result: FoundSpots, planted: Planted) -> Verdict:
    """Return the verdict on recall, precision and centroids: the worst of the three."""
    frame = np.repeat(np.arange(len(result.spots)), result.spots)
    apart = 1e6  # pixels between frames, so that no spot is near a spot of another frame
    found = np.column_stack([result.y + apart * frame, result.x])
    known = np.column_stack([planted.y + apart * planted.frame, planted.x])
    bright = known[planted.counts > BRIGHT]
    distance = _nearest(found, bright)  # infinite: no spot within the distance
    missed = float(np.mean(~np.isfinite(distance))) if len(bright) else 0.0
    nearest = _nearest(known, found)
    false = float(np.mean(~np.isfinite(nearest))) if len(found) else 0.0
    seen = distance[np.isfinite(distance)]
    off = float(np.median(seen)) if seen.size else 0.0
    error = max(missed / (1 - RECALL), false / (1 - PRECISION), off / CENTROID)
    message = (
        f"recall {1 - missed:.4f} of {len(bright)} spots above {BRIGHT:g} counts, precision {1 - false:.4f} of "
        f"{len(found)}, median centroid error {off:.3f} pixel (the error is relative to the tolerances)"
    )
    return Verdict(error=error, tolerance=1.0, verified_by="truth", message=message)


def _nearest(points: Array, places: Array) -> Array:
    """Return the distance of each place to the nearest point; infinite if no point is near."""
    return np.asarray(cKDTree(points).query(places, distance_upper_bound=NEAR)[0])
