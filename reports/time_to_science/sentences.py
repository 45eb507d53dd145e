"""What the page says below its answer: of each implementation, of the beamline, and of what is not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daasbench.evidence import phases

from ..blocks.claims_in_words import name
from ..blocks.numbers import amount, counted, duration, listed, plural, rate
from .answer import first_result, keeping_up, read_first
from .real_time import RealTime, dataset_s, reading_first
from .starts import EntryStarts, ProblemStarts

PHASES: Mapping[str, str] = {**phases.JOB, **phases.PROCESS}
WORDS: Mapping[str, str] = {phase: text.partition(":")[0] for phase, text in PHASES.items()} | {"compile": "first call"}
FOREIGN = "others used more than 5 % of the machine's processors"


def answers(problem: ProblemStarts, kept: Sequence[RealTime]) -> list[str]:
    """Return what the page states of each implementation, or why it does not, a sentence each."""
    said = [sentence for mine in problem.by_implementation if (sentence := first_result(mine))]
    for one in kept:
        found = reading_first(problem, one)
        if not one.caveat:  # else the page says what is missing
            said.append(f"{name(one.entry)}: {keeping_up(one)}{f' {read_first(one, found)}' if found else ''}")
    return said


def counted_units(units: float, unit: str) -> str:
    """Return an amount of work: ``"16 frames"``."""
    return f"{amount(units)} {unit if units == 1 else plural(unit)}"


def beamline(problem: ProblemStarts) -> str:
    """Return what is declared of the beamline, and who says so; empty if none is."""
    beamline = problem.beamline
    if beamline is None:
        return ""
    speed = rate(beamline.units_per_s, None, None, beamline.unit)[0]
    who = f"{beamline.name}{', ' + beamline.detector if beamline.detector else ''}"
    return f"{who}, {speed} (source: {beamline.source.rstrip('.')}, {beamline.date})."


def dataset(problem: ProblemStarts) -> str:
    """Return how much one data set is; empty if that is not declared."""
    beamline = problem.beamline
    if beamline is None or not beamline.dataset_units:
        return ""
    return counted_units(beamline.dataset_units, beamline.unit)


def datasets(problem: ProblemStarts) -> list[tuple[str, str, str]]:
    """Return, by implementation and start, how long one data set would take: projected."""
    found = [(start, dataset_s(problem, start)) for mine in problem.by_implementation for start in mine]
    return [(name(start.entry), start.case.start or "", duration(s)[0]) for start, s in found if s is not None]


def blank(problem: ProblemStarts, around: phases.Parts) -> list[str]:
    """Return what no start has a number for, each with its reason."""
    found: dict[str, list[str]] = {}  # phases by reason
    for phase, why in around.missing.items():
        found.setdefault(why, []).append(WORDS[phase])
    for phase in phases.PROCESS:
        reasons = [parts.missing.get(phase) for start in problem.starts for parts in start.parts.values()]
        if reasons and None not in reasons:
            found.setdefault(listed(sorted({why for why in reasons if why})), []).append(WORDS[phase])
    return [f"{listed(names)}: {why}" for why, names in found.items()]


def notes(problem: ProblemStarts) -> list[str]:
    """Return what a reader must know of the figures."""
    notes = []
    total = sum(len(start.rows) for start in problem.starts)
    busy = sum(start.disturbed for start in problem.starts)
    if busy:
        notes.append(
            f"During {busy} of {counted(total, 'start')} {FOREIGN}: these starts took longer than they would alone."
        )
    return [*notes, *(note for mine in problem.by_implementation if (note := _uncompiled(mine)))]


def _uncompiled(mine: Sequence[EntryStarts]) -> str:
    """Return why an uncompiled start may be as fast as a warm one, or faster; empty if there is nothing to explain."""
    by_state = {start.case.start: start for start in mine if start.total}
    warm, uncompiled = by_state.get("warm"), by_state.get("uncompiled")
    if uncompiled is None or uncompiled.total is None:
        return ""
    who = name(uncompiled.entry)
    if not uncompiled.compiles:
        return (
            f"{who} compiles nothing, so its uncompiled start is a second warm start. A difference between the two"
            " shows how much starts vary."
        )
    if warm is not None and warm.total is not None and uncompiled.total.value < warm.total.value:
        return (
            f"The uncompiled starts of {who} took less time than its warm ones. Compiling cannot explain that: starts"
            " vary more than compiling takes."
        )
    return ""
