"""The page: starts, their phases, and keeping up, laid out once for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daasbench.evidence import phases
from daasbench.evidence.claims import EvidenceLevel, problem_results
from daasbench.model import Basis
from daasbench.statistics import Interval, too_uncertain

from ..blocks.answer import Answered
from ..blocks.caveats import Voids
from ..blocks.claims_in_words import LEVELS, details, name, on, title
from ..blocks.comparison_table import EMPTY, outcome, why
from ..blocks.intervals import Cell, cell, speed
from ..blocks.numbers import NOTHING, duration, factor, listed, memory, percent, time_unit
from ..blocks.page import CaptionedFigure, page_frame, render
from ..blocks.questions import asked
from ..figures import canvas, stacks
from . import sentences
from .answer import answer_box, missing, runs
from .overview import overview
from .real_time import RealTime, real_time
from .sentences import PHASES, WORDS
from .starts import EntryStarts, ProblemStarts, whatever_start

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

TEMPLATES = Path(__file__).parent / "templates"
STATES: Mapping[str, str] = {
    "warm": "its files in memory, its code compiled before",
    "uncompiled": "its files in memory, nothing compiled before",
    "cold": "none of its files in memory, its code compiled before",
    "first": "none of its files in memory, nothing compiled before",
}
COLOURS: Mapping[str, str] = {
    "interpreter": canvas.PARTS[8], "start": canvas.MUTED, "import": canvas.PARTS[6], "context": canvas.PARTS[7],
    "read": canvas.PARTS[5], "put": canvas.PARTS[4], "setup": canvas.PARTS[2], "compile": canvas.PARTS[1],
    "compute": canvas.PARTS[0], "get": canvas.PARTS[3],
    "stage_in": canvas.PARTS[5], "queue": canvas.PARTS[8], "boot": canvas.PARTS[2], "stage_out": canvas.PARTS[3],
}  # fmt: skip
NAMED = 2  # phases in the row of a start


UNASKED = "How long until the first result?"


@dataclass(frozen=True, kw_only=True)
class StartRow:
    """One start in words."""

    name: str
    state: str
    total: Cell
    cells: tuple[Cell, ...]
    most: str  # its longest phases
    again: Cell  # in multiples of the warm start
    level: str
    outcome: str
    seen: Cell  # what was seen of its state
    why: str


@dataclass(frozen=True, kw_only=True)
class RealTimeRow:
    """How one implementation keeps up, in words."""

    name: str
    speed: Cell
    factor: Cell
    answer: str
    workers: str
    level: str


@dataclass(frozen=True, kw_only=True)
class StartSection:
    """One problem on one platform."""

    key: str
    title: str
    details: str
    platform: str
    answers: tuple[str, ...]
    level: tuple[str, str]
    columns: tuple[str, ...]
    rows: tuple[StartRow, ...]
    around: tuple[tuple[str, str], ...]
    blank: tuple[str, ...]
    beamline: str
    missing: tuple[str, ...]
    real_time: tuple[RealTimeRow, ...]
    datasets: tuple[tuple[str, str, str], ...]
    dataset: str
    notes: tuple[str, ...]
    figures: tuple[CaptionedFigure, ...]


@dataclass(frozen=True, kw_only=True)
class TimeToSciencePage:
    """Everything that a template may show, beside the frame."""

    answered: tuple[Answered, ...]
    sections: tuple[StartSection, ...]
    states: tuple[tuple[str, str], ...]
    words: tuple[tuple[str, str], ...]

    @property
    def figures(self) -> tuple[CaptionedFigure, ...]:
        """Return every figure of the page."""
        return tuple(figure for section in self.sections for figure in section.figures)


def page(evidence: Evidence, problems: Sequence[ProblemStarts]) -> TimeToSciencePage:
    """Return the page."""
    questions: dict[str, list[ProblemStarts]] = {}
    for problem in problems:
        text = asked(evidence.scenarios.get(max(runs(problem)), "")) or UNASKED
        questions.setdefault(text, []).append(problem)
    return TimeToSciencePage(
        answered=tuple(
            Answered(question=text, box=answer_box(evidence, mine), figure=overview(mine[0]) if mine else None)
            for text, mine in (questions or {UNASKED: []}).items()
        ),
        sections=tuple(_section(evidence, problem, f"s{index}") for index, problem in enumerate(problems, 1)),
        states=tuple(STATES.items()),
        words=tuple((WORDS[phase], text.partition(": ")[2]) for phase, text in PHASES.items()),
    )


def page_text(evidence: Evidence, problems: Sequence[ProblemStarts], made: TimeToSciencePage, wanted: str) -> str:
    """Return the page as ``"html"`` or ``"md"``."""
    shown = problem_results([start.entry for problem in problems for start in problem.starts])
    frame = page_frame(evidence, "time_to_science", shown, _runs(problems))
    return render(f"time_to_science.{wanted}.j2", frame, TEMPLATES, page=made, answered=made.answered)


def _runs(problems: Sequence[ProblemStarts]) -> list[str]:
    """Return the runs that measured starts."""
    starts = [start for problem in problems for start in problem.starts]
    return sorted({row.record.run for start in starts for row in start.entry.rows})


def _section(evidence: Evidence, problem: ProblemStarts, key: str) -> StartSection:
    case, entry = whatever_start(problem.first.case), problem.first.entry
    columns = [phase for phase in phases.PROCESS if any(start.phase(phase) for start in problem.starts)]
    kept = real_time(problem)
    measured = "" if problem.basis is Basis.MEASURED else f", {problem.basis.value}, not measured"
    totals = [start.level for start in problem.starts if start.total]
    around = problem.first.around
    return StartSection(
        key=key,
        title=title(case),
        details=details(case),
        platform=f"{on(entry.platform)}{measured}",
        answers=tuple(sentences.answers(problem, kept)),
        level=LEVELS[min(totals, default=EvidenceLevel.NONE)],
        columns=tuple(WORDS[phase] for phase in columns),
        rows=tuple(_row(start, mine, columns) for mine in problem.by_implementation for start in mine),
        around=tuple((WORDS[phase], duration(seconds)[0]) for phase, seconds in around.seconds.items()),
        blank=tuple(sentences.blank(problem, around)),
        beamline=sentences.beamline(problem),
        real_time=tuple(_real_time_row(one) for one in kept),
        datasets=tuple(sentences.datasets(problem)),
        dataset=sentences.dataset(problem),
        notes=tuple(sentences.notes(problem)),
        missing=tuple(missing(evidence, [problem])),
        figures=tuple(_figures(problem, around, key)),
    )


# --- rows -----------------------------------------------------------------------------------------------------


def _row(start: EntryStarts, mine: Sequence[EntryStarts], columns: Sequence[str]) -> StartRow:
    return StartRow(
        name=name(start.entry),
        state=start.case.start or "",
        total=_cell(start.total),
        cells=tuple(_cell(start.phase(phase)) for phase in columns),
        most=_most(start),
        again=_again(start, mine),
        level=LEVELS[start.level][0],
        outcome=outcome(start.entry),
        seen=_seen(start),
        why=why(start.entry),
    )


def _cell(found: Interval | None) -> Cell:
    if found is None:
        return EMPTY
    if found.method == "none" and found.n > 1:  # a phase that was 0 in some process has its median only
        return duration(found.value)
    return cell(found, time_unit)


def _most(start: EntryStarts) -> str:
    """Return the longest phases of a start: ``"first call 9 s, import 0.5 s"``."""
    parts = {phase: found.value for phase in phases.PROCESS if (found := start.phase(phase))}
    longest = sorted(parts, key=lambda phase: -parts[phase])[:NAMED]
    return ", ".join(f"{WORDS[phase]} {duration(parts[phase])[0]}" for phase in longest)


def _again(start: EntryStarts, mine: Sequence[EntryStarts]) -> Cell:
    warm = next((one for one in mine if one.case.start == "warm" and one.total), None)
    if warm is None or start.total is None:
        return EMPTY
    if start is warm:
        return "1 ×", "by definition"
    if not start.compiles and start.case.start == "uncompiled":
        return "1 ×", "nothing to compile"
    found = start.times_as_long_as(warm)
    if found is None or start.caveat or warm.caveat or found.low is None or found.high is None or too_uncertain(found):
        void = start.caveat or warm.caveat
        return "not given", (void.kind if void else Voids.UNCERTAIN).value
    main, interval = factor(found.value, found.low, found.high)
    return main, f"{interval}: no clear difference" if found.low <= 1 <= found.high else interval


def _seen(start: EntryStarts) -> Cell:
    """Return what its processes had read from storage, and what was in memory before."""
    seen = start.start_evidence
    if not seen:
        return EMPTY
    read = max(one.read_bytes for one in seen)
    left = max(one.left_bytes / max(1, one.left_bytes + one.came_bytes) for one in seen)
    return f"{memory(read)} read", f"{percent(left)[0]} in memory before"


def _real_time_row(one: RealTime) -> RealTimeRow:
    found, workers = one.factor, one.workers
    answers = {True: "keeps up", False: "does not keep up", None: "cannot be told yet"}
    need = NOTHING
    if workers:
        need = str(workers[0]) if workers[0] == workers[1] else f"{workers[0]} to {workers[1]}"
        need += " worker is enough" if workers == (1, 1) else " workers are enough"
    why = one.caveat.kind.value if one.caveat else ""
    return RealTimeRow(
        name=f"{name(one.entry)}{', one block' if one.from_start else ''}",
        speed=speed(one.entry),
        factor=factor(found.value, found.low, found.high) if found and not one.caveat else EMPTY,
        answer=f"cannot be told yet: {why}" if why else answers[one.keeps_up],
        workers=need,
        level=LEVELS[one.level][0],
    )


# --- figures --------------------------------------------------------------------------------------------------


def _figures(problem: ProblemStarts, around: phases.Parts, key: str) -> list[CaptionedFigure]:
    what = f"{title(problem.first.case)}, {details(whatever_start(problem.first.case))}"
    platform = f"{on(problem.first.entry.platform)} ({problem.basis.value})"
    bars = [_bar(start) for mine in problem.by_implementation for start in mine if start.total]
    drawn = []
    if bars:
        said = "; ".join(f"{bar.label}: {bar.note}" for bar in bars)
        svg = stacks.draw(bars, f"{key}-starts", f"Starts: {what}, {platform}", said, _legend(phases.PROCESS))
        text = (
            f"From the start of the process to its first result: {what}, {platform}. A phase that was not measured"
            " is not drawn; at the end of a bar is the total."
        )
        drawn.append(CaptionedFigure(name=f"{key}-starts", svg=svg, title=_finding(problem), caption=text))
    if any(around.seconds.values()):
        bar = stacks.StackedBar(label=problem.first.entry.platform, seconds=around.seconds,
                           note=duration(around.total_s)[0])  # fmt: skip
        svg = stacks.draw([bar], f"{key}-job", f"Around the job: {platform}", f"{bar.label}: {bar.note}",
                          _legend(phases.JOB))  # fmt: skip
        text = f"Overhead of the job system {platform}, once for all cases of a job. Not measured: "
        rest = listed(WORDS[phase] for phase in around.missing) or "nothing"
        finding = f"The job system adds {bar.note} to the starts of a job"
        drawn.append(CaptionedFigure(name=f"{key}-job", svg=svg, title=finding, caption=f"{text}{rest}."))
    return drawn


def _finding(problem: ProblemStarts) -> str:
    """Return what takes the largest part of the slowest start."""
    starts = [start for start in problem.starts if start.total]
    slowest = max(starts, key=lambda start: start.total.value if start.total else 0.0)
    which = f"the {slowest.case.start} start of {name(slowest.entry)}"
    return f"Longest phases of {which}: {_most(slowest)}"


def _bar(start: EntryStarts) -> stacks.StackedBar:
    seen = {phase: start.phase(phase) for phase in phases.PROCESS}
    medians = {phase: found.value for phase, found in seen.items() if found}
    return stacks.StackedBar(
        label=f"{name(start.entry)}, {start.case.start}",
        seconds=medians,
        note=duration(start.total.value)[0] if start.total else "",
    )


def _legend(shown: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {phase: (WORDS[phase], COLOURS[phase]) for phase in shown}
