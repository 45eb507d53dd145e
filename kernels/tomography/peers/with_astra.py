"""ASTRA toolbox: filtered back-projection on the CPU, with its linear projector, slice by slice.

ASTRA is licensed under the GPL; it is imported only here, and only if a user has installed it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import astra
import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

from .shifting import Shift

if TYPE_CHECKING:
    from ..problem import Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


def prepare(problem: Problem, resources: Resources) -> Callable[[F32], F32]:  # noqa: ARG001  (one thread)
    """Return the function that turns a block of sinograms into a volume.

    Its filtered back-projection has the rotation axis at the centre of the detector. For another axis the sinogram is
    widened and shifted.
    """
    _, angles, detector = problem.blocks[0].shape
    columns = detector + 2 * int(np.ceil(abs((detector - 1) / 2 - problem.centre)))
    shift = Shift(detector, columns, np.full(angles, (columns - 1) / 2 - problem.centre))
    projector = linear_projector(problem.angles, columns, detector)

    def compute(sinograms: F32) -> F32:
        volume = np.empty((len(sinograms), detector, detector), np.float32)
        for image, sinogram in zip(volume, sinograms, strict=True):
            image[:] = _reconstruct(projector, sinogram if columns == detector else shift(sinogram))
        return volume

    return compute


def linear_projector(angles: F64, columns: int, size: int) -> int:
    """Return ASTRA's linear projector of images of `size` pixels squared; its rows are in reverse order."""
    projections = astra.create_proj_geom("parallel", 1.0, columns, -angles)
    projector: int = astra.create_projector("linear", projections, astra.create_vol_geom(size, size))
    return projector


def _reconstruct(projector: int, sinogram: F32) -> F32:
    data = astra.data2d.create("-sino", astra.projector.projection_geometry(projector), sinogram)
    image = astra.data2d.create("-vol", astra.projector.volume_geometry(projector))
    settings = astra.astra_dict("FBP") | {
        "ProjectorId": projector,
        "ProjectionDataId": data,
        "ReconstructionDataId": image,
        "option": {"FilterType": "ram-lak"},
    }
    algorithm = astra.algorithm.create(settings)
    try:
        astra.algorithm.run(algorithm)
        made: F32 = astra.data2d.get(image)
        return made
    finally:
        astra.algorithm.delete(algorithm)
        astra.data2d.delete([data, image])
