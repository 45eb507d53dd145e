"""The page: scaling series laid out once for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daasbench.evidence.claims import EvidenceLevel, ProblemResults
from daasbench.scenario.scaling_series import Intent
from daasbench.statistics import Interval, too_uncertain

from ..blocks import provenance
from ..blocks.answer import Answered
from ..blocks.claims_in_words import LEVELS, on, title
from ..blocks.comparison_table import EMPTY, outcome
from ..blocks.intervals import Cell, time
from ..blocks.numbers import counted, listed, percent
from ..blocks.page import CaptionedFigure, page_frame, render
from ..blocks.ratios import figure
from .answer import UNASKED, answer_box, by_question, finding, missing, nothing, one_series, worth_using
from .pictures import overview, picture
from .scaling_series import Communication, ScalingSeries, SeriesPoint, Survey
from .sentences import HALF, as_factor, as_percent, details, fault, name, noun, sentences, steps
from .verdict import verdict

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class PointRow:
    """One point in words; `why` instead of figures where it has none."""

    name: str
    first: bool  # of its series
    count: str
    nodes: str
    time: Cell
    speed_up: Cell
    efficiency: Cell
    gain: Cell
    communication: Cell | None  # None: no series of its section has one
    outcome: str
    state: str
    why: str


@dataclass(frozen=True, kw_only=True)
class SeriesAnswer:
    """The verdict on one series, or what is missing, and what follows beside it."""

    name: str
    verdict: str
    more: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SeriesSection:
    """The scaling series of one problem, strong or weak, on one platform."""

    key: str
    title: str
    details: str
    weak: bool
    answers: tuple[SeriesAnswer, ...]
    level: tuple[str, str]
    rows: tuple[PointRow, ...]
    talks: bool  # whether communication was measured
    picture: CaptionedFigure | None


@dataclass(frozen=True, kw_only=True)
class ScalingPage:
    """Everything that a template may show, beside the answers and the frame."""

    sections: tuple[SeriesSection, ...]
    why: tuple[tuple[Cell, ...], ...]  # a row for each series, where there are several problems
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    enough: str


def page_text(evidence: Evidence, problems: Sequence[ProblemResults], found: Survey, wanted: str) -> str:
    """Return the page as ``"html"`` or ``"md"``."""
    drawn = wanted == "html"
    frame = page_frame(evidence, "scaling", problems)
    page = _page(evidence, found, drawn=drawn)
    answered = _answered(evidence, found.series, drawn=drawn)
    return render(f"scaling.{wanted}.j2", frame, TEMPLATES, page=page, answered=answered)


def _answered(evidence: Evidence, every: Sequence[ScalingSeries], *, drawn: bool) -> tuple[Answered, ...]:
    """Return every question with its answer and one figure of all its series; without `drawn`, no figure."""
    if not every:
        return (Answered(question=UNASKED, box=nothing()),)
    return tuple(
        Answered(
            question=text,
            box=answer_box(evidence, text, mine),
            figure=overview(mine, finding(mine)) if drawn else None,
        )
        for text, mine in by_question(evidence, every).items()
    )


def _page(evidence: Evidence, found: Survey, *, drawn: bool) -> ScalingPage:
    """Return what is below the answers; without `drawn` no figure is made (Markdown has none)."""
    grouped: dict[tuple[str, ...], list[ScalingSeries]] = {}
    for series in found.series:
        grouped.setdefault((series.case.kernel, details(series)), []).append(series)
    return ScalingPage(
        sections=tuple(_section(alike, f"s{number}", drawn=drawn) for number, alike in enumerate(grouped.values(), 1)),
        facts=tuple(_facts(evidence, found.series)),
        why=_why(found.series) if len(grouped) > 1 else (),
        notes=(*missing(evidence, found.series), *found.notes),
        enough=HALF,
    )


def _facts(evidence: Evidence, every: Sequence[ScalingSeries]) -> list[tuple[str, str]]:
    points = sum(len(series.points) for series in every)
    verified = sum(len(series.measured) for series in every)
    most = max((point.cores for series in every for point in series.measured), default=0)
    return [
        ("Platforms", listed(sorted({series.platform for series in every})) or "none"),
        ("Scope", f"{counted(len({series.case.kernel for series in every}), 'kernel')}, {len(every)} scaling series"),
        ("Points", f"{verified} of {points} used"),
        ("Up to", counted(most, "core") if most else "nothing measured"),
        ("Dates", provenance.dates_of(evidence.records)),
        ("Version of daasbench", provenance.commits_of(evidence.records)),
    ]


def _section(alike: Sequence[ScalingSeries], key: str, *, drawn: bool) -> SeriesSection:
    first = alike[0]
    talks = any(isinstance(point.communication, Communication) for series in alike for point in series.measured)
    return SeriesSection(
        key=key,
        title=title(first.case),
        details=details(first),
        weak=first.intent is Intent.WEAK,
        answers=tuple(_answer(series) for series in alike),
        level=LEVELS[min((series.level for series in alike), default=EvidenceLevel.NONE)],
        rows=tuple(_row(series, point, talks=talks) for series in alike for point in series.points),
        talks=talks,
        picture=picture(alike, key) if drawn else None,
    )


def _answer(series: ScalingSeries) -> SeriesAnswer:
    found = verdict(series)
    said = " ".join(one_series(found)) or (f"Cannot be told yet. {found.caveat.sentence}" if found.caveat else "")
    return SeriesAnswer(name=name(series), verdict=said, more=tuple(sentences(series)))


def _why(every: Sequence[ScalingSeries]) -> tuple[tuple[Cell, ...], ...]:
    """Return a row for each series: what is worth using, and what the most cores gave."""
    rows = []
    for series in every:
        found, largest = verdict(series), series.largest
        what = f"{series.case.kernel.replace('_', ' ')}, {series.case.implementation}"
        where = f"size {series.case.size or 'of the file'}, {on(series.platform)}"
        shown = found.caveat is None and largest is not None
        share = largest.communication if largest else ""
        rows.append((
            (what, where),
            (worth_using(found), found.caveat.kind.value if found.caveat else ""),
            (steps(largest.count, series.unit) if largest else "–", ""),
            _ratio(largest.speed_up, as_factor) if shown and largest else EMPTY,
            _ratio(largest.efficiency, as_percent) if shown and largest else EMPTY,
            as_percent(share.share) if isinstance(share, Communication) else EMPTY,
        ))  # fmt: skip
    return tuple(rows)


def _row(series: ScalingSeries, point: SeriesPoint, *, talks: bool) -> PointRow:
    good, base = point.fault is None, point is series.base
    given: Cell = ("1 ×", "by definition")
    return PointRow(
        name=name(series),
        first=point is series.points[0],
        count=steps(point.count, series.unit),
        nodes=counted(point.entry.case.nodes, "node"),
        time=time(point.entry) if good else EMPTY,
        speed_up=given if base else _ratio(point.speed_up, as_factor) if good else EMPTY,
        efficiency=("100 %", "by definition") if base else _ratio(point.efficiency, as_percent) if good else EMPTY,
        gain=EMPTY if base or not good else _gain(point),
        communication=(_communication(point, series) if good else EMPTY) if talks else None,
        outcome=outcome(point.entry),
        state=point.entry.outcome.value,
        why=fault(point),
    )


def _ratio(found: Interval | None, write: Callable[[Interval], Cell]) -> Cell:
    """Return a ratio with its interval; no claim without one, or with one that is too wide."""
    if found is None:
        return EMPTY
    if found.low is None:
        return "not given", f"{counted(found.n, 'process')}: too few"
    return ("not given", "too uncertain") if too_uncertain(found) else write(found)


def _gain(point: SeriesPoint) -> Cell:
    """Return what the ranks since the point before added; a loss is a factor, never a negative share."""
    step, found = point.step, point.gain
    if step is None or found is None or step.low is None or too_uncertain(step):
        return _ratio(step, as_factor)
    if found.value < 0 or found.low is None or found.high is None:
        return "none", f"{figure(step)} times the speed"
    if found.low < 0:
        return as_percent(found)[0], f"(none to {percent(found.high)[0]})"
    return as_percent(found)


def _communication(point: SeriesPoint, series: ScalingSeries) -> Cell:
    found = point.communication
    if not isinstance(found, Communication):
        return "", found
    main, interval = as_percent(found.share)
    spread = f"; {noun(series)}s {percent(found.least)[0]} to {percent(found.most)[0]}" if point.count > 1 else ""
    return main, f"{interval}{spread}"
