"""The Lanczos steps that the compiled implementations share, with two vectors in addition to the start vector.

Vectors are not normalised; their lengths are kept separately, so that no pass over memory is needed for a division:
u_j = v_j |u_j|.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .definition import coefficients

F64 = NDArray[np.float64]

Product = Callable[[Any, Any, Any, float, float], float]
"""(out, vector, before, scale, weight): out = scale H vector - weight before; returns vector · out."""

Subtract = Callable[[Any, Any, float], float]
"""(out, vector, weight): out -= weight vector; returns out · out."""


def run(
    start: Any, spare: tuple[Any, Any], steps: int, square: Callable[[Any], float], product: Product, subtract: Subtract
) -> dict[str, F64]:
    """Return `alpha`, `beta` and `energy` (see :func:`.definition.coefficients`) of `steps` products from `start`.

    Parameters
    ----------
    spare
        Two vectors that are overwritten; `start` is not changed.
    square
        Function that returns start · start.
    """
    vector, out, other = start, *spare
    before, weight = out, 0.0  # has no weight, but must be finite
    scale = 1 / math.sqrt(square(start))
    alpha: list[float] = []
    beta: list[float] = []
    for step in range(steps):
        alpha.append(scale * product(out, vector, before, scale, weight))
        if step == steps - 1:
            break
        beta.append(math.sqrt(subtract(out, vector, alpha[-1] * scale)))
        weight = beta[-1] * scale
        before, vector = vector, out
        out = other if step == 0 else before
        scale = 1 / beta[-1]
    return coefficients(alpha, beta)
