"""scipy.ndimage: a step is a correlation with seven weights, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from daasbench.authoring import Resources

if TYPE_CHECKING:
    from ..problem import F64, Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[F64], F64]:  # noqa: ARG001  (one thread)
    """Return the function that advances a field by `steps` steps."""
    own, neighbour = problem.weights
    weights = neighbour * ndimage.generate_binary_structure(3, 1).astype(np.float64)
    weights[1, 1, 1] = own

    def compute(field: F64) -> F64:
        for _ in range(problem.steps):
            field = ndimage.correlate(field, weights, mode="wrap")
        return field

    return compute
