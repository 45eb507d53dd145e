"""scipy.ndimage: box means and labels, as in a typical script at a beamline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from daasbench.authoring import Resources

from ..definition import COUNTED_BELOW, WINDOW, Criteria, FoundSpots
from ..with_numpy import above, spots_of

if TYPE_CHECKING:
    from ..problem import Problem

Array = np.ndarray[Any, np.dtype[Any]]


def prepare(problem: Problem, resources: Resources) -> Callable[[Array], FoundSpots]:  # noqa: ARG001  (one thread)
    """Return the function that finds the spots in a block of frames."""
    criteria, mask = problem.criteria, problem.mask
    strong_pixels = above if criteria.method == "threshold" else dispersed

    def compute(frames: Array) -> FoundSpots:
        return spots_of(frames, np.stack([strong_pixels(frame, mask, criteria) for frame in frames]), criteria)

    return compute


def dispersed(frame: Array, mask: Array, criteria: Criteria) -> Array:
    """Return bool[rows, columns]: which pixels are strong; sums are box means times 49, rounded to integers."""
    data = ~mask & (frame >= 0)
    counted = data & (frame < COUNTED_BELOW)
    counts = np.where(counted, frame, 0).astype(np.float64)
    m, x, y = (_sums(each) for each in (counted.astype(np.float64), counts, counts * counts))
    more = np.maximum(m - 1, 0)
    is_dispersed = m * y - x * x - x * more > x * criteria.nsig_b * np.sqrt(2 * more)
    stands_out = m * frame - x > criteria.nsig_s * np.sqrt(x * m)
    return np.asarray(data & (m >= criteria.min_count) & (frame > criteria.threshold) & is_dispersed & stands_out)


def _sums(values: Array) -> Array:
    return np.asarray(np.rint(ndimage.uniform_filter(values, WINDOW, mode="constant") * WINDOW**2))
