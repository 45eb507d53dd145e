"""The one figure at the top of the page: bars that show the answer, with the finding as its title."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daasbench.evidence.claims import ComparisonGroup, Decision, compare
from daasbench.evidence.entries import Entry
from daasbench.statistics import Interval, too_uncertain

from ..blocks.claims_in_words import cost, name, title, units
from ..blocks.intervals import phrase, speed_of, speed_phrase, times_in_words
from ..blocks.page import CaptionedFigure
from ..blocks.questions import AnsweredQuestion
from ..figures import bars, canvas
from .answers import leading
from .axes import AXES, Axis, find_axis, value_words

GROUPS = 3  # problems in the figure
ROWS = {1: 6, 2: 3}  # bars of each group, by the number of groups
FEW_ROWS = 2


def answer_figure(asked: AnsweredQuestion, colours: Mapping[str, str]) -> CaptionedFigure | None:
    """Return the figure of a question; None without a correct result."""
    groups = leading(asked.problems)[:GROUPS]
    if not groups:
        return None
    axis = find_axis(asked.problems)
    if axis:
        return _of_axis(axis, groups, colours)
    if asked.priced:
        return _figure([_costs(group, colours) for group in groups], "What it costs", "Cost")
    rows = ROWS.get(len(groups), FEW_ROWS)
    drawn = [_speeds(group, _chosen(group, rows), colours, len(groups) > 1) for group in groups]
    return _figure(drawn, "; ".join(filter(None, map(_finding, groups))) or "How fast each implementation is", "Speed")


def _figure(groups: Sequence[bars.BarGroup], title_: str, what: str) -> CaptionedFigure:
    caption = f"{what}, from zero. The thin line is the 95 % interval across processes; details are below."
    return CaptionedFigure(svg=bars.draw(groups), caption=caption, title=title_)


def _of_axis(axis: Axis, groups: Sequence[ComparisonGroup], colours: Mapping[str, str]) -> CaptionedFigure:
    """Return the speeds of the leading implementation for each value of the property that differs."""
    first = axis.pairs[0].new
    value = AXES[axis.noun]
    alike = {
        value(entry): entry
        for group in groups
        for entry in group.comparable
        if entry.case.problem_id == first.case.problem_id and entry.case.implementation == first.case.implementation
    } | {value(entry): entry for entry in (axis.pairs[0].base, first)}
    ordered = sorted(alike.values(), key=lambda entry: str(value(entry)).zfill(9))
    rows = tuple(_bar(entry, value_words(axis.noun, entry), colours) for entry in ordered)
    pair = axis.pairs[0]
    said = phrase(pair.ratio, times_in_words) if pair.ratio else ""
    finding = f"{value_words(axis.noun, first)}: {said} the speed of {value_words(axis.noun, pair.base)}"
    group = bars.BarGroup(title=f"{first.case.implementation}, {units(first)} per second", bars=rows)
    return _figure([group], finding, "Speed")


def _chosen(group: ComparisonGroup, rows: int) -> list[Entry]:
    """Return the fastest entries, the reference and the best peer among them."""
    kept = list(group.comparable[:rows])
    for wanted in (group.best_peer, group.reference):
        if wanted is not None and wanted not in kept:
            kept = [*kept[: rows - 1], wanted]
    return kept


def _speeds(
    group: ComparisonGroup, entries: Sequence[Entry], colours: Mapping[str, str], several: bool
) -> bars.BarGroup:
    what = f"{units(entries[0])} per second"
    heading = f"{title(group.entries[0].case).split(' of ')[0]}: {what}" if several else what
    return bars.BarGroup(title=heading, bars=tuple(_bar(entry, name(entry), colours) for entry in entries))


def _bar(entry: Entry, label: str, colours: Mapping[str, str]) -> bars.Bar:
    found = speed_of(entry)
    return bars.Bar(
        label=label,
        text=speed_phrase(entry),
        colour=colours.get(entry.case.implementation, canvas.REFERENCE),
        value=None if found is None or too_uncertain(found) else found.value,
        low=_low(found),
        high=_high(found),
        basis=entry.basis.value,
    )


def _low(found: Interval | None) -> float | None:
    return None if found is None else found.low if found.low is not None else found.least


def _high(found: Interval | None) -> float | None:
    return None if found is None else found.high if found.high is not None else found.greatest


def _costs(group: ComparisonGroup, colours: Mapping[str, str]) -> bars.BarGroup:
    priced = sorted((entry for entry in group.comparable if entry.cost), key=lambda entry: entry.cost.value)  # type: ignore[union-attr]  # filtered
    rows = []
    for entry in priced[: ROWS[1]]:
        found = entry.cost
        rows.append(
            bars.Bar(
                label=name(entry),
                text=" ".join(cost(entry)),
                value=found.value if found else None,
                colour=colours.get(entry.case.implementation, canvas.REFERENCE),
                low=_low(found),
                high=_high(found),
            )
        )
    return bars.BarGroup(title=f"{title(group.entries[0].case).split(' of ')[0]}, {group.platform}", bars=tuple(rows))


def _finding(group: ComparisonGroup) -> str:
    """Return what a group shows: how many times as fast the fastest is as the reference, or as the next."""
    fastest = group.fastest
    base = group.reference if group.reference is not fastest else None
    pair = compare(fastest, base) if fastest and base else None
    if fastest is None or pair is None or pair.ratio is None or pair.decision is not Decision.FASTER:
        return ""
    factor = phrase(pair.ratio, times_in_words).partition(" (")[0]
    return f"{fastest.case.implementation} is {factor} as fast as {base.case.implementation}" if base else ""
