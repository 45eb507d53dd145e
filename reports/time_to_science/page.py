"""The page: starts, their phases, and keeping up, laid out once for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daasbench import phases
from daasbench.model import Basis
from daasbench.statistics import Interval

from ..figures import canvas, stacks
from ..summary import gaps as gap_list
from ..summary import surroundings
from ..summary.claims import Level, problems
from ..summary.page import _markdown_cell
from ..summary.questions import asked
from ..summary.sentences import LEVELS, details, name, title
from ..wording import NOTHING, amount, counted, duration, factor, listed, memory, percent, plural, rate
from .keeping import Keeping, dataset_s, keeping
from .launches import Launch, Question, questions, whatever_start

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
TOLD = {**phases.ERRAND, **phases.PROCESS}
WORDS = {phase: told.partition(":")[0] for phase, told in TOLD.items()}
BUSY = 0.05  # foreign share of the processors above which a start was disturbed
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
        words=tuple((WORDS[phase], told.partition(": ")[2]) for phase, told in TOLD.items()),
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
        answers=tuple(_answers(question, kept)),
        level=LEVELS[min(totals, default=Level.NONE)],
        columns=tuple(WORDS[phase] for phase in columns),
        lines=tuple(_line(launch, way, columns) for way in question.ways for launch in way),
        errand=tuple((WORDS[phase], duration(seconds)[0]) for phase, seconds in errand.seconds.items()),
        blank=tuple(_blank(question, errand)),
        beamline=_beamline(question),
        keeping=tuple(_keep_line(one) for one in kept),
        datasets=tuple(_datasets(question)),
        dataset=_dataset(question),
        notes=tuple(_notes(question, kept)),
        pictures=tuple(_pictures(question, errand, key)),
    )


# --- sentences ------------------------------------------------------------------------------------------------


def _answers(question: Question, kept: Sequence[Keeping]) -> list[str]:
    told = [sentence for way in question.ways if (sentence := _way_answer(way))]
    told += [_keep_answer(one) for one in kept]
    return told or ["No start has a verified first result; the gaps say why."]


def _way_answer(way: Sequence[Launch]) -> str:
    """Return how long one way takes from each state, and what most of the slowest is."""
    good = [launch for launch in way if launch.total]
    if not good:
        return ""
    work = next((row.record.work for launch in good for row in launch.rows if row.record.work), None)
    what = f" of {counted_units(work.units, work.unit)}" if work else ""
    times = listed(f"{_said(launch.total)} from {_a(launch.case.start)} start" for launch in good)
    told = f"{name(good[0].entry)} has its first result{what} after {times}"
    slowest = max(good, key=lambda launch: launch.total.value if launch.total else 0.0)
    shares = {phase: found.value for phase in phases.PROCESS if (found := slowest.phase(phase))}
    most = max(shares, key=lambda phase: shares[phase])
    told += f"; most of the {slowest.case.start} start is {WORDS[most]}, {duration(shares[most])[0]}"
    return f"{told}."


def _a(state: str | None) -> str:
    return f"an {state}" if state == "uncompiled" else f"a {state}"


def counted_units(units: float, unit: str) -> str:
    """Return an amount of work: ``"16 frames"``."""
    return f"{amount(units)} {unit if units == 1 else plural(unit)}"


def _said(found: Interval | None) -> str:
    return " ".join(filter(None, duration(found.value, found.low, found.high))) if found else NOTHING


def _keep_answer(one: Keeping) -> str:
    found, beamline = one.factor, one.beamline
    who, whose = name(one.entry), f"{beamline.detector or 'the detector'} of {beamline.name}"
    if found is None or found.low is None:
        return f"Whether {who} keeps up with {whose} is not claimed: one process gives no interval."
    ratio = " ".join(filter(None, factor(found.value, found.low, found.high)))
    if one.keeps_up:
        return f"{who} keeps up with {whose}: keep-up factor {ratio}."
    if one.keeps_up is None:
        return f"Whether {who} keeps up with {whose} is undecided: keep-up factor {ratio} includes 1."
    return f"{who} does not keep up with {whose}: keep-up factor {ratio}."


def _beamline(question: Question) -> str:
    beamline = question.beamline
    if beamline is None:
        return ""
    speed = rate(beamline.units_per_s, None, None, beamline.unit)[0]
    told = f"{beamline.name}{', ' + beamline.detector if beamline.detector else ''}: {speed}"
    return f"{told}, as of {beamline.date}, says: {beamline.source.rstrip('.')}."


def _dataset(question: Question) -> str:
    beamline = question.beamline
    if beamline is None or not beamline.dataset_units:
        return ""
    return counted_units(beamline.dataset_units, beamline.unit)


def _datasets(question: Question) -> list[tuple[str, str, str]]:
    found = [(launch, dataset_s(question, launch)) for way in question.ways for launch in way]
    return [(name(launch.entry), launch.case.start or "", duration(s)[0]) for launch, s in found if s is not None]


def _blank(question: Question, errand: phases.Parts) -> list[str]:
    """Return what no launch has a number for, each with its reason."""
    found: dict[str, list[str]] = {}  # phases by reason
    for phase, why in errand.missing.items():
        found.setdefault(why, []).append(WORDS[phase])
    for phase in phases.PROCESS:
        reasons = [parts.missing.get(phase) for launch in question.launches for parts in launch.parts.values()]
        if reasons and None not in reasons:
            found.setdefault(listed(sorted({why for why in reasons if why})), []).append(WORDS[phase])
    return [f"{listed(names)}: {why}" for why, names in found.items()]


def _notes(question: Question, kept: Sequence[Keeping]) -> list[str]:
    told = []
    busy = [row for launch in question.launches for row in launch.rows if row.record.footing]
    disturbed = sum(1 for row in busy if row.record.footing and row.record.footing.foreign > BUSY)
    if disturbed:
        told.append(
            f"During {disturbed} of {counted(len(busy), 'start')} others used more than {100 * BUSY:g} % of the"
            " machine's processors: these starts took longer than they would alone."
        )
    small = [one for one in kept if one.entry.counted[0].record.exceeds_cache is False]
    if small:
        told.append(
            f"The rate of {listed(name(one.entry) for one in small)} is that of blocks which do not exceed the"
            " last-level cache four times: part of it is the cache's."
        )
    for one in kept:
        if sizes := one.unit_sizes:
            told.append(
                f"One {one.beamline.unit} of {name(one.entry)} has {memory(sizes[0])}, one of the detector"
                f" {memory(sizes[1])}: the keep-up factor holds for the former."
            )
            break
    return told


# --- lines ----------------------------------------------------------------------------------------------------


def _line(launch: Launch, way: Sequence[Launch], columns: Sequence[str]) -> Line:
    from ..summary.lines import outcome, why

    return Line(
        name=name(launch.entry),
        state=launch.case.start or "",
        total=_cell(launch.total),
        cells=tuple(_cell(launch.phase(phase)) for phase in columns),
        again=_again(launch, way),
        level=LEVELS[launch.level][0],
        outcome=outcome(launch.entry),
        seen=_seen(launch),
        why=why(launch.entry),
    )


def _cell(found: Interval | None) -> Cell:
    return duration(found.value, found.low, found.high) if found else EMPTY


def _again(launch: Launch, way: Sequence[Launch]) -> Cell:
    warm = next((one for one in way if one.case.start == "warm" and one.total), None)
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
    bars = [_bar(launch) for way in question.ways for launch in way if launch.total]
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
                          _legend(phases.ERRAND))  # fmt: skip
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
