"""scipy.fft with as many workers as threads, and vectorised numpy: typical code without a specialised package.

ptypy and PyNX, which the field uses, are licensed for academic use or not on PyPI, and are therefore not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft

from daasbench.authoring import Resources

from ..definition import Library, Reconstruction, reconstruct
from ..with_numpy import add

if TYPE_CHECKING:
    from ..problem import Problem

_BATCH = 16  # frames transformed together: on two cores faster than the whole scan or than eight


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Reconstruction]:
    """Return the function that turns the frames of a scan into object, probe and R."""
    workers = resources.threads
    library = Library(
        xp=np,
        fft2=lambda waves: scipy.fft.fft2(waves, norm="ortho", workers=workers),
        ifft2=lambda spectra: scipy.fft.ifft2(spectra, norm="ortho", workers=workers, overwrite_x=True),
        add=add,
        batch=max(_BATCH, 8 * workers),
    )

    def compute(diffraction: Any) -> Reconstruction:
        return reconstruct(library, diffraction, problem.corners, problem.probe, problem.iterations, problem.finish)

    return compute
