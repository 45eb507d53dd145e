"""The definition of a strong pixel and a spot.

A pixel is *data* if it is not masked and not negative; data below 2**24 counts are *counted* in sums. The window
around a pixel, 7 x 7 pixels cut at the frame's edges, has m counted pixels with sum x and sum of squares y. By method
``dispersion``, a pixel with p counts is strong if it is data, p > threshold, m >= min_count and both ::

    m y - x² - x (m - 1)  >  nsig_b x sqrt(2 (m - 1))      the window is more dispersed than Poisson noise
    m p - x               >  nsig_s sqrt(m x)              the pixel exceeds the window's mean

This is DIALS' ``DispersionThreshold`` for double-precision images with gain 1, whose sums also exclude counts above
2**24. By method ``threshold``, a pixel is strong if it is data and p > threshold. A spot is a connected component, by
edges or corners, of the strong pixels of one frame, if it has min_pixels to max_pixels pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

REACH = 3
"""Pixels that the window extends to each side."""

WINDOW = 2 * REACH + 1

COUNTED_BELOW = 1 << 24
"""Counts from this number on are excluded from sums: the bound of DIALS, so that integers stay exact."""

NO_DATA = -1


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """The criteria for strong pixels and spots; see the module."""

    method: Literal["dispersion", "threshold"] = "dispersion"
    nsig_b: float = 6.0
    nsig_s: float = 3.0
    min_count: int = 2
    threshold: int = 0
    min_pixels: int = 3
    max_pixels: int = 1000


@dataclass(frozen=True, kw_only=True)
class FoundSpots:
    """The mask and the spots that were found in a block of frames.

    Attributes
    ----------
    mask
        u8[frames, rows, columns]: 1 where a pixel is strong.
    spots
        i32[frames]: the number of spots of each frame. The other arrays list the spots frame by frame, in the order
        of their first pixel, row by row.
    y, x
        f64[spots]: centroid, weighted by counts, in pixels; the middle of the first pixel is 0.
    intensity
        i64[spots]: sum of the counts of its pixels, without background subtraction.
    pixels
        i32[spots]: number of its strong pixels.
    """

    mask: Any
    spots: Any
    y: Any
    x: Any
    intensity: Any
    pixels: Any
