"""The page: starts, their phases, and keeping up, laid out once for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daasbench.evidence import phases
from daasbench.model import Basis
from daasbench.statistics import Interval

from ..figures import canvas, stacks
from ..summary import gaps as gap_list
from ..summary import surroundings
from ..summary.claims import Level, problems
from ..summary.page import _markdown_cell
from ..summary.questions import asked
from ..summary.sentences import LEVELS, details, name, title
from ..wording import NOTHING, duration, factor, listed, memory, percent
from . import sentences
from .keeping import Keeping, keeping
from .launches import Launch, Question, questions, whatever_start
from .sentences import TOLD, WORDS

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

SUMMARY = Path(__file__).parent.parent / "summary" / "templates"
TEMPLATES = Path(__file__).parent / "templates"
STATES: Mapping[str, str] = {
    "warm": "its files in memory, its code compiled before",
    "uncompiled": "its files in memory, nothing compiled before",
    "cold": "none of its files in memory, its code compiled before",
    "first": "none of its files in memory, nothing compiled before",
}
COLOURS: Mapping[str, str] = {
    "interpreter": canvas.SERIES[7], "start": canvas.MUTED, "import": canvas.SERIES[3], "context": canvas.SERIES[5],
    "read": canvas.SERIES[6], "put": canvas.INK, "setup": canvas.SERIES[4], "compile": canvas.SERIES[1],
    "compute": canvas.SERIES[0], "get": canvas.SERIES[2],
    "stage_in": canvas.SERIES[2], "queue": canvas.SERIES[7], "boot": canvas.SERIES[4], "stage_out": canvas.SERIES[6],
}  # fmt: skip
Cell = tuple[str, str]
EMPTY: Cell = (NOTHING, "")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure with its name and its caption."""

    name: str
    svg: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """One launch in words."""

    name: str
    state: str
    total: Cell
    cells: tuple[Cell, ...]
    again: Cell  # in multiples of the warm start
    level: str
    outcome: str
    seen: Cell  # what was seen of its state
    why: str


