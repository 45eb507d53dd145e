"""The reference: the transform by numpy.fft. Read it first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import Resources

if TYPE_CHECKING:
    from .problem import Complex, Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[Complex], Any]:  # noqa: ARG001  (one thread)
    """Return the function that transforms a field into its spectrum, complex[kz, ky, kx]; it uses one thread."""
    return np.fft.fftn
