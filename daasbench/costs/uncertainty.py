"""Uncertain inputs: priors, draws, quantiles, and which input an answer depends on most.

Draws are float64 arrays, one element per draw; every function of a cost takes them in place of a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from daasbench.errors import UsageError

Draws: TypeAlias = NDArray[np.float64]
DRAWS = 10_000
P5, P50, P95 = 0.05, 0.5, 0.95
_Z_P95 = 1.6448536269514722  # standard normal quantile of 0.95


class Shape(StrEnum):
    """The distribution of an uncertain number; `low` and `high` are its P5 and P95, or the ends of a triangle."""

    FIXED = "fixed"
    TRIANGULAR = "triangular"  # between `low` and `high`, most likely at `value`
    LOG_NORMAL = "log-normal"  # median `value`, P5 and P95 about `low` and `high`
    UNIFORM = "uniform"
    LOG_UNIFORM = "log-uniform"


class Mark(StrEnum):
    """How well a number is known."""

    READ = "read"  # read in its source, or measured
    FROM_MEMORY = "to be verified"  # general knowledge, not yet compared with a source
    ASSUMED = "assumed"  # a site replaces it by its own value


class Prior(msgspec.Struct, frozen=True, kw_only=True):
    """A number with its range, its source and how well it is known.

    Raises
    ------
    UsageError
        If the range does not hold the value, or the shape needs positive numbers and has others.
    """

    value: float
    low: float | None = None
    high: float | None = None
    shape: Shape = Shape.TRIANGULAR
    source: str = ""
    mark: Mark = Mark.ASSUMED

    def __post_init__(self) -> None:
        low, high = self.low, self.high
        if (low is None) != (high is None):
            raise UsageError(f"a range needs both ends: low {low}, high {high}")
        if low is None or high is None:
            return
        if not (math.isfinite(low) and math.isfinite(high) and low <= self.value <= high):
            raise UsageError(f"the value {self.value} is not within its range, {low} to {high}")
        if self.shape in (Shape.LOG_NORMAL, Shape.LOG_UNIFORM) and low <= 0:
            raise UsageError(f"{self.shape}: the range {low} to {high} must be above 0")

    def draw(self, rng: np.random.Generator, count: int = DRAWS) -> Draws:
        """Return `count` draws, shape (count,); all equal where there is no range."""
        if self.low is None or self.high is None or self.low == self.high or self.shape is Shape.FIXED:
            return np.full(count, self.value)
        if self.shape is Shape.TRIANGULAR:
            return rng.triangular(self.low, self.value, self.high, count)
        if self.shape is Shape.UNIFORM:
            return rng.uniform(self.low, self.high, count)
        if self.shape is Shape.LOG_UNIFORM:
            return np.exp(rng.uniform(math.log(self.low), math.log(self.high), count))
        sigma = math.log(self.high / self.low) / (2 * _Z_P95)
        return self.value * np.exp(sigma * rng.standard_normal(count))

    def end(self, share: float) -> float:
        """Return the quantile of the prior at `share`, from 20 001 equally probable points of its own."""
        return float(np.quantile(self.draw(np.random.default_rng(0), 20_001), share))


class Quantiles(msgspec.Struct, frozen=True):
    """P5, P50 and P95 of a simulated number."""

    p5: float
    p50: float
    p95: float


def quantiles(draws: Draws) -> Quantiles:
    """Return P5, P50 and P95; raise UsageError if a draw is not a number."""
    if np.isnan(draws).any():
        raise UsageError(f"{int(np.isnan(draws).sum())} of {len(draws)} simulated values are not numbers")
    low, middle, high = np.quantile(draws, [P5, P50, P95], method="median_unbiased")
    return Quantiles(float(low), float(middle), float(high))


def draw_all(priors: Mapping[str, Prior], seed: int, count: int = DRAWS) -> dict[str, Draws]:
    """Return draws of each prior, independent of each other; the same seed and name give the same draws."""
    return {name: prior.draw(_generator(seed, name), count) for name, prior in priors.items()}


def bootstrap(process_medians: Sequence[float], seed: int, count: int = DRAWS) -> Draws:
    """Return the geometric mean of resampled processes, shape (count,): how benchmark noise enters a cost.

    Parameters
    ----------
    process_medians
        The median of each process, seconds, above 0.
    """
    logs = np.log(np.asarray(process_medians, np.float64))
    if not logs.size or not np.isfinite(logs).all():
        raise UsageError("a bootstrap needs at least one median, and all of them positive and finite")
    picks = np.random.default_rng(seed).integers(0, len(logs), (count, len(logs)))
    means: Draws = np.exp(logs[picks].mean(axis=1))
    return means


def probability_cheaper(first: Draws, second: Draws) -> float:
    """Return the share of draws in which `first` costs less than `second`; a tie counts half."""
    return float((first < second).mean() + 0.5 * (first == second).mean())


class TornadoBar(msgspec.Struct, frozen=True, kw_only=True):
    """The answer with one input at its P10 and at its P90, all others at their value."""

    name: str
    at_p10: float
    at_p90: float

    @property
    def swing(self) -> float:
        """Return how far the answer moves."""
        return abs(self.at_p90 - self.at_p10)


def tornado(answer: Callable[[Mapping[str, float]], float], priors: Mapping[str, Prior]) -> list[TornadoBar]:
    """Return the swing of the answer for each uncertain input, the largest first."""
    middle = {name: prior.value for name, prior in priors.items()}
    bars = []
    for name, prior in priors.items():
        low, high = prior.end(0.1), prior.end(0.9)
        if low < high:
            ends = (answer(middle | {name: low}), answer(middle | {name: high}))
            bars.append(TornadoBar(name=name, at_p10=ends[0], at_p90=ends[1]))
    return sorted(bars, key=lambda bar: (-bar.swing, bar.name))


def _generator(seed: int, name: str) -> np.random.Generator:
    """Return a generator for one input, so that adding an input does not change the draws of the others."""
    return np.random.default_rng([seed, *name.encode()])