@dataclass(frozen=True, kw_only=True)
class KeepLine:
    """How one way keeps up, in words."""

    name: str
    speed: Cell
    factor: Cell
    verdict: str
    workers: str
    level: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """One problem at one place."""

    key: str
    title: str
    details: str
    place: str
    answers: tuple[str, ...]
    level: tuple[str, str]
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    errand: tuple[tuple[str, str], ...]
    blank: tuple[str, ...]
    beamline: str
    keeping: tuple[KeepLine, ...]
    datasets: tuple[tuple[str, str, str], ...]
    dataset: str
    notes: tuple[str, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything that a template or the sheet may show."""

    asked: tuple[str, ...]
    questions: tuple[Question, ...]
    sections: tuple[Section, ...]
    states: tuple[tuple[str, str], ...]
    words: tuple[tuple[str, str], ...]
    gaps: tuple[gap_list.Gap, ...]
    sites: tuple[surroundings.Site, ...]
    runs: tuple[surroundings.Run, ...]
    warnings: tuple[str, ...]
    levels: tuple[tuple[str, str], ...]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Return every figure of the page."""
        return tuple(picture for section in self.sections for picture in section.pictures)


def page(evidence: Evidence) -> Page:
    """Return the page."""
    found = questions(evidence)
    texts = {run: asked(text) for run, text in evidence.scenarios.items()}
    runs = {row.record.run for question in found for launch in question.launches for row in launch.entry.rows}
    shown = problems([launch.entry for question in found for launch in question.launches])
    return Page(
        asked=tuple(dict.fromkeys(filter(None, (texts.get(run) for run in sorted(runs))))),
        questions=tuple(found),
        sections=tuple(_section(question, f"s{index}") for index, question in enumerate(found, 1)),
        states=tuple(STATES.items()),
        words=tuple((WORDS[phase], message.partition(": ")[2]) for phase, message in TOLD.items()),
        gaps=tuple(gap_list.gaps(shown, evidence)),
        sites=tuple(surroundings.sites(evidence)),
        runs=tuple(run for run in surroundings.runs(evidence) if run.id in runs),
        warnings=tuple(evidence.warnings),
        levels=tuple(LEVELS[level] for level in sorted(LEVELS) if level >= 0),
    )


def _section(question: Question, key: str) -> Section:
    case, entry = whatever_start(question.first.case), question.first.entry
    columns = [phase for phase in phases.PROCESS if any(launch.phase(phase) for launch in question.launches)]
    kept = keeping(question)
    measured = "" if question.basis is Basis.MEASURED else f", {question.basis.value}, not measured"
    totals = [launch.level for launch in question.launches if launch.total]
    errand = next((launch.errand for launch in question.launches), phases.Parts())
    return Section(
        key=key,
        title=title(case),
        details=details(case),
        place=f"platform {entry.platform}{measured}",
        answers=tuple(sentences.answers(question, kept)),
        level=LEVELS[min(totals, default=Level.NONE)],
        columns=tuple(WORDS[phase] for phase in columns),
        lines=tuple(
            _line(launch, implementation, columns)
            for implementation in question.implementations
            for launch in implementation
        ),
        errand=tuple((WORDS[phase], duration(seconds)[0]) for phase, seconds in errand.seconds.items()),
        blank=tuple(sentences.blank(question, errand)),
        beamline=sentences.beamline(question),
        keeping=tuple(_keep_line(one) for one in kept),
        datasets=tuple(sentences.datasets(question)),
        dataset=sentences.dataset(question),
        notes=tuple(sentences.notes(question, kept)),
        pictures=tuple(_pictures(question, errand, key)),
    )


# --- lines ----------------------------------------------------------------------------------------------------


def _line(launch: Launch, implementation: Sequence[Launch], columns: Sequence[str]) -> Line:
    from ..summary.lines import outcome, why

    return Line(
        name=name(launch.entry),
        state=launch.case.start or "",
        total=_cell(launch.total),
        cells=tuple(_cell(launch.phase(phase)) for phase in columns),
        again=_again(launch, implementation),
        level=LEVELS[launch.level][0],
        outcome=outcome(launch.entry),
        seen=_seen(launch),
        why=why(launch.entry),
    )


def _cell(found: Interval | None) -> Cell:
    return duration(found.value, found.low, found.high) if found else EMPTY


def _again(launch: Launch, implementation: Sequence[Launch]) -> Cell:
    warm = next((one for one in implementation if one.case.start == "warm" and one.total), None)
    if warm is None or launch.total is None:
        return EMPTY
    if launch is warm:
        return "1 ×", "by definition"
    found = launch.times_as_long_as(warm)
    if found is None or found.low is None or found.high is None:
        return "no claim", "one process only"
    main, interval = factor(found.value, found.low, found.high)
    return main, f"{interval} undecided" if found.low <= 1 <= found.high else interval


def _seen(launch: Launch) -> Cell:
    """Return what its processes had read from storage, and what was in memory before."""
    seen = launch.footings
    if not seen:
        return EMPTY
    read = max(one.read_bytes for one in seen)
    left = max(one.left_bytes / max(1, one.left_bytes + one.came_bytes) for one in seen)
    return f"{memory(read)} read", f"{percent(left)[0]} in memory before"


def _keep_line(one: Keeping) -> KeepLine:
    from ..summary.sentences import speed

    found = one.factor
    decided = found is not None and found.low is not None
    verdict = {True: "keeps up", False: "does not keep up", None: "undecided" if decided else "no claim"}
    workers = one.workers
    said = NOTHING
    if workers:
        said = f"from {workers[0]} on" if workers[0] == workers[1] else f"from {workers[0]} to {workers[1]} on"
    return KeepLine(
        name=f"{name(one.entry)}{', one block' if one.from_start else ''}",
        speed=speed(one.entry),
        factor=factor(found.value, found.low, found.high) if found else EMPTY,
        verdict=verdict[one.keeps_up],
        workers=said,
        level=LEVELS[one.level][0],
    )


# --- figures --------------------------------------------------------------------------------------------------


def _pictures(question: Question, errand: phases.Parts, key: str) -> list[Picture]:
    what = f"{title(question.first.case)}, {details(whatever_start(question.first.case))}"
    place = f"platform {question.first.entry.platform} ({question.basis.value})"
    bars = [_bar(launch) for implementation in question.implementations for launch in implementation if launch.total]
    drawn = []
    if bars:
        said = "; ".join(f"{bar.label}: {bar.note}" for bar in bars)
        svg = stacks.draw(bars, f"{key}-starts", f"Starts: {what}, on {place}", said, _legend(phases.PROCESS))
        text = (
            f"From the start of the process to its first result: {what}, on {place}. Medians of the phases over the"
            " processes; at the end of a bar the total. A phase that was not measured is not drawn."
        )
        drawn.append(Picture(name=f"{key}-starts", svg=svg, caption=text))
    if any(errand.seconds.values()):
        bar = stacks.Stack(label=question.first.entry.platform, seconds=errand.seconds,
                           note=duration(errand.total_s)[0])  # fmt: skip
        svg = stacks.draw([bar], f"{key}-errand", f"Errand: {place}", f"{bar.label}: {bar.note}",
                          _legend(phases.JOB))  # fmt: skip
        text = f"The errand around the job on {place}, shared by all its cases; not measured: "
        rest = listed(WORDS[phase] for phase in errand.missing) or "nothing"
        drawn.append(Picture(name=f"{key}-errand", svg=svg, caption=f"{text}{rest}."))
    return drawn


def _bar(launch: Launch) -> stacks.Stack:
    seen = {phase: launch.phase(phase) for phase in phases.PROCESS}
    medians = {phase: found.value for phase, found in seen.items() if found}
    return stacks.Stack(
        label=f"{name(launch.entry)}, {launch.case.start}",
        seconds=medians,
        note=duration(launch.total.value)[0] if launch.total else "",
    )


def _legend(shown: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {phase: (WORDS[phase], COLOURS[phase]) for phase in shown}


def render(page: Page, template: str) -> str:
    """Return the page through a template: ``time_to_science.html.j2`` or ``time_to_science.md.j2``."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    house = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    house.filters["cell"] = _markdown_cell
    style = (SUMMARY / "summary.css").read_text(encoding="utf-8")
    return house.get_template(template).render(page=page, style=style)
