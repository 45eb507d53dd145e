"""The reference: unpack a frame by the HDF5 library, sum its pixels in bins, divide, write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from daasbench.authoring import Resources
from daasbench.formats.chunks import FileImage

from .definition import frames_of, sums_of
from .powder import NO_DATA
from .profiles import Profiles, finish

if TYPE_CHECKING:
    from .problem import Problem


def prepare(problem: Problem, resources: Resources | None = None) -> Callable[[FileImage], Profiles]:  # noqa: ARG001
    """Return ``compute(image)``."""

    def compute(image: FileImage) -> Profiles:
        signal = np.zeros((image.frames, problem.bins), np.uint64)
        lost = np.zeros(signal.shape)
        for index, frame in enumerate(frames_of(image, "the block")):
            signal[index] = sums_of(frame, problem.bin_of_pixel, problem.bins)
            empty = frame.ravel() == NO_DATA
            lost[index] = np.bincount(
                problem.bin_of_pixel[empty], weights=problem.solid_angle[empty], minlength=problem.bins + 1
            )[: problem.bins]
        return finish(signal, lost, problem.norm, problem.q)

    return compute
