"""The oracle: the reference, exact photon sums, fits by scipy, the known strain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import leastsq

from daasbench.authoring import Verdict, worst_of

from . import crystal, definition
from .gaussian import SQRT_2_PI
from .grid import NOWHERE, Grid
from .options import NanostrainOptions
from .problem import Problem
from .results import Analysed, Fitted, Gridded

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Result = Analysed | Fitted | Gridded

VOLUME_TOLERANCE = 3e-7  # counts are exact; two roundings of float32 remain
FIT_TOLERANCE = 1e-6  # in sigma for the centre; relative for the area and sigma
TRUTH_TOLERANCE = 0.02  # sigma, rms over the positions
REFITTED = 6  # projections of a block, drawn anew for each comparison, that scipy fits
SAMPLED = 4  # positions of a block whose volumes are compared, drawn anew for each result

OWN_VOXELS = "own_voxels"  # a judgement; the others are in OWN_FIT_TOLERANCE

OWN_FIT_TOLERANCE = {"fit_1e-5": 1e-5, "fit_1e-3": 1e-3, OWN_VOXELS: 0.15}
MOVED_PHOTONS = 5e-3  # share of all photons, for implementations with their own rule for voxels


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What the result of a block must be.

    Attributes
    ----------
    photons
        Of each position, the sum of its unmasked pixels; None for stage ``fits``.
    projections
        f32[positions, bins], of the reference.
    gaussians
        f64[positions, 3, 3], of the reference.
    refitted
        Positions and axes that scipy fitted, and its results, f64[..., 3].
    """

    photons: Any
    projections: F32
    gaussians: F64
    refitted: tuple[Any, Any, F64]


def expect(problem: Problem, options: NanostrainOptions) -> list[Expectation]:  # noqa: ARG001  (of the contract)
    """Return the expectation for each block; the projections that scipy fits are drawn anew each time."""
    rng = np.random.default_rng()
    grid, made = problem.grid, []
    unmasked = grid.voxel_of != NOWHERE
    for block in problem.blocks:
        photons, projections = None, block
        if problem.stage != "fits":
            photons = np.array([int(scan.ravel()[unmasked].sum(dtype=np.int64)) for scan in block])
            volumes = (definition.photon_volume(grid, scan) for scan in block)
            projections = np.stack([definition.project(grid, counts) for counts in volumes])
        gaussians = definition.fit_all(grid, projections)
        made.append(
            Expectation(
                photons=photons,
                projections=projections,
                gaussians=gaussians,
                refitted=_refit(problem, projections, gaussians, rng),
            )
        )
    return made


def verify(problem: Problem, expectation: list[Expectation], block: int, result: Result, judged_as: str) -> Verdict:
    """Return the verdict on a result: that of the check with the largest error relative to its tolerance."""
    expected = expectation[block]
    if misshapen := _misshapen(problem, len(problem.blocks[block]), result):
        return Verdict(error=float("inf"), tolerance=0.0, verified_by="oracle", message=misshapen)
    verdicts: list[Verdict] = []
    if isinstance(result, Gridded):
        verdicts.append(_volumes(problem, problem.blocks[block], result, judged_as))
    if isinstance(result, Analysed):
        verdicts += _projections(problem, expected, block, result, judged_as)
    if not isinstance(result, Gridded):
        verdicts += _fits(problem, expected, block, result, judged_as)
    if not isinstance(result, Fitted):
        wrong = np.count_nonzero(np.asarray(result.photons) != expected.photons)
        verdicts.append(_verdict(float(wrong), 0.5, "positions with a wrong sum of photons"))
    return worst_of(verdicts)


def _verdict(error: float, tolerance: float, message: str, by: Literal["oracle", "truth"] = "oracle") -> Verdict:
    return Verdict(error=float(error), tolerance=tolerance, verified_by=by, message=message)


def _misshapen(problem: Problem, positions: int, result: Result) -> str:
    """Return what is wrong with types and shapes; an empty string if they are correct."""
    grid = problem.grid
    right = {
        "volumes": ((positions, *grid.shape), "float32"),
        "photons": ((positions,), "int64"),
        "brightest": ((positions,), "float32"),
        "projections": ((positions, grid.bins), "float32"),
        "gaussians": ((positions, 3, 3), "float64"),
    }
    for name, (shape, kind) in right.items():
        array = getattr(result, name, None)
        if array is not None and (array.shape != shape or array.dtype != kind):
            return f"{name}: {array.dtype}{list(array.shape)}, not {kind}{list(shape)}"
    return ""


def _difference(found: Any, right: Any) -> float:
    """Return the largest relative difference; if 0 is correct, the difference of any other number is infinite."""
    found, right = np.asarray(found, np.float64), np.asarray(right, np.float64)
    apart = np.abs(found - right)
    return float(np.where(apart == 0, 0.0, apart / np.where(right == 0, np.finfo(float).tiny, np.abs(right))).max())


def _moved(found: Any, right: Any) -> float:
    """Return the share of counts in other voxels, for a package with another rule for the edges of voxels."""
    found, right = np.asarray(found, np.float64), np.asarray(right, np.float64)
    return float(np.abs(found - right).sum() / np.abs(right).sum())


