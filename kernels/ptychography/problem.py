"""The inputs: generated frames of a known object, or the frames of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Parameters, UsageError, Work

from . import readers, scene
from .definition import PROBE_FROM, object_shape
from .options import PtychographyOptions
from .scene import Truth

C64 = NDArray[np.complex64]
Corners = NDArray[np.int32]

_PHOTONS = 1000.0  # mean per pixel: 1.6e7 per frame at 128 pixels, a tenth of a second at a third-generation source
_DEFOCUS_GUESSED = 1.15  # of the true defocus: before a reconstruction, a user knows the beam only approximately
_BLOCKS = 2  # generated at most: the verification of each needs three iterations of the reference


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The scans of one case.

    Attributes
    ----------
    blocks
        Each f32[frames, n, n]: counts of one scan, the beam at pixel n / 2, negative where not measured. One repeat
        reconstructs one scan.
    corners
        i32[frames, 2]: first row and column of each frame's window of the object.
    probe
        c64[n, n]: the first guess, with the power of the mean frame.
    iterations, finish
        Iterations of the difference map, and of the alternating projections.
    truths
        The truth of each block of a generated problem; None for a measured file.
    masked
        Number of pixels of a block that were not measured.
    """

    blocks: Sequence[Any]
    corners: Corners
    probe: C64
    iterations: int
    finish: int
    truths: Sequence[Truth] | None = None
    masked: int = 0

    @property
    def pixels(self) -> int:
        """Return n, the number of rows and of columns of a frame."""
        return int(self.probe.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of rows and columns of the object."""
        return object_shape(self.corners, self.pixels)


def survey(path: Path, options: PtychographyOptions) -> Parameters:
    """Return the numbers of frames, pixels and iterations, and the object's rows and columns, of a file."""
    return readers.survey(path, options)


def work(parameters: Parameters, options: PtychographyOptions) -> Work:
    """Return the work: two transforms per frame and iteration, and the waves read twice and written once."""
    frames, pixels = parameters["frames"], parameters["pixels"]
    iterations, finish = _iterations(parameters, options)
    steps, size = iterations + finish, float(pixels**2)
    units = float(frames * steps)
    side = scene.side(frames, pixels)
    image = float(parameters.get("rows", side) * parameters.get("columns", side))
    return Work(
        unit="frame·iteration",
        units=units,
        flop=units * (10 * size * np.log2(size) + 60 * size),
        bytes=units * 28 * size,
        messages_bytes=12.0 * (steps * image + max(0, steps + 1 - PROBE_FROM) * size),
        input_bytes=4.0 * frames * size,
        output_bytes=8.0 * (image + size) + 4.0 * steps,
        shared_bytes=8.0 * (frames + size),
    )


def make(parameters: Parameters, options: PtychographyOptions, seed: int, blocks: int) -> Problem:
    """Return generated scans of known objects with a beam that is known approximately."""
    of_input = [key for key, hint in PtychographyOptions.__annotations__.items() if "OF_INPUT" in str(hint)]
    if any(getattr(options, key) != getattr(PtychographyOptions(), key) for key in of_input):
        raise UsageError(f"the options {', '.join(of_input)} describe a file; add --input FILE, or remove them")
    frames, pixels = parameters["frames"], parameters["pixels"]
    iterations, finish = _iterations(parameters, options)
    photons = options.photons or _PHOTONS * pixels**2
    corners = scene.scan_corners(frames, pixels, options.scan, np.random.default_rng([seed, 0]))
    light = scene.focused_probe(pixels, photons)
    made, truths = [], []
    for block in range(min(blocks, _BLOCKS)):
        rng = np.random.default_rng([seed, 1, block])
        image = scene.random_object(object_shape(corners, pixels), rng)
        counts, floor = scene.counted_frames(image, light, corners, rng)
        made.append(counts)
        truths.append(Truth(object=image, probe=light, floor=floor))
    power = float(np.mean([one.sum(axis=(1, 2), dtype=np.float64).mean() for one in made]))
    return Problem(
        blocks=made,
        corners=corners,
        probe=scene.focused_probe(pixels, power, _DEFOCUS_GUESSED),
        iterations=iterations,
        finish=finish,
        truths=truths,
    )


def read(path: Path, parameters: Parameters, options: PtychographyOptions, blocks: int) -> Problem:  # noqa: ARG001  (has one)
    """Return the scan of a file, which is one block."""
    found = readers.read(path, options)
    iterations, finish = _iterations(parameters, options)
    return Problem(
        blocks=[found.counts],
        corners=found.corners,
        probe=found.probe,
        iterations=iterations,
        finish=finish,
        masked=found.masked,
    )


def _iterations(parameters: Parameters, options: PtychographyOptions) -> tuple[int, int]:
    """Return the iterations of the difference map and of the finish."""
    iterations = parameters["iterations"] if options.iterations is None else options.iterations
    finish = parameters["finish"] if options.finish is None else options.finish
    if iterations + finish < 1:
        raise UsageError("iterations and finish are both 0; at least one iteration is needed")
    return iterations, finish
