"""The figure at the top: the time to the first result of each start, and the rates beside that of the detector."""

from __future__ import annotations

from daasbench.statistics import too_uncertain

from ..blocks.claims_in_words import name, units
from ..blocks.intervals import speed
from ..blocks.numbers import amount, duration, joined, rate
from ..blocks.page import CaptionedFigure
from ..blocks.ratios import figure
from ..figures import bars, canvas
from ..figures.palette import colours
from .answer import claimed, leader
from .real_time import RealTime, real_time
from .starts import UNCOMPILED, EntryStarts, ProblemStarts

FALLBACK = "Time to the first result"
MOST_BARS = 10  # of starts
SHORT = {"warm": "warm start", "uncompiled": "not compiled", "cold": "files on disk", "first": "first start"}


def overview(problem: ProblemStarts) -> CaptionedFigure | None:
    """Return the figure of a problem; None if nothing can be drawn."""
    starts = [
        start
        for mine in problem.by_implementation
        for start in mine
        if start.total and (start.compiles or start.case.start not in UNCOMPILED)
    ][:MOST_BARS]
    if all(start.caveat for start in starts):
        return None
    chosen = colours(start.case.implementation for start in starts)
    finding = _finding(problem)
    entry = starts[0].entry
    above = f"{FALLBACK}: {amount(entry.units or 1)} {units(entry)}"
    groups = [bars.BarGroup(title=above, bars=tuple(_start(one, chosen) for one in starts))]
    kept = [one for one in real_time(problem) if not one.caveat]
    if kept:
        many = units(kept[0].entry)
        title = f"Rate with {many} in memory, and rate of {kept[0].detector}"
        groups.append(bars.BarGroup(title=title, bars=(_detector(kept[0]), *(_rate(one, chosen) for one in kept))))
    caption = "Lines: 95 % intervals. Dotted: assumed." if kept else "Lines: 95 % intervals."
    return CaptionedFigure(svg=bars.draw(groups), title=finding, caption=caption)


def _finding(problem: ProblemStarts) -> str:
    """Return how many times as long as a warm one the slowest start takes, of the leading implementation, if sure."""
    good = claimed(leader(problem) or ())
    warm = next((start for start in good if start.case.start == "warm"), None)
    slowest = max(good, key=lambda start: start.total.value if start.total else 0.0, default=None)
    found = slowest.times_as_long_as(warm) if slowest and warm and slowest is not warm else None
    if slowest is None or found is None or found.low is None or found.low <= 1 or too_uncertain(found):
        return FALLBACK
    return f"{SHORT[slowest.case.start or 'warm'].capitalize()}: {figure(found)} times as long as a warm start"


def _start(start: EntryStarts, chosen: dict[str, str]) -> bars.Bar:
    found, sure = start.total, start.caveat is None
    return bars.Bar(
        label=f"{start.case.implementation}, {SHORT[start.case.start or 'warm']}",
        text=joined(duration(found.value, found.low, found.high)) if found and sure else "cannot be told yet",
        colour=chosen[start.case.implementation],
        value=found.value if found and sure else None,
        low=found.low if found and sure else None,
        high=found.high if found and sure else None,
    )


def _detector(one: RealTime) -> bars.Bar:
    declared = one.beamline.units_per_s
    return bars.Bar(
        label=one.beamline.detector or one.beamline.name,
        text=f"{rate(declared, None, None, one.beamline.unit)[0]} (assumed)",
        colour=canvas.INK,
        value=declared,
        basis="rehearsed",
    )


def _rate(one: RealTime, chosen: dict[str, str]) -> bars.Bar:
    found, declared = one.factor, one.beamline.units_per_s
    return bars.Bar(
        label=name(one.entry),
        text=joined(speed(one.entry)),
        colour=chosen.get(one.entry.case.implementation, canvas.SERIES[0]),
        value=found.value * declared if found else None,
        low=found.low * declared if found and found.low else None,
        high=found.high * declared if found and found.high else None,
    )
