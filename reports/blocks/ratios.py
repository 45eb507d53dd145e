"""Ratios in words, with the digits of every other figure: ``"1.6 times (1.5 to 1.8)"``."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.statistics import Interval

from .numbers import factor, joined


def times(found: Interval) -> str:
    """Return a ratio with its interval, if it has one: ``"1.6 times (1.5 to 1.8)"``."""
    return joined((f"{figure(found)} times", between(found)))


def figure(found: Interval) -> str:
    """Return a ratio without its interval: ``"1.6"``."""
    return factor(found.value, found.low, found.high)[0].removesuffix(" ×")


def between(found: Interval) -> str:
    """Return the interval of a ratio: ``"(1.5 to 1.8)"``; empty without one."""
    return factor(found.value, found.low, found.high)[1]


def to(ratios: Sequence[Interval]) -> str:
    """Return the range of several ratios: ``"1.6 to 1.9"``, or one of them if they read alike.

    Each end has the digits that its own interval leaves, as in a table or figure.
    """
    ordered = sorted(ratios, key=lambda found: found.value)
    return " to ".join(dict.fromkeys(figure(end) for end in (ordered[0], ordered[-1])))


def difference(found: Interval) -> float | None:
    """Return the largest difference that the interval of a ratio leaves: 0.03 for 0.98 to 1.03; None without one."""
    if found.low is None or found.high is None or found.low <= 0:
        return None
    return max(found.high, 1 / found.low) - 1
