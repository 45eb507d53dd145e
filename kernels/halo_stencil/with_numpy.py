"""The reference: the steps exactly as in the formula. Read it first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from daasbench.authoring import Resources

if TYPE_CHECKING:
    from .problem import F64, Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[F64], F64]:  # noqa: ARG001  (one thread)
    """Return the function that advances a field by `steps` steps; it uses one thread."""
    own, neighbour = problem.weights

    def compute(field: F64) -> F64:
        for _ in range(problem.steps):
            around = np.roll(field, 1, axis=2)
            for shift, axis in ((-1, 2), (1, 1), (-1, 1), (1, 0), (-1, 0)):
                around += np.roll(field, shift, axis=axis)
            around *= neighbour
            around += own * field
            field = around
        return field

    return compute
