"""What the page says in words: how long a start takes, who keeps up, what is not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daasbench.evidence import phases
from daasbench.statistics import Interval

from ..blocks.claims_in_words import name
from ..blocks.numbers import NOTHING, amount, counted, duration, factor, joined, listed, memory, plural, rate
from .real_time import RealTime, dataset_s, factor_with_reading
from .starts import EntryStarts, ProblemStarts

PHASES: Mapping[str, str] = {**phases.JOB, **phases.PROCESS}
WORDS: Mapping[str, str] = {phase: text.partition(":")[0] for phase, text in PHASES.items()}
NEARLY = 0.9  # of a keep-up factor: above it, the factor with reading is not given
BUSY = 0.05  # foreign share of the processors above which a start was disturbed


def answers(problem: ProblemStarts, kept: Sequence[RealTime]) -> list[str]:
    """Return what the page claims, a sentence each."""
    said = [sentence for mine in problem.by_implementation if (sentence := _start_answer(mine))]
    said += [_real_time_answer(one) + _with_reading(problem, one) for one in kept]
    return said or ["No start has a verified first result; the gaps say why."]


def _start_answer(mine: Sequence[EntryStarts]) -> str:
    """Return how long one implementation takes from each state, and what most of the slowest is."""
    good = [start for start in mine if start.total]
    if not good:
        return ""
    work = next((row.record.work for start in good for row in start.rows if row.record.work), None)
    what = f" of {counted_units(work.units, work.unit)}" if work else ""
    times = listed(f"{_said(start.total)} from {_a(start.case.start)} start" for start in good)
    answer = f"{name(good[0].entry)} has its first result{what} after {times}"
    slowest = max(good, key=lambda start: start.total.value if start.total else 0.0)
    shares = {phase: found.value for phase in phases.PROCESS if (found := slowest.phase(phase))}
    most = max(shares, key=lambda phase: shares[phase])
    answer += f"; most of the {slowest.case.start} start is {WORDS[most]}, {duration(shares[most])[0]}"
    return f"{answer}."


def _a(state: str | None) -> str:
    return f"an {state}" if state == "uncompiled" else f"a {state}"


def counted_units(units: float, unit: str) -> str:
    """Return an amount of work: ``"16 frames"``."""
    return f"{amount(units)} {unit if units == 1 else plural(unit)}"


def _said(found: Interval | None) -> str:
    return joined(duration(found.value, found.low, found.high)) if found else NOTHING


def _real_time_answer(one: RealTime) -> str:
    found, beamline = one.factor, one.beamline
    who, whose = name(one.entry), f"{beamline.detector or 'the detector'} of {beamline.name}"
    if found is None or found.low is None:
        return f"Whether {who} keeps up with {whose} is not claimed: one process gives no interval."
    ratio = joined(factor(found.value, found.low, found.high))
    if one.keeps_up:
        return f"{who} keeps up with {whose}: keep-up factor {ratio}."
    if one.keeps_up is None:
        return f"It cannot be told yet whether {who} keeps up with {whose}: keep-up factor {ratio} includes 1."
    return f"{who} does not keep up with {whose}: keep-up factor {ratio}."


def _with_reading(problem: ProblemStarts, one: RealTime) -> str:
    """Return the keep-up factor where reading counts too; empty if it is nearly the same."""
    whole, found = one.factor, factor_with_reading(problem, one)
    if whole is None or whole.low is None or found is None or found[0] > NEARLY * whole.value:
        return ""
    where = (
        f"That is for {plural(one.beamline.unit)} in memory: if each is read first, as fast as in {_a(found[1])} start"
    )
    return f" {where}, and nothing is done meanwhile, it is {factor(found[0])[0]} (projected)."


def beamline(problem: ProblemStarts) -> str:
    """Return what is declared of the beamline, and who says so; empty if none is."""
    beamline = problem.beamline
    if beamline is None:
        return ""
    speed = rate(beamline.units_per_s, None, None, beamline.unit)[0]
    who = f"{beamline.name}{', ' + beamline.detector if beamline.detector else ''}"
    return f"{who}: {speed}, as of {beamline.date}, says: {beamline.source.rstrip('.')}."


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


def notes(problem: ProblemStarts, kept: Sequence[RealTime]) -> list[str]:
    """Return what a reader must know of the figures."""
    notes = []
    busy = [row for start in problem.starts for row in start.rows if row.record.start_evidence]
    disturbed = sum(1 for row in busy if row.record.start_evidence and row.record.start_evidence.foreign > BUSY)
    if disturbed:
        notes.append(
            f"During {disturbed} of {counted(len(busy), 'start')} others used more than {100 * BUSY:g} % of the"
            " machine's processors: these starts took longer than they would alone."
        )
    small = [one for one in kept if one.entry.counted[0].record.exceeds_cache is False]
    if small:
        notes.append(
            f"The rate of {listed(name(one.entry) for one in small)} is that of blocks which do not exceed the"
            " last-level cache four times: part of it is the cache's."
        )
    for one in kept:
        if sizes := one.unit_sizes:
            notes.append(
                f"One {one.beamline.unit} of {name(one.entry)} has {memory(sizes[0])}, one of the detector"
                f" {memory(sizes[1])}: the keep-up factor holds for the former."
            )
            break
    return notes
