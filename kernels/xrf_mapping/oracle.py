"""Verification: by least squares of single spectra, by the conditions of an optimum, and by the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Verdict, worst_of

from .model import Model
from .options import XrfOptions
from .problem import Problem, Truth

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Index = NDArray[np.intp]

AREA_TOLERANCE = 1e-5  # of the largest area of a spectrum: sums of float32 over 1600 channels
KKT_TOLERANCE = 2e-5  # of the largest product of a spectrum with a component
MEAN_TOLERANCE, SPREAD_TOLERANCE = 0.05, 0.1  # of the pulls
SNIP_TOLERANCE = 0.20  # of the summed area of a strong line: SNIP follows the lower edge of the noise (0.13 measured)

_POINTS = 2048  # spectra that are fitted again
_SURE = 8.0  # standard deviations above which the condition of NNLS is hardly ever active
_STRONG = 0.05  # of all counts of families


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The expected result of a block.

    Attributes
    ----------
    pixels
        Indices of the randomly drawn spectra.
    areas
        f64[drawn, components] by least squares.
    products
        f64[drawn, components]: of the spectra with the normalised components; None except for ``nnls``.
    sigma
        f64[pixels, families]: standard deviation of a least-squares area by Poisson's law; None without truth.
    """

    pixels: Index
    areas: F64
    products: F64 | None
    sigma: F64 | None


def expect(problem: Problem, options: XrfOptions) -> list[Expectation]:  # noqa: ARG001  (of the contract)
    """Return the expected result of each block, for spectra that are drawn anew for each comparison."""
    rng = np.random.default_rng()
    return [_expected(problem, index, block, rng) for index, block in enumerate(problem.blocks)]


def verify(problem: Problem, expectation: list[Expectation], block: int, result: F32, judged_as: str) -> Verdict:  # noqa: ARG001  (all are verified alike)
    """Return the verdict on the areas of a block: that of the worst check."""
    shape = (len(problem.blocks[block]), len(problem.model.names))
    if result.shape != shape or result.dtype != np.float32:
        message = f"the areas are {result.dtype}{list(result.shape)}, not float32{list(shape)}"
        return Verdict(error=1.0, tolerance=0.0, verified_by="oracle", message=message)
    expected = expectation[block]
    with np.errstate(invalid="ignore", over="ignore"):
        checks = [_against_definition(problem.model, expected, result)]
        if problem.truth is not None and expected.sigma is not None:
            checks.append(_against_truth(problem, problem.truth.areas[block], expected.sigma, result))
        if not np.isfinite(result).all():
            checks.append(Verdict(error=None, tolerance=0.0, verified_by="oracle", message="an area is not finite"))
    return worst_of(checks)


def snip_of(spectrum: F64, width: int) -> F64:
    """Return the SNIP background of one spectrum, channel by channel."""
    background = list(map(float, spectrum))
    for p in range(width, 0, -1):
        before = list(background)
        for i in range(p, len(before) - p):
            background[i] = min(before[i], (before[i - p] + before[i + p]) / 2)
    return np.array(background)


def _expected(problem: Problem, index: int, block: Any, rng: np.random.Generator) -> Expectation:
    model = problem.model
    points = _POINTS // 64 if problem.method == "snip" else _POINTS
    pixels = np.sort(rng.choice(len(block), min(points, len(block)), replace=False))
    spectra = block[pixels, model.first : model.last].astype(np.float64)
    sigma = None if problem.truth is None else _sigma(model, problem.truth, problem.truth.areas[index])
    products = spectra @ (model.matrix / model.norms) if problem.method == "nnls" else None
    if problem.method == "snip":
        spectra -= [snip_of(spectrum, problem.snip_width) for spectrum in spectra]
    areas = np.linalg.lstsq(model.matrix, spectra.T, rcond=None)[0].T
    return Expectation(pixels=pixels, areas=areas, products=products, sigma=sigma)


def _sigma(model: Model, truth: Truth, areas: F64) -> F64:
    """Return the standard deviations of ``P y``, where y has Poisson's variance ``columns @ areas``."""
    variances = areas @ (model.pseudo_inverse[: model.elements] ** 2 @ truth.columns).T
    return np.sqrt(variances)


def _against_definition(model: Model, expected: Expectation, result: F32) -> Verdict:
    found = result[expected.pixels].astype(np.float64)
    if expected.products is not None:
        message = "largest violation of the conditions of an optimum (Karush, Kuhn and Tucker)"
        error = float(np.max(kkt_violation(found * model.norms, expected.products, model.gram)))
        return Verdict(error=error, tolerance=KKT_TOLERANCE, verified_by="oracle", message=message)
    scale = np.abs(expected.areas).max(axis=1, keepdims=True)
    error = float(np.max(np.abs(found - expected.areas) / np.where(scale > 0, scale, 1)))
    message = "largest difference from the least-squares areas, of the largest area of the spectrum"
    return Verdict(error=error, tolerance=AREA_TOLERANCE, verified_by="oracle", message=message)


def kkt_violation(x: F64, products: F64, gram: F64) -> F64:
    """Return f64[pixels]: the violation of the conditions of non-negative least squares, of the largest product.

    The gradient must be zero where x is positive, and non-negative where x is zero; x must not be negative.
    """
    gradient = x @ gram - products
    wrong = np.where(x > 0, np.abs(gradient), np.maximum(-gradient, 0))
    wrong = np.maximum(wrong, np.where(x < 0, np.inf, 0))
    wrong = np.where(np.isfinite(x), wrong, np.nan)
    scale = np.abs(products).max(axis=1)
    violation: F64 = wrong.max(axis=1) / np.where(scale > 0, scale, 1)
    return violation


def _against_truth(problem: Problem, areas: F64, sigma: F64, result: F32) -> Verdict:
    elements = problem.model.elements
    found, true = result[:, :elements].astype(np.float64), areas[:, :elements]
    if problem.method == "snip":
        strong = true.sum(axis=0) > _STRONG * true.sum()
        error = float(np.max(np.abs(found.sum(axis=0) / true.sum(axis=0) - 1)[strong]))
        message = "error of the summed area of a strong line"
        return Verdict(error=error, tolerance=SNIP_TOLERANCE, verified_by="truth", message=message)
    sure = true > _SURE * sigma if problem.method == "nnls" else np.ones_like(true, bool)
    pulls = ((found - true) / sigma)[sure]
    error = float(np.maximum(np.abs(pulls.mean()) / MEAN_TOLERANCE, np.abs(pulls.std() - 1) / SPREAD_TOLERANCE))
    message = f"pulls: mean {pulls.mean():.3f}, deviation {pulls.std():.3f}, relative to the tolerance"
    return Verdict(error=error, tolerance=1.0, verified_by="truth", message=message)
