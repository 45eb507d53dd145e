"""Filtered back-projection as in the textbooks: the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

from .definition import padded_length, pixel_grid, ramp

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]


def prepare(problem: Problem, resources: Resources) -> Callable[[F32], F32]:  # noqa: ARG001  (one thread)
    """Return the function that turns a block of sinograms into a volume; it uses one thread."""
    detector = problem.blocks[0].shape[2]
    response = ramp_response(detector, problem.angles.size)
    across = pixel_grid(detector)

    def compute(sinograms: F32) -> F32:
        filtered = filter_projections(sinograms, response)
        volume = np.zeros((sinograms.shape[0], detector, detector), np.float32)
        for index, angle in enumerate(problem.angles):
            # position of every pixel on the detector; + 1 for the zero before the detector's first pixel
            position = np.add.outer(across * np.sin(angle), across * np.cos(angle)) + problem.centre + 1
            position = position.clip(0, detector + 1)
            left = np.minimum(position.astype(np.intp), detector)
            weight = (position - left).astype(np.float32)
            for image, projection in zip(volume, filtered[:, index], strict=True):
                image += projection[left] * (1 - weight) + projection[left + 1] * weight
        return volume

    return compute


def filter_projections(sinograms: F32, response: F32) -> F32:
    """Return f32[slices, angles, 1 + detector + 1]: projections filtered, a zero at either end."""
    detector = sinograms.shape[2]
    spectrum = np.fft.rfft(sinograms, padded_length(detector))
    filtered = np.fft.irfft(spectrum * response, padded_length(detector))[..., :detector]
    return np.pad(filtered, ((0, 0), (0, 0), (1, 1)))


def ramp_response(detector: int, angles: int) -> F32:
    """Return f32[padded_length / 2 + 1]: the Fourier transform of the ramp, times pi / Ntheta.

    The ramp is sampled in space and transformed. If it were sampled in Fourier space, as a modulus, it would be zero
    at frequency zero, and the mean of the image would be lost.
    """
    length = padded_length(detector)
    offsets = (np.arange(length) + length // 2) % length - length // 2  # 0, 1, ... -2, -1
    return (np.fft.rfft(ramp(offsets)).real * np.pi / angles).astype(np.float32)
