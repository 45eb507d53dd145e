"""The exact definition of the projector and of SIRT, which all implementations compute.

A pixel p in row i and column j of an image of N x N lies at ``x = j - (N - 1) / 2``, ``y = i - (N - 1) / 2``. At
the angle theta it projects to the detector position ``t = x cos(theta) + y sin(theta) + centre``, in pixels. Its
weight in the ray through the middle of the detector pixel k is ::

    a(k, p) = max(0, 1 - |t - k| / m) / m      m = max(|cos(theta)|, |sin(theta)|)

That is Joseph's projector [1]_ written for pixels: a ray takes one sample in every row of the image (or in every
column, if it runs along the rows), interpolated linearly between its two neighbouring pixels, times the length 1 / m
of its path through the row. ASTRA calls it "linear". As m <= 1, a pixel has weight in at most two rays, those of the
detector pixels to the left and right of t. Therefore projection is a gather along rays, back-projection with the
transpose of the same matrix is a gather at pixels, and the two are adjoint to the last bit of the weights. (The
filtered back-projection of the kernel `tomography` interpolates on the detector: the same with m = 1.)

SIRT [2]_ from x = 0, with the diagonal matrices R of 1 / (sum of a row of A) and C of 1 / (sum of a column)::

    residual[n] = |y - A x|        before the n-th correction, n = 0, 1, ...; so residual[0] = |y|
    x <- x + C A^T R (y - A x)

A ray whose sum is below `LEAST_RAY` pixels misses the image: its R is 0. A pixel that no ray passes remains 0.

References
----------
.. [1] Joseph, IEEE Trans. Med. Imaging 1, 192 (1982), doi:10.1109/TMI.1982.4307572
.. [2] Gilbert, J. Theor. Biol. 36, 105 (1972), doi:10.1016/0022-5193(72)90180-4;
   Gregor, Benson, IEEE Trans. Med. Imaging 27, 918 (2008), doi:10.1109/TMI.2008.923696
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

LEAST_RAY = 0.01  # pixels of the image; rays that graze a corner with a smaller sum are ignored


class Reconstruction(NamedTuple):
    """The result of a repeat.

    Attributes
    ----------
    volume
        f32[slices, N, N], per pixel.
    residuals
        f64[slices, iterations]: |y - A x| of each slice before each correction, in units of the sinograms.
    """

    volume: Any
    residuals: Any


def pixel_grid(size: int) -> F64:
    """Return f64[size]: the coordinates of the pixels along one axis of an image, from the rotation axis."""
    return np.arange(size, dtype=np.float64) - (size - 1) / 2


def slope(angle: F64 | float) -> Any:
    """Return m: the larger absolute value of the cosine and the sine of an angle."""
    return np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle)))


def inverse(sums: Any, least: float) -> Any:
    """Return 1 / `sums` where they are above `least`, else 0; for any array library."""
    counts = sums > least
    return counts / (sums + ~counts)
