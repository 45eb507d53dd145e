"""pyFAI with h5py: the loop of a usual script, and a pipeline of two threads, one that reads and one that integrates.

The look-up table is made beforehand, by the first frame.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyFAI.detectors import Detector
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

from daasbench.authoring import Resources
from daasbench.formats.chunks import FileImage

from ..definition import frames_of
from ..powder import NO_DATA
from ..profiles import Profiles, written

if TYPE_CHECKING:
    from ..problem import Problem

EPSILON = float(np.finfo(np.float32).eps)  # pyFAI extends the upper end of a range by this
AHEAD = 4  # the largest number of frames that wait between the threads

Frames = Iterable[NDArray[np.uint32]]


def prepare(problem: Problem, resources: Resources) -> Callable[[FileImage], Profiles]:  # noqa: ARG001  (OpenMP obeys the harness)
    """Return ``compute(image)``: read a frame, integrate it, read the next."""
    return _pipeline(problem, lambda image: frames_of(image, "the block"))


def prepare_threads(problem: Problem, resources: Resources) -> Callable[[FileImage], Profiles]:  # noqa: ARG001
    """Return ``compute(image)``: one thread reads and unpacks ahead, one integrates."""
    return _pipeline(problem, lambda image: _ahead(frames_of(image, "the block")))


def _pipeline(problem: Problem, frames: Callable[[FileImage], Frames]) -> Callable[[FileImage], Profiles]:
    at = problem.geometry
    integrator = AzimuthalIntegrator(
        dist=at.distance_m,
        poni1=at.beam_row * at.pixel_m,
        poni2=at.beam_column * at.pixel_m,
        wavelength=at.wavelength_m,
        detector=Detector(at.pixel_m, at.pixel_m, max_shape=at.shape, orientation=3),
    )
    call: dict[str, Any] = {
        "npt": problem.bins,
        "unit": "q_nm^-1",
        "radial_range": (0.0, at.q_max() / (1 + EPSILON)),
        "method": ("no", "csr", "cython"),
        "mask": problem.mask.astype(np.int8),
        "dummy": NO_DATA,
    }

    def integrate(frame: NDArray[np.uint32]) -> NDArray[np.float64]:
        result = integrator.integrate1d(frame, **call)
        filled = np.asarray(result.sum_normalization) > 0
        return np.where(filled, result.intensity, 0.0).astype(np.float64)

    def compute(image: FileImage) -> Profiles:
        return written(np.stack([integrate(frame) for frame in frames(image)]), None, problem.q)

    integrate(next(iter(frames_of(problem.blocks[0], "the block"))))
    return compute


def _ahead(frames: Iterator[NDArray[np.uint32]]) -> Iterator[NDArray[np.uint32]]:
    """Yield frames that another thread reads; an exception in that thread is raised again."""
    waiting: queue.Queue[Any] = queue.Queue(AHEAD)

    def fill() -> None:
        try:
            for frame in frames:
                waiting.put(frame)
            waiting.put(None)
        except Exception as error:  # every exception is passed to the thread that waits
            waiting.put(error)

    reader = threading.Thread(target=fill)
    reader.start()
    while (found := waiting.get()) is not None:
        if isinstance(found, Exception):
            reader.join()
            raise found
        yield found
    reader.join()
