"""The projector, exactly, and SIRT on top of it: what `with_numpy.py` computes and all others must.

A pixel p in row i and column j of an image of N x N lies at ``x = j - (N - 1) / 2``, ``y = i - (N - 1) / 2``. At
the angle theta it projects to the detector position ``t = x cos(theta) + y sin(theta) + centre``, in pixels. Its
weight in the ray through the middle of the detector pixel k is ::

    a(k, p) = max(0, 1 - |t - k| / m) / m      m = max(|cos(theta)|, |sin(theta)|)

That is Joseph's projector [1]_ written from the pixel's side: a ray takes one sample in every row of the image (or
every column, if it runs along the rows), interpolated linearly between the two pixels it passes between, times
the length 1 / m of its way through the row. ASTRA calls it "linear". As m <= 1, a pixel has weight in at most
two rays, the detector pixels to the left and right of t; so projecting is a gather along rays, back-projecting the
transpose of the same matrix a gather at pixels, and they are adjoint to the last bit of the weights. (The
filtered back-projection of the kernel `tomography` interpolates on the detector: the same with m = 1.)

SIRT [2]_ from x = 0, with the diagonal matrices R of 1 / (sum of a row of A) and C of 1 / (sum of a column)::

    residual[n] = |y - A x|        before the n-th correction, n = 0, 1, ...; so residual[0] = |y|
    x <- x + C A^T R (y - A x)

A ray whose sum is below `LEAST_RAY` pixels misses the image: its R is 0; a pixel no ray passes keeps 0.

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

LEAST_RAY = 0.01  # pixels of the image; what a ray that grazes a corner may be without being counted


class Reconstruction(NamedTuple):
    """What a repeat makes of a block.

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
    """Return m: of the cosine and the sine of an angle the larger in size."""
    return np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle)))


def inverse(sums: Any, least: float) -> Any:
    """Return 1 / `sums` where they are above `least`, else 0; of any array library."""
    counts = sums > least
    return counts / (sums + ~counts)
