"""The one figure at the top of the page: bars that show the answer, with the finding as its title."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daasbench.evidence.claims import Comparison, ComparisonGroup, Decision, ProblemResults, compare
from daasbench.evidence.entries import Entry
from daasbench.statistics import Interval, too_uncertain

from ..blocks.caveats import of_comparison
from ..blocks.claims_in_words import cost, details, name, title, units
from ..blocks.intervals import phrase, speed_of, speed_phrase, times_in_words
from ..blocks.numbers import listed
from ..blocks.page import CaptionedFigure
from ..blocks.questions import AnsweredQuestion
from ..figures import bars, canvas
from .axes import AXES, Axis, find_axis, value_words
from .money import by_cost, is_about_money
from .speeds import SHOWN, leading

GROUPS = 3  # problems in the figure
ROWS = {1: 6, 2: 3}  # bars of each group, by the number of groups
FEW_ROWS = 2


def answer_figure(asked: AnsweredQuestion, colours: Mapping[str, str]) -> CaptionedFigure | None:
    """Return the figure of a question; None without a correct result."""
    groups = leading(asked.problems)[:GROUPS]
    if not groups:
        return None
    axis = find_axis(asked.problems)
    if is_about_money(asked, axis):
        priced = [problem for problem in asked.problems if by_cost(problem)][:GROUPS]
        return _figure([_costs(problem, colours) for problem in priced], _cheapest(priced[0]), "Cost")
    if axis:
        return _of_axis(axis, groups, colours)
    rows = ROWS.get(len(groups), FEW_ROWS)
    drawn = [_speeds(group, _chosen(group, rows), colours, len(groups) > 1) for group in groups]
    return _figure(drawn, _finding(groups[:SHOWN]) or "How fast each implementation is", "Speed")


def _figure(groups: Sequence[bars.BarGroup], title_: str, what: str) -> CaptionedFigure:
    drawn = [bar for group in groups for bar in group.bars]
    few = (
        " Where processes are fewer than 3, or differ too much, it is their range." if any(b.few for b in drawn) else ""
    )
    caption = f"{what}, from zero. The thin line is the 95 % interval across processes.{few}"
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
    finding = f"Speed by {axis.noun}"
    if pair.ratio and not of_comparison(pair):
        said = phrase(pair.ratio, times_in_words)
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
    case, what = group.entries[0].case, units(entries[0])
    options = details(case).partition(", ")[2]
    heading = ", ".join(part for part in (title(case).split(" of ")[0], options, what) if part)
    heading = heading if several else f"{what} per second"
    return bars.BarGroup(title=heading, bars=tuple(_bar(entry, name(entry), colours) for entry in entries))


def _bar(entry: Entry, label: str, colours: Mapping[str, str]) -> bars.Bar:
    found = speed_of(entry)
    low, high = _ends(found)
    return bars.Bar(
        label=label,
        text=speed_phrase(entry),
        colour=colours.get(entry.case.implementation, canvas.REFERENCE),
        value=None if found is None or too_uncertain(found) else found.value,
        low=low,
        high=high,
        basis=entry.basis.value,
        few=found is not None and _is_range(found),
    )


def _ends(found: Interval | None) -> tuple[float | None, float | None]:
    """Return the interval, or the range of the processes where they are too few or differ too much."""
    if found is None:
        return None, None
    return (found.least, found.greatest) if _is_range(found) else (found.low, found.high)


def _is_range(found: Interval) -> bool:
    return found.low is None or too_uncertain(found)


def _costs(problem: ProblemResults, colours: Mapping[str, str]) -> bars.BarGroup:
    """Return the costs of a problem, the lowest first, all for the same number of units."""
    priced = by_cost(problem)
    several = len({entry.platform for entry in priced}) > 1
    rows = [
        bars.Bar(
            label=f"{name(entry)}, {entry.platform}" if several else name(entry),
            text=cost(entry, priced[0])[0],
            colour=colours.get(entry.case.implementation, canvas.REFERENCE),
            value=entry.cost.value if entry.cost else None,
            low=_ends(entry.cost)[0],
            high=_ends(entry.cost)[1],
            few=entry.cost is not None and _is_range(entry.cost),
        )
        for entry in priced[: ROWS[1]]
    ]
    per = cost(priced[0])[1] if priced else ""
    return bars.BarGroup(title=f"{title(problem.first.case).split(' of ')[0]}, {per}", bars=tuple(rows))


def _cheapest(problem: ProblemResults) -> str:
    best = by_cost(problem)[0]
    return f"The lowest cost: {' '.join(cost(best))}"


def _finding(groups: Sequence[ComparisonGroup]) -> str:
    """Return what the bars show: ``"numba is 14 and nufft 22 times as fast as numpy"``; empty if nothing is clear."""
    found = [pair for group in groups if (pair := _against_reference(group))]
    if not found:
        return ""
    factors = [phrase(pair.ratio, times_in_words).partition(" times")[0] for pair in found if pair.ratio]
    names = [pair.new.case.implementation for pair in found]
    if len(set(names)) == 1:
        said = f"{names[0]} is {listed(factors)}"
    else:
        rest = (f"{name} {factor}" for name, factor in zip(names[1:], factors[1:], strict=True))
        said = listed([f"{names[0]} is {factors[0]}", *rest])
    return f"{said} times as fast as {found[0].base.case.implementation}"


def _against_reference(group: ComparisonGroup) -> Comparison | None:
    """Return the fastest against the reference if it is clearly faster."""
    if group.fastest is None or group.reference is None:
        return None
    pair = compare(group.fastest, group.reference)
    return pair if pair and pair.decision is Decision.FASTER and not of_comparison(pair) else None
