"""The page: scaling series laid out once for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daasbench.evidence.claims import EvidenceLevel, ProblemResults
from daasbench.scenario.scaling_series import Intent
from daasbench.statistics import Interval

from ..blocks import provenance
from ..blocks.claims_in_words import LEVELS, time, title
from ..blocks.comparison_table import EMPTY, Cell, outcome
from ..blocks.numbers import counted, listed, percent
from ..blocks.page import CaptionedFigure, page_frame, render
from ..blocks.questions import questions
from .pictures import picture
from .scaling_series import Communication, ScalingSeries, SeriesPoint, Survey
from .sentences import HALF, as_factor, as_percent, details, fault, name, noun, sentences, steps

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class PointRow:
    """One point in words; `why` instead of figures where it has none."""

    name: str
    first: bool  # of its series
    points: int  # of its series
    count: str
    nodes: str
    time: Cell
    speed_up: Cell
    efficiency: Cell
    gain: Cell
    communication: Cell
    outcome: str
    state: str
    why: str


@dataclass(frozen=True, kw_only=True)
class SeriesSection:
    """The scaling series of one problem, strong or weak, on one platform."""

    key: str
    title: str
    details: str
    weak: bool
    answers: tuple[tuple[str, ...], ...]  # of each series, what it reached first
    level: tuple[str, str]
    rows: tuple[PointRow, ...]
    picture: CaptionedFigure | None


@dataclass(frozen=True, kw_only=True)
class ScalingPage:
    """Everything that a template may show, beside the frame."""

    questions: tuple[str, ...]
    sections: tuple[SeriesSection, ...]
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    enough: str


def page_text(evidence: Evidence, problems: Sequence[ProblemResults], found: Survey, wanted: str) -> str:
    """Return the page as ``"html"`` or ``"md"``."""
    page = _page(evidence, problems, found, drawn=wanted == "html")
    return render(f"scaling.{wanted}.j2", page_frame(evidence, "scaling", problems), TEMPLATES, page=page)


def _page(evidence: Evidence, problems: Sequence[ProblemResults], found: Survey, drawn: bool) -> ScalingPage:
    """Return the page; without `drawn` no figure is made (Markdown has none)."""
    grouped: dict[tuple[str, ...], list[ScalingSeries]] = {}
    for series in found.series:
        grouped.setdefault((series.case.kernel, details(series)), []).append(series)
    return ScalingPage(
        questions=tuple(one.text for one in questions(evidence, problems)),
        sections=tuple(_section(alike, f"s{number}", drawn) for number, alike in enumerate(grouped.values(), 1)),
        facts=tuple(_facts(evidence, found.series)),
        notes=found.notes,
        enough=HALF,
    )


def _facts(evidence: Evidence, every: Sequence[ScalingSeries]) -> list[tuple[str, str]]:
    points = sum(len(series.points) for series in every)
    verified = sum(len(series.measured) for series in every)
    most = max((point.cores for series in every for point in series.measured), default=0)
    return [
        ("Platforms", listed(sorted({series.platform for series in every})) or "none"),
        ("Scope", f"{counted(len({series.case.kernel for series in every}), 'kernel')}, {len(every)} scaling series"),
        ("Points", f"{verified} of {points} correct"),
        ("Up to", counted(most, "core") if most else "nothing measured"),
        ("Dates", provenance.dates_of(evidence.records)),
        ("Suite commit", provenance.commits_of(evidence.records)),
    ]


def _section(alike: Sequence[ScalingSeries], key: str, drawn: bool) -> SeriesSection:
    first = alike[0]
    return SeriesSection(
        key=key,
        title=title(first.case),
        details=details(first),
        weak=first.intent is Intent.WEAK,
        answers=tuple(tuple(sentences(series)) for series in alike),
        level=LEVELS[min((series.level for series in alike), default=EvidenceLevel.NONE)],
        rows=tuple(_row(series, point) for series in alike for point in series.points),
        picture=picture(alike, key, title(first.case)) if drawn else None,
    )


def _row(series: ScalingSeries, point: SeriesPoint) -> PointRow:
    good, base = point.fault is None, point is series.base
    given: Cell = ("1 ×", "by definition")
    return PointRow(
        name=name(series),
        first=point is series.points[0],
        points=len(series.points),
        count=steps(point.count, series.unit),
        nodes=counted(point.entry.case.nodes, "node"),
        time=time(point.entry) if good else EMPTY,
        speed_up=given if base else _ratio(point.speed_up, as_factor) if good else EMPTY,
        efficiency=("100 %", "by definition") if base else _ratio(point.efficiency, as_percent) if good else EMPTY,
        gain=EMPTY if base or not good else _ratio(point.gain, as_percent),
        communication=_communication(point, series) if good else EMPTY,
        outcome=outcome(point.entry),
        state=point.entry.outcome.value,
        why=fault(point),
    )


def _ratio(found: Interval | None, write: Callable[[Interval], Cell]) -> Cell:
    """Return a ratio with its interval; no claim without one."""
    if found is None:
        return EMPTY
    cell: Cell = ("no claim", "one process only") if found.low is None else write(found)
    return cell


def _communication(point: SeriesPoint, series: ScalingSeries) -> Cell:
    found = point.communication
    if not isinstance(found, Communication):
        return "", found
    main, interval = as_percent(found.share)
    spread = f"; {noun(series)}s {percent(found.least)[0]} to {percent(found.most)[0]}" if point.count > 1 else ""
    return main, f"{interval}{spread}"
