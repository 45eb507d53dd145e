"""What a strong pixel and a spot are: the words of the definition, shared by everything here.

A pixel is *data* if it is not masked and not negative; data below 2**24 counts are *counted* in sums. Of the m
counted pixels in the 7 x 7 window about a pixel (cut at the frame's edges), with sum x and sum of squares y, the
pixel with p counts is strong, by method ``dispersion``, if it is data, p > threshold, m >= min_count and both ::

    m y - x² - x (m - 1)  >  nsig_b x sqrt(2 (m - 1))      the window is more dispersed than Poisson noise
    m p - x               >  nsig_s sqrt(m x)              the pixel stands out of the window's mean

which is DIALS' ``DispersionThreshold`` of double-precision images with gain 1 (its sums leave out what is above 2**24
as well). By method ``threshold`` it is strong if it is data and p > threshold. A spot is what hangs together, by
edges or corners, among the strong pixels of one frame, if it has min_pixels to max_pixels of them.
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
"""Counts from here on enter no sum: DIALS' own bound, so that integers stay exact."""

NO_DATA = -1


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """What makes a pixel strong and a spot a spot; see the module."""

    method: Literal["dispersion", "threshold"] = "dispersion"
    nsig_b: float = 6.0
    nsig_s: float = 3.0
    min_count: int = 2
    threshold: int = 0
    min_pixels: int = 3
    max_pixels: int = 1000


@dataclass(frozen=True, kw_only=True)
class FoundSpots:
    """What is found in a block of frames.

    Attributes
    ----------
    mask
        u8[frames, rows, columns]: 1 where a pixel is strong.
    spots
        i32[frames]: how many spots a frame has; the others list them frame by frame, and in a frame in the order of
        their first pixel, row by row.
    y, x
        f64[spots]: centroid, weighted by counts, in pixels; the middle of the first pixel is 0.
    intensity
        i64[spots]: counts in its pixels; no background is subtracted.
    pixels
        i32[spots]: how many strong pixels it has.
    """

    mask: Any
    spots: Any
    y: Any
    x: Any
    intensity: Any
    pixels: Any
