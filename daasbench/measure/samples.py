"""The worse of two verdicts."""

from __future__ import annotations

import math

from daasbench.model import Verdict


def worse(one: Verdict, other: Verdict) -> Verdict:
    """Return the verdict that is further from right; one that is not ok is worse than one that is."""
    return other if _distance(other) > _distance(one) else one


def _distance(verdict: Verdict) -> tuple[bool, float]:
    error = verdict.error
    return not verdict.ok, math.inf if error is None or math.isnan(error) else error
