"""The rings of the detector."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]


def radius(shape: tuple[int, int], centre: tuple[float, float]) -> F64:
    """Return the distance of each pixel from the beam: f64[rows, columns], in pixels."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    distance: F64 = np.hypot(rows - centre[0], columns - centre[1])
    return distance


def equal_rings(values: F64, rings: int, low: float, high: float) -> I32:
    """Return the ring of each pixel, 1 to `rings`, of equal width from `low` to `high` inclusive; 0 outside."""
    width = (high - low) / rings or 1.0
    inside = (values >= low) & (values <= high)
    steps = np.where(inside, (values - low) / width, -1.0)
    return np.where(inside, np.minimum(steps.astype(np.int32), rings - 1) + 1, 0).astype(np.int32)


def numbered(labels: NDArray[Any], mask: Mask) -> tuple[I32, int]:
    """Return labels without masked pixels, renumbered 1, 2, ... so that no ring is empty, and the number of rings."""
    kept = np.where(mask | (labels <= 0), 0, labels)
    values, places = np.unique(kept, return_inverse=True)
    renumbered = places.reshape(labels.shape).astype(np.int32) + (values[0] > 0)
    return renumbered, int(values.size - (values[0] <= 0))
