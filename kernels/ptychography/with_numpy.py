"""The algorithm of `definition.py` with numpy, frame by frame: the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import Resources

from .definition import Corners, Library, Reconstruction, reconstruct

if TYPE_CHECKING:
    from .problem import Problem

_BATCH = 8  # frames whose temporary arrays stay in the cache


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Reconstruction]:  # noqa: ARG001  (one thread)
    """Return the function that turns the frames of a scan into object, probe and R."""

    def compute(diffraction: Any) -> Reconstruction:
        return reconstruct(LIBRARY, diffraction, problem.corners, problem.probe, problem.iterations, problem.finish)

    return compute


def add(total: Any, waves: Any, corners: Corners) -> None:
    """Add each wave to the window of `total` at its corner."""
    pixels = waves.shape[-1]
    for wave, (row, column) in zip(waves, corners, strict=True):
        total[row : row + pixels, column : column + pixels] += wave


LIBRARY = Library(
    xp=np,
    fft2=lambda waves: np.fft.fft2(waves, norm="ortho"),
    ifft2=lambda spectra: np.fft.ifft2(spectra, norm="ortho"),
    add=add,
    batch=_BATCH,
)
