"""The figure at the top: the time to the first result of each start, and the rates beside that of the detector."""

from __future__ import annotations

from ..blocks.claims_in_words import name, speed
from ..blocks.numbers import duration, joined, plural, rate
from ..blocks.page import CaptionedFigure
from ..figures import bars, canvas
from ..figures.palette import colours
from .answer import FROM, first_result, leader
from .real_time import RealTime, real_time
from .starts import EntryStarts, ProblemStarts

MOST_BARS = 10  # of starts


def overview(problem: ProblemStarts) -> CaptionedFigure | None:
    """Return the figure of a problem; None if nothing can be drawn."""
    starts = [start for mine in problem.by_implementation for start in mine if start.total][:MOST_BARS]
    if not starts:
        return None
    chosen = colours(start.case.implementation for start in starts)
    groups = [bars.BarGroup(title="Time to the first result", bars=tuple(_start(one, chosen) for one in starts))]
    kept = [one for one in real_time(problem) if not one.caveat]
    if kept:
        many = plural(kept[0].beamline.unit)
        title = f"{many[0].upper()}{many[1:]} in memory, and the rate of {kept[0].detector}"
        groups.append(bars.BarGroup(title=title, bars=(_detector(kept[0]), *(_rate(one, chosen) for one in kept))))
    leading = leader(problem)
    finding = first_result(leading) if leading else ""
    return CaptionedFigure(svg=bars.draw(groups), caption=f"{finding} Thin lines: 95 % intervals.".strip())


def _start(start: EntryStarts, chosen: dict[str, str]) -> bars.Bar:
    found, sure = start.total, start.caveat is None
    state = FROM[start.case.start or "warm"]
    return bars.Bar(
        label=f"{name(start.entry)}, {state}",
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
