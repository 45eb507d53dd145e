"""ASTRA toolbox: SIRT on the CPU, with its linear projector, slice by slice.

Its linear projector is the kernel's definition. ASTRA is licensed under the GPL; it is imported only here, and only
if a user has installed it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import astra
import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

from ..definition import Reconstruction

if TYPE_CHECKING:
    from ..problem import Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


def prepare(problem: Problem, resources: Resources) -> Callable[[F32], Reconstruction]:  # noqa: ARG001  (one thread)
    """Return the function that turns a block of sinograms into a volume; its CPU code returns no residuals."""
    detector = problem.blocks[0].shape[2]
    projector = linear_projector(problem.angles, problem.centre, detector)

    def compute(sinograms: F32) -> Reconstruction:
        volume = np.empty((len(sinograms), detector, detector), np.float32)
        for image, sinogram in zip(volume, sinograms, strict=True):
            image[:] = _reconstruct(projector, sinogram, problem.iterations)
        return Reconstruction(volume, np.empty((len(sinograms), 0)))

    return compute


def linear_projector(angles: F64, centre: float, size: int) -> int:
    """Return ASTRA's projector of images of `size` pixels squared; its rows are in reverse order.

    The detector is shifted so that the axis is at `centre`; the vectors are ray, centre of the detector, pixel.
    """
    cosines, sines = np.cos(-angles), np.sin(-angles)
    shift = (size - 1) / 2 - centre
    vectors = np.column_stack([sines, -cosines, shift * cosines, shift * sines, cosines, sines])
    projections = astra.create_proj_geom("parallel_vec", size, vectors)
    projector: int = astra.create_projector("linear", projections, astra.create_vol_geom(size, size))
    return projector


def _reconstruct(projector: int, sinogram: F32, iterations: int) -> F32:
    data = astra.data2d.create("-sino", astra.projector.projection_geometry(projector), sinogram)
    image = astra.data2d.create("-vol", astra.projector.volume_geometry(projector))
    settings = astra.astra_dict("SIRT") | {
        "ProjectorId": projector,
        "ProjectionDataId": data,
        "ReconstructionDataId": image,
    }
    algorithm = astra.algorithm.create(settings)
    try:
        astra.algorithm.run(algorithm, iterations)
        made: F32 = astra.data2d.get(image)
        return made
    finally:
        astra.algorithm.delete(algorithm)
        astra.data2d.delete([data, image])