def _volumes(problem: Problem, frames: Any, result: Gridded, judged_as: str) -> Verdict:
    """Return the verdict on the volumes of random positions, compared with those of the reference."""
    grid = problem.grid
    chosen = np.random.default_rng().permutation(len(frames))[:SAMPLED]
    hits = grid.hits.reshape(grid.shape)
    right = np.stack([definition.mean_counts(definition.photon_volume(grid, frames[p]), hits) for p in chosen])
    if judged_as == OWN_VOXELS:
        error, message = _moved(result.volumes[chosen], right), "share of the counts in other voxels"
        return _verdict(error, MOVED_PHOTONS, message)
    error = _difference(result.volumes[chosen], right)
    return _verdict(error, VOLUME_TOLERANCE, "volumes compared with numpy.bincount in float64")


def _projections(
    problem: Problem, expected: Expectation, block: int, result: Analysed, judged_as: str
) -> list[Verdict]:
    if judged_as == OWN_VOXELS:
        error = _moved(result.projections, expected.projections)
        return [_verdict(error, MOVED_PHOTONS, "share of the projections in other bins")]
    frames = problem.blocks[block]
    chosen = np.random.default_rng().permutation(len(frames))[:SAMPLED]
    hits = problem.grid.hits.reshape(problem.grid.shape)
    right = [definition.mean_counts(definition.photon_volume(problem.grid, frames[p]), hits).max() for p in chosen]
    return [
        _verdict(_difference(result.projections, expected.projections), VOLUME_TOLERANCE, "projections"),
        _verdict(_difference(result.brightest[chosen], right), VOLUME_TOLERANCE, "the brightest voxel"),
    ]


def _fits(
    problem: Problem, expected: Expectation, block: int, result: Analysed | Fitted, judged_as: str
) -> list[Verdict]:
    """Return the verdicts by the reference, by scipy, and by the known strain."""
    tolerance = OWN_FIT_TOLERANCE.get(judged_as, FIT_TOLERANCE)
    positions, axes, by_scipy = expected.refitted
    made = [
        _verdict(_apart(result.gaussians, expected.gaussians), tolerance, "fits compared with the reference, in sigma"),
        _verdict(_apart(result.gaussians[positions, axes], by_scipy), tolerance, "fits compared with scipy, in sigma"),
    ]
    if problem.crystals is not None:
        missed = (result.gaussians[:, :, 1] - problem.crystals[block].peaks) / crystal.WIDTHS
        rms = float(np.sqrt(np.mean(missed**2, axis=0)).max())
        made.append(_verdict(rms, TRUTH_TOLERANCE, "centres compared with the known strain, rms, in sigma", "truth"))
    return made


def _apart(found: Any, right: F64) -> float:
    """Return the largest difference: centres in sigma, areas and sigmas relative; NaN must be NaN in both."""
    if right.size == 0:
        return 0.0
    none = np.isnan(right).all(axis=-1)
    if not np.array_equal(np.isnan(found).all(axis=-1), none):
        return float("nan")
    scale = np.abs(right).copy()
    scale[..., 1] = scale[..., 2]
    return float(np.max(np.abs(found - right)[~none] / scale[~none], initial=0.0))


def _refit(problem: Problem, projections: F32, gaussians: F64, rng: np.random.Generator) -> tuple[Any, Any, F64]:
    """Return some positions and axes, and their fits by scipy to the last digit, from the starting values of xsocs.

    With the noise of a measured file there may be several minima; if scipy finds another minimum, the fit is excluded.
    """
    grid = problem.grid
    fitted = np.argwhere(~np.isnan(gaussians[..., 1]))
    places, found = [], []
    for position, axis in fitted[rng.permutation(len(fitted))[:REFITTED]]:
        middles, signal = grid.centres(axis), _projection(grid, projections, position, axis)
        by_scipy = scipy_fit(middles, signal)
        ours, theirs = (np.sum(_missed(at, middles, signal) ** 2) for at in (gaussians[position, axis], by_scipy))
        if problem.crystals is not None or abs(ours - theirs) <= 1e-3 * theirs:
            places.append((position, axis))
            found.append(by_scipy)
    chosen = np.array(places, int).reshape(-1, 2)
    return chosen[:, 0], chosen[:, 1], np.array(found).reshape(-1, 3)


def _missed(at: F64, axis: F64, projection: F64) -> F64:
    """Return the difference of a Gaussian of this area, centre and sigma from a projection."""
    area, centre, sigma = at
    left: F64 = area / (SQRT_2_PI * sigma) * np.exp(-0.5 * ((axis - centre) / sigma) ** 2) - projection
    return left


def _projection(grid: Grid, projections: F32, position: int, axis: int) -> F64:
    start = grid.starts[axis]
    signal: F64 = projections[position, start : start + grid.shape[axis]].astype(np.float64)
    return signal


def scipy_fit(axis: F64, projection: F64) -> F64:
    """Return area, centre and sigma by ``scipy.optimize.leastsq``, with tolerances that make the result unique."""

    def slopes(at: F64, *_: F64) -> F64:
        area, centre, sigma = at
        u = (axis - centre) / sigma
        model = area / (SQRT_2_PI * sigma) * np.exp(-0.5 * u * u)
        return np.stack([model / area, model * u / sigma, model * (u * u - 1) / sigma])

    area = projection.sum() * (axis[-1] - axis[0]) / len(axis)
    start = float(area), float(axis[projection.argmax()]), float(area / (projection.max() * SQRT_2_PI))
    found = leastsq(
        _missed,
        start,
        (axis, projection),
        slopes,
        full_output=True,
        col_deriv=True,
        ftol=1e-15,
        xtol=1e-15,
        gtol=0.0,
        maxfev=1000,
    )[0]
    return np.array([found[0], found[1], abs(found[2])])
