"""scikit-image: `iradon`, slice by slice, after the projections are shifted to its pixel grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from skimage import transform

from daasbench.authoring import Resources

from .shifting import Shift

if TYPE_CHECKING:
    from ..problem import Problem

F32 = NDArray[np.float32]

_iradon: Any = transform.iradon  # untyped


def prepare(problem: Problem, resources: Resources) -> Callable[[F32], F32]:  # noqa: ARG001  (one thread)
    """Return the function that turns a block of sinograms into a volume.

    `iradon` has the rotation axis at the centre of pixel ``Nd // 2`` of the detector and of the image. For another
    axis the sinogram is widened, so that no data are lost.
    """
    detector = problem.blocks[0].shape[2]
    margin = int(np.ceil(abs((detector - 1) / 2 - problem.centre)))
    columns = detector + 2 * margin
    grid = (columns - 1) / 2 - columns // 2  # centre of the kernel's image in the pixels of iradon
    across = grid * (np.cos(problem.angles) + np.sin(problem.angles))
    shift = Shift(detector, columns, columns // 2 + across - problem.centre)
    degrees = -np.rad2deg(problem.angles)  # its rows are in reverse order
    kept = slice(margin, margin + detector)

    def compute(sinograms: F32) -> F32:
        volume = np.empty((len(sinograms), detector, detector), np.float32)
        for image, sinogram in zip(volume, sinograms, strict=True):
            image[:] = _iradon(shift(sinogram).T, theta=degrees, circle=True, filter_name="ramp")[kept, kept]
        return volume

    return compute
