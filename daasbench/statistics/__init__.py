"""Intervals, comparisons and scaling laws; no other package computes a statistic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daasbench.statistics.intervals import (
    CONFIDENCE,
    LEAST_PROCESSES,
    WIDEST,
    Interval,
    across_processes,
    median_interval,
    median_intervals,
    phase_interval,
    processes_needed,
    ratio,
    relative_half_width,
    too_uncertain,
)

if TYPE_CHECKING:
    from daasbench.statistics.scaling_laws import Fit, Law, fit, gain, scaled

__all__ = [
    "CONFIDENCE",
    "LEAST_PROCESSES",
    "WIDEST",
    "Fit",
    "Interval",
    "Law",
    "across_processes",
    "fit",
    "gain",
    "median_interval",
    "median_intervals",
    "phase_interval",
    "processes_needed",
    "ratio",
    "relative_half_width",
    "scaled",
    "too_uncertain",
]


def __getattr__(name: str) -> Any:
    if name in __all__:  # scaling laws need scipy, whose import takes half a second
        from daasbench.statistics import scaling_laws

        return getattr(scaling_laws, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
