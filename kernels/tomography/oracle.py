"""Verification: by the truth if the object is known, and by the definition at single pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Verdict, worst_of

from .definition import bandlimited_at, linear_at, pixel_grid
from .options import TomographyOptions
from .phantom import Phantom
from .problem import Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Index = NDArray[np.intp]

BANDLIMITED, OWN_FILTER = "bandlimited", "own_filter"  # judgements

LINEAR_TOLERANCE = 1e-4  # docs/reference/kernel-definitions.md; float32 sums over the angles are 100 times better
BANDLIMITED_TOLERANCE = 1e-3  # up to 512 pixels, where float32 gives 1e-4 to 4e-4 for 32 randomly drawn pixels
PEER_TOLERANCE = (
    0.05  # of 5 x 5 pixels without a known object: peers give 0.03, a centre that is wrong by half a pixel 0.06
)
TRUTH_TOLERANCE = 0.04  # at 512 pixels; direct methods and peers give 0.017: edges finer than a pixel

_FIELD = 0.45  # of the image: the radius inside which results are compared with the truth
_LINEAR_POINTS, _BANDLIMITED_POINTS, _TRUTH_POINTS, _NEIGHBOURHOODS = 2048, 32, 20_000, 256


@dataclass(frozen=True, kw_only=True)
class PixelSamples:
    """The expected values at some pixels; if the pixels have one more axis than the values, of the mean over that axis.

    `typical` is the root mean square of the image, if the pixels are too few to estimate it; 0: they are enough.
    """

    slices: Index
    rows: Index
    columns: Index
    values: F64
    typical: float = 0.0

    def error(self, volume: F32) -> float:
        """Return the root mean square difference relative to that of the image; NaN if a value is not finite.

        If all expected values are zero (rows without an object), the error of any other result is infinite.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            found = volume[self.slices, self.rows, self.columns].astype(np.float64)
            difference = (found if found.ndim == self.values.ndim else found.mean(axis=0)) - self.values
            scale = self.typical * np.sqrt(self.values.size) or np.linalg.norm(self.values)
            missed = np.linalg.norm(difference)
            return float(missed / scale) if scale > 0 else float("inf") if missed > 0 else float(missed)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The expected results of a block: by both definitions, in the field of view, and by the truth."""

    linear: PixelSamples
    bandlimited: PixelSamples
    field: PixelSamples | None  # the definition with linear interpolation, smoothed; if the object is not known
    truth: PixelSamples | None


def expect(problem: Problem, options: TomographyOptions) -> list[Expectation]:  # noqa: ARG001  (of the contract)
    """Return the expected result of each block at pixels that are drawn anew for each comparison."""
    rng = np.random.default_rng()
    size = problem.blocks[0].shape[2]
    blocks = problem.blocks
    rows, columns = rng.integers(0, size, (2, _BANDLIMITED_POINTS))
    spectral = bandlimited_at(blocks, problem.angles, problem.centre, rows, columns)
    made = []
    for index, block in enumerate(blocks):
        z, i, j = (rng.integers(0, end, _LINEAR_POINTS) for end in (block.shape[0], size, size))
        values = linear_at(block, problem.angles, problem.centre, z, i, j)
        made.append(
            Expectation(
                linear=PixelSamples(slices=z, rows=i, columns=j, values=values),
                field=None if problem.phantoms else _neighbourhoods(problem, block, rng),
                bandlimited=PixelSamples(
                    slices=np.arange(block.shape[0])[:, None],
                    rows=rows,
                    columns=columns,
                    values=spectral[index],
                    typical=float(np.sqrt((values**2).mean())),
                ),
                truth=_truth(problem.phantoms[index], block.shape[0], size, rng) if problem.phantoms else None,
            )
        )
    return made


def verify(problem: Problem, expectation: list[Expectation], block: int, result: F32, judged_as: str) -> Verdict:
    """Return the verdict on the volume of a block: that of the worst check."""
    slices, _, size = problem.blocks[block].shape
    if result.shape != (slices, size, size) or result.dtype != np.float32:
        message = f"the volume is {result.dtype}{list(result.shape)}, not float32[{slices}, {size}, {size}]"
        return Verdict(error=1.0, tolerance=0.0, verified_by="oracle", message=message)
    return worst_of(_checks(expectation[block], result, judged_as, size))


def truth_tolerance(size: int) -> float:
    """Return the tolerance for the truth: the error is at edges, whose share of the area is 1 / size."""
    return TRUTH_TOLERANCE * float(np.sqrt(512 / size))


def bandlimited_tolerance(size: int) -> float:
    """Return the tolerance for a transform in float32, whose error is 1e-4 at 512 pixels and 5e-4 at 1024."""
    return BANDLIMITED_TOLERANCE * max(1.0, size / 512) ** 2


def _checks(expected: Expectation, volume: F32, judged_as: str, size: int) -> list[Verdict]:
    """Return the verdicts of all checks that apply."""
    made: list[Verdict] = []

    def check(samples: PixelSamples, tolerance: float, by: Literal["truth", "oracle"], message: str) -> None:
        made.append(Verdict(error=samples.error(volume), tolerance=tolerance, verified_by=by, message=message))

    if expected.truth is not None:
        check(
            expected.truth,
            truth_tolerance(size),
            "truth",
            f"rms error of the density within {_FIELD} of the image",
        )
    if judged_as == BANDLIMITED:
        check(
            expected.bandlimited, bandlimited_tolerance(size), "oracle", "rms difference from the sum over frequencies"
        )
    elif judged_as != OWN_FILTER:
        check(expected.linear, LINEAR_TOLERANCE, "oracle", "rms difference from the definition in float64")
    elif expected.field is not None:
        check(
            expected.field,
            PEER_TOLERANCE,
            "oracle",
            "rms difference from the definition, for a package that pads and weights differently",
        )
    return made


def _radius(rows: Index, columns: Index, size: int) -> F64:
    grid = pixel_grid(size)
    radius: F64 = np.hypot(grid[columns], grid[rows])
    return radius


def _neighbourhoods(problem: Problem, block: F32, rng: np.random.Generator) -> PixelSamples:
    """Return the definition's means over 5 x 5 pixels: the noise of single pixels depends on the interpolation."""
    slices, _, size = block.shape
    z = rng.integers(0, slices, _NEIGHBOURHOODS)
    reach = int(_FIELD * size / np.sqrt(2))  # the square in the circle that all projections cover
    middle = rng.integers(size // 2 - reach, size // 2 + reach, (2, _NEIGHBOURHOODS))
    steps = np.arange(-2, 3)
    i, j = (middle[0] + np.repeat(steps, 5)[:, None]), (middle[1] + np.tile(steps, 5)[:, None])
    z, i, j = np.broadcast_arrays(z, i, j)
    values = linear_at(block, problem.angles, problem.centre, z.ravel(), i.ravel(), j.ravel())
    return PixelSamples(slices=z, rows=i, columns=j, values=values.reshape(i.shape).mean(axis=0))


def _truth(phantom: Phantom, slices: int, size: int, rng: np.random.Generator) -> PixelSamples:
    rows, columns = rng.integers(0, size, (2, _TRUTH_POINTS))
    seen = _radius(rows, columns, size) < _FIELD * size
    rows, columns = rows[seen], columns[seen]
    z = rng.integers(0, slices, rows.size)
    grid = pixel_grid(size)
    return PixelSamples(slices=z, rows=rows, columns=columns, values=phantom.density(z, grid[columns], grid[rows]))
