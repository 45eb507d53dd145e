"""Interruptible instances: expected time to finish with interruptions and checkpoints, exact and simulated.

References
----------
.. [1] J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps",
   Future Generation Computer Systems 22 (2006) 303-312, doi:10.1016/j.future.2004.11.016
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daasbench.errors import UsageError

BUCKET_HOURS = 730.0  # the Spot Advisor counts interruptions per month


@dataclass(frozen=True, kw_only=True)
class SpotWork:
    """Work on an interruptible instance, in hours.

    Raises
    ------
    UsageError
        If a number cannot be.
    """

    work_h: float
    hazard_per_h: float  # interruptions per hour
    restart_h: float = 0.0
    checkpoint_every_h: float | None = None  # of work; None: no checkpoints
    checkpoint_h: float = 0.0  # what writing one takes

    def __post_init__(self) -> None:
        every = self.checkpoint_every_h
        numbers = (self.work_h, self.hazard_per_h, self.restart_h, self.checkpoint_h)
        if not all(math.isfinite(n) and n >= 0 for n in numbers) or self.work_h == 0:
            raise UsageError("spot: work is above 0 hours; hazard, restart and checkpoint are finite and 0 or more")
        if every is not None and not every > 0:
            raise UsageError(f"spot: a checkpoint every {every} h; write a number of hours above 0, or none")

    @property
    def segments(self) -> float:
        """Return the number of pieces of work that end with a checkpoint; the last one may be a part."""
        return 1.0 if self.checkpoint_every_h is None else self.work_h / self.checkpoint_every_h

    @property
    def segment_h(self) -> float:
        """Return how long a piece takes without an interruption, its checkpoint included."""
        if self.checkpoint_every_h is None:
            return self.work_h
        return self.checkpoint_every_h + self.checkpoint_h


def expected_hours(spot: SpotWork) -> float:
    """Return the expected time to finish: ``(1/L + R) (exp(L (t + d)) - 1) W / t`` (reference 1)."""
    hazard = spot.hazard_per_h
    if hazard == 0:
        return spot.segments * spot.segment_h
    return (1 / hazard + spot.restart_h) * math.expm1(hazard * spot.segment_h) * spot.segments


def best_interval_h(hazard_per_h: float, checkpoint_h: float) -> float:
    """Return about the best time between checkpoints, ``sqrt(2 d / L)``; infinite without interruptions."""
    return math.inf if hazard_per_h == 0 else math.sqrt(2 * checkpoint_h / hazard_per_h)


def simulated_hours(spot: SpotWork, draws: int, seed: int) -> NDArray[np.float64]:
    """Return the time to finish of `draws` simulated jobs, shape (draws,), hours.

    Each piece of work is repeated until it ends before the next interruption, each repetition after a restart, which
    itself is not interrupted (as in the closed form). The number of pieces must be whole.
    """
    pieces = round(spot.segments)
    if not math.isclose(pieces, spot.segments, rel_tol=1e-9):
        raise UsageError(f"spot: {spot.segments:g} pieces of work; simulate a whole number of checkpoints")
    rng = np.random.default_rng(seed)
    if spot.hazard_per_h == 0:
        return np.full(draws, expected_hours(spot))
    success = math.exp(-spot.hazard_per_h * spot.segment_h)
    failures = rng.negative_binomial(pieces, success, draws)
    hours = pieces * spot.segment_h + failures * spot.restart_h
    owner = np.repeat(np.arange(draws), failures)  # each failure lost a truncated exponential of work
    uniform = rng.random(len(owner))
    lost = -np.log1p(-uniform * -math.expm1(-spot.hazard_per_h * spot.segment_h)) / spot.hazard_per_h
    return np.asarray(hours + np.bincount(owner, weights=lost, minlength=draws), np.float64)


def hazard_from_bucket(share_per_month: float) -> float:
    """Return a lower bound of interruptions per hour from the share of instances interrupted in a month."""
    if not 0 <= share_per_month < 1:
        raise UsageError(f"interruption share {share_per_month}: write a number from 0 to below 1 (0.05 for 5 %)")
    return -math.log1p(-share_per_month) / BUCKET_HOURS


def spot_is_cheaper(spot: SpotWork, spot_per_h: float, on_demand_per_h: float, rework: float = 0.0) -> bool:
    """Return whether the expected cost on spot, with the cost of manual rework, is below that on demand."""
    return spot_per_h * expected_hours(spot) + rework < on_demand_per_h * spot.work_h
