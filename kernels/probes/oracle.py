"""How the result of each probe is verified: in whole numbers, by linearity and by Parseval's theorem."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Verdict

from . import messages, starts, storage
from .options import Copies, Messages, Probe, ProbesOptions, StartStates
from .problem import POINTS, SCALE, SIGNALS, ProbesProblem

_EXACT = 0.5  # any difference between two whole numbers is larger
_CHUNK = 2**20


def expect(problem: ProbesProblem, options: ProbesOptions) -> list[Any]:  # noqa: ARG001  (in the problem)
    """Return the expected values for the result of each block."""
    judges: dict[Probe, Callable[[dict[str, Any]], Any]] = {
        "triad": lambda block: None,  # noqa: ARG005  (judged from its inputs)
        "read": lambda block: int(block["b"].astype(np.int64).sum()),
        "matmul_float32": _expect_product,
        "matmul_float64": _expect_product,
        "fft_float32": _expect_transform,
    }
    judge = judges.get(problem.probe, judges["triad"])
    return [judge(block) for block in problem.blocks]


def verify(
    problem: ProbesProblem,
    expectation: list[Any],
    block: int,
    result: Any,
    judged_as: str,  # noqa: ARG001  (all are judged alike)
) -> Verdict:
    """Return the verdict on the result of a block."""
    inputs, expected = problem.blocks[block], expectation[block]
    tolerance = _EXACT
    if problem.probe == "triad":
        error = _triad_error(inputs["b"], inputs["c"], result)
    elif problem.probe == "read":
        error = abs(float(np.asarray(result).item()) - expected)
    elif problem.probe == "fft_float32":
        error = _transform_error(expected, result)
        tolerance = 5 * math.log2(POINTS) * float(np.finfo(np.float32).eps) / 2
    elif expected is None:
        error = _error_of_the_others(problem.probe, inputs, result)
    else:
        error = _product_error(expected, result)
    return Verdict(error=error, tolerance=float(tolerance), verified_by="oracle")


def _error_of_the_others(probe: Probe, inputs: dict[str, Any], result: Any) -> float:
    if probe in get_args(Messages):
        return messages.error(probe, inputs, result)
    if probe in get_args(StartStates):
        return starts.error(inputs, result)
    return storage.error({"bytes": inputs["copied"]} if probe in get_args(Copies) else inputs, result)


def _triad_error(b: NDArray[Any], c: NDArray[Any], got: NDArray[Any]) -> float:
    """Return the largest difference; in chunks, so that the verification needs little memory."""
    if got.shape != b.shape or got.dtype != b.dtype:
        return float("nan")
    chunks = (slice(start, start + _CHUNK) for start in range(0, b.size, _CHUNK))
    return float(np.max([np.abs(b[one] + SCALE * c[one] - got[one]).max() for one in chunks]))


def _expect_product(block: dict[str, Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return r and A (B r): Freivalds' check, exact in whole numbers, so that every wrong element is detected."""
    a, b = block["a"].astype(np.float64), block["b"].astype(np.float64)
    weights = np.random.default_rng(0).integers(1, 17, b.shape[1]).astype(np.float64)
    return weights, a @ (b @ weights)


def _product_error(expected: tuple[NDArray[Any], NDArray[Any]], got: NDArray[Any]) -> float:
    weights, product = expected
    if got.shape != (product.size, weights.size):
        return float("nan")
    return float(np.abs(got.astype(np.float64) @ weights - product).max())


def _expect_transform(block: dict[str, Any]) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Return weights, the transform of the weighted sum of all signals, and the energy of all (Parseval)."""
    signal = block["signal"]
    weights = np.random.default_rng(0).choice([-1.0, 1.0], (signal.shape[0], SIGNALS))
    return weights, np.fft.fft(_weighted(weights, signal)), POINTS * _energy(signal)


def _transform_error(expected: tuple[NDArray[Any], NDArray[Any], float], got: NDArray[Any]) -> float:
    """Return by how much linearity or Parseval is violated, relative to the sum of random rounding errors.

    A transform is linear: the weighted sum of all results is the transform of the weighted sum, so that one wrong
    value anywhere is detected. In norm, the rounding errors of all signals add up as the signals themselves do.
    """
    weights, spectrum, energy = expected
    if got.shape != (weights.shape[0], POINTS, 2, SIGNALS):
        return float("nan")
    linear = np.linalg.norm(_weighted(weights, got) - spectrum) / np.linalg.norm(spectrum)
    return float(np.max([linear, abs(_energy(got) / energy - 1)]))  # NaN if either is NaN


def _weighted(weights: NDArray[Any], groups: NDArray[Any]) -> NDArray[Any]:
    total = np.zeros((POINTS, 2))
    for weight, group in zip(weights, groups, strict=True):
        total += group.astype(np.float64) @ weight
    return total[:, 0] + 1j * total[:, 1]


def _energy(groups: NDArray[Any]) -> float:
    return float(sum(np.square(group, dtype=np.float64).sum() for group in groups))
