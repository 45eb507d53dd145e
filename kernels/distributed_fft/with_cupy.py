"""The transform on one GPU, by cuFFT."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from daasbench.authoring import Resources

if TYPE_CHECKING:
    from .problem import Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:  # noqa: ARG001  (one device)
    """Return the function that transforms a field on the device into its spectrum on it, complex[kz, ky, kx]."""
    import cupy

    return in_library(cupy)


def in_library(xp: Any) -> Callable[[Any], Any]:
    """Return the same function for any array library with a module ``fft``; CuPy makes its plans in the first call."""
    return lambda field: xp.fft.fftn(field)
