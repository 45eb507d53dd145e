"""A figure with how sure it is: its interval, the range of too few processes, or that it is too uncertain."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from daasbench.evidence.entries import Entry
from daasbench.statistics import Interval, too_uncertain

from .numbers import Scale, counted, ends, figure, rate_unit, time_unit

Unit = Callable[[float], Scale]
Cell = tuple[str, str]  # what is said, and below it, smaller, how sure it is or where it comes from


def times(value: float) -> Scale:  # noqa: ARG001  (a unit is a function of the value)
    """Return the unit of a ratio of speeds."""
    return Scale(1.0, "", " ×")


def times_in_words(value: float) -> Scale:  # noqa: ARG001  (a unit is a function of the value)
    """Return the unit of a ratio of speeds within a sentence."""
    return Scale(1.0, "", " times")


def share(value: float) -> Scale:  # noqa: ARG001  (a unit is a function of the value)
    """Return the unit of a share: percent."""
    return Scale(0.01, "", " %")


def per_second(unit: str) -> Unit:
    """Return the unit of a rate: frames/s."""
    return partial(rate_unit, unit=unit)


def cell(found: Interval, unit: Unit) -> Cell:
    """Return a figure for a table, and below it its interval or what is missing for one."""
    scale = unit(found.value)
    if too_uncertain(found) and found.low is not None and found.high is not None:
        width = ends(found.value, *_seen(found), scale)
        return f"{width}{scale.sign}", f"(too uncertain to compare, {counted(found.n, 'process')})"
    main, interval = figure(found.value, found.low, found.high, scale)
    return (main, interval) if interval else (_without_interval(found, scale), f"({_range(found, scale)})")


def _seen(found: Interval) -> tuple[float, float]:
    """Return between what the processes were: an interval that is too wide reaches over decades that none was at."""
    if found.least is not None and found.greatest is not None:
        return found.least, found.greatest
    return found.low or found.value, found.high or found.value


def _without_interval(found: Interval, scale: Scale) -> str:
    """Return a value with as many digits as the range of the processes leaves."""
    return figure(found.value, found.least, found.greatest, scale)[0]


def _range(found: Interval, scale: Scale) -> str:
    if found.least is None or found.greatest is None or found.n < 2:
        return "1 process: no interval"
    width = ends(found.value, found.least, found.greatest, scale)
    return f"{width} in {counted(found.n, 'process')}: too few for an interval"


def phrase(found: Interval, unit: Unit) -> str:
    """Return a figure within a sentence: ``"160 frames/s (150 to 170)"``.

    ``"between 87 and 5190 frames/s in 3 processes"`` if it is too uncertain, ``"160 frames/s (155 to 166 in 2
    processes)"`` without an interval.
    """
    scale = unit(found.value)
    if too_uncertain(found) and found.low is not None and found.high is not None:
        width = ends(found.value, *_seen(found), scale).replace(" to ", " and ")
        return f"between {width}{scale.sign} in {counted(found.n, 'process')}"
    main, interval = figure(found.value, found.low, found.high, scale)
    if interval:
        return f"{main} {interval}"
    if found.least is None or found.greatest is None or found.n < 2:
        return f"{main} (1 process)"
    width = ends(found.value, found.least, found.greatest, scale)
    return f"{_without_interval(found, scale)} ({width} in {counted(found.n, 'process')})"


def speed_of(entry: Entry) -> Interval | None:
    """Return units of work per second, repeats where units are not known; None if nothing counts."""
    return entry.speed


def time(entry: Entry) -> Cell:
    """Return the time of one repeat for a table."""
    return cell(entry.time, time_unit) if entry.time else ("", "")


def speed(entry: Entry) -> Cell:
    """Return the speed for a table."""
    found = speed_of(entry)
    return cell(found, per_second(entry.unit)) if found else ("", "")


def speed_phrase(entry: Entry) -> str:
    """Return the speed within a sentence; empty if nothing counts."""
    found = speed_of(entry)
    return phrase(found, per_second(entry.unit)) if found else ""
