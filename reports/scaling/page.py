"""The page: climbs laid out once for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daasbench.scenario.scaling_series import Intent
from daasbench.statistics import Interval

from ..summary import gaps as gap_list
from ..summary import surroundings
from ..summary.claims import Level, problems
from ..summary.entries import entries
from ..summary.lines import EMPTY, Cell, outcome
from ..summary.page import TEMPLATES as SHELL
from ..summary.page import _markdown_cell
from ..summary.pictures import Picture
from ..summary.questions import questions
from ..summary.sentences import LEVELS, time, title
from ..wording import counted, listed, percent
from .climbs import Climb, MpiTimes, Step, survey
from .pictures import picture
from .sentences import HALF, as_factor, as_percent, details, fault, name, noun, sentences, steps

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One rung in words; `why` instead of figures where it has none."""

    name: str
    first: bool  # of its climb
    rungs: int  # of its climb
    step: str
    place: str
    time: Cell
    speed_up: Cell
    efficiency: Cell
    gain: Cell
    talk: Cell
    outcome: str
    state: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """The climbs of one problem, in one manner, at one place."""

    key: str
    title: str
    details: str
    weak: bool
    answers: tuple[tuple[str, ...], ...]  # of each climb, what it reached first
    level: tuple[str, str]
    lines: tuple[Line, ...]
    picture: Picture | None


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything that a template may show."""

    questions: tuple[str, ...]
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    gaps: tuple[gap_list.Gap, ...]
    gap_words: str
    sites: tuple[surroundings.Site, ...]
    runs: tuple[surroundings.Run, ...]
    levels: tuple[tuple[str, str], ...]
    enough: str


def page(evidence: Evidence, drawn: bool = True) -> Page:
    """Return the page; without `drawn` no figure is made (Markdown has none)."""
    found = survey(evidence)
    asked = problems(entries(evidence))
    holes = gap_list.gaps(asked, evidence)
    grouped: dict[tuple[str, ...], list[Climb]] = {}
    for climb in found.climbs:
        grouped.setdefault((climb.case.kernel, details(climb)), []).append(climb)
    return Page(
        questions=tuple(one.text for one in questions(evidence, asked)),
        sections=tuple(_section(climbs, f"s{number}", drawn) for number, climbs in enumerate(grouped.values(), 1)),
        facts=tuple(_facts(evidence, found.climbs)),
        notes=found.notes,
        warnings=tuple(evidence.warnings),
        gaps=tuple(holes),
        gap_words=gap_list.count_words(holes),
        sites=tuple(surroundings.sites(evidence)),
        runs=tuple(surroundings.runs(evidence)),
        levels=tuple(LEVELS[one] for one in sorted(LEVELS) if one >= 0),
        enough=HALF,
    )


def _facts(evidence: Evidence, climbs: Sequence[Climb]) -> list[tuple[str, str]]:
    days = sorted({record.started_at[:10] for record in evidence.records if record.started_at})
    commits = sorted({record.commit for record in evidence.records if record.commit})
    rungs = sum(len(climb.steps) for climb in climbs)
    verified = sum(len(climb.measured) for climb in climbs)
    most = max((step.cores for climb in climbs for step in climb.measured), default=0)
    return [
        ("Platforms", listed(sorted({climb.platform for climb in climbs})) or "none"),
        (
            "Scope",
            f"{counted(len({climb.case.kernel for climb in climbs}), 'kernel')}, {counted(len(climbs), 'ladder')}",
        ),
        ("Rungs", f"{verified} of {rungs} verified right"),
        ("Up to", counted(most, "core") if most else "nothing measured"),
        ("Dates", " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "not recorded"),
        ("Suite commit", listed(commits) or "not recorded"),
    ]


def _section(climbs: Sequence[Climb], key: str, drawn: bool) -> Section:
    first = climbs[0]
    return Section(
        key=key,
        title=title(first.case),
        details=details(first),
        weak=first.intent is Intent.WEAK,
        answers=tuple(tuple(sentences(climb)) for climb in climbs),
        level=LEVELS[min((climb.level for climb in climbs), default=Level.NONE)],
        lines=tuple(_line(climb, step) for climb in climbs for step in climb.steps),
        picture=picture(climbs, key, title(first.case)) if drawn else None,
    )


def _line(climb: Climb, step: Step) -> Line:
    good, base = step.fault is None, step is climb.base
    given: Cell = ("1 ×", "by definition")
    return Line(
        name=name(climb),
        first=step is climb.steps[0],
        rungs=len(climb.steps),
        step=steps(step.count, climb.unit),
        place=counted(step.entry.case.nodes, "node"),
        time=time(step.entry) if good else EMPTY,
        speed_up=given if base else _ratio(step.speed_up, as_factor) if good else EMPTY,
        efficiency=("100 %", "by definition") if base else _ratio(step.efficiency, as_percent) if good else EMPTY,
        gain=EMPTY if base or not good else _ratio(step.gain, as_percent),
        talk=_talk(step, climb) if good else EMPTY,
        outcome=outcome(step.entry),
        state=step.entry.outcome.value,
        why=fault(step),
    )


def _ratio(found: Interval | None, write: Any) -> Cell:
    """Return a ratio with its interval; no claim without one."""
    if found is None:
        return EMPTY
    cell: Cell = ("no claim", "one process only") if found.low is None else write(found)
    return cell


def _talk(step: Step, climb: Climb) -> Cell:
    found = step.talk
    if not isinstance(found, MpiTimes):
        return "", found
    main, interval = as_percent(found.share)
    spread = f"; a {noun(climb)} {percent(found.least)[0]} to {percent(found.most)[0]}" if step.count > 1 else ""
    return main, f"{interval}{spread}"


def render(page: Page, template: str) -> str:
    """Return the page through a template: ``scaling.html.j2`` or ``scaling.md.j2``; the shell is the summary's."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    house = Environment(
        loader=FileSystemLoader([TEMPLATES, SHELL]),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    house.filters["cell"] = _markdown_cell
    shared: Mapping[str, Any] = {"page": page, "style": (SHELL / "summary.css").read_text(encoding="utf-8")}
    return house.get_template(template).render(**shared)
