"""What the page says in words: how long a start takes, who keeps up, what is not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daasbench.evidence import phases
from daasbench.statistics import Interval

from ..summary.sentences import name
from ..wording import NOTHING, amount, counted, duration, factor, listed, memory, plural, rate
from .keeping import Keeping, dataset_s, factor_with_reading
from .launches import Launch, Question

TOLD: Mapping[str, str] = {**phases.JOB, **phases.PROCESS}
WORDS: Mapping[str, str] = {phase: message.partition(":")[0] for phase, message in TOLD.items()}
NEARLY = 0.9  # of a keep-up factor: what reading leaves is then not told
BUSY = 0.05  # foreign share of the processors above which a start was disturbed


def answers(question: Question, kept: Sequence[Keeping]) -> list[str]:
    """Return what the page claims, a sentence each."""
    message = [sentence for implementation in question.implementations if (sentence := _way_answer(implementation))]
    message += [_keep_answer(one) + _reading_too(question, one) for one in kept]
    return message or ["No start has a verified first result; the gaps say why."]


def _way_answer(implementation: Sequence[Launch]) -> str:
    """Return how long one way takes from each state, and what most of the slowest is."""
    good = [launch for launch in implementation if launch.total]
    if not good:
        return ""
    work = next((row.record.work for launch in good for row in launch.rows if row.record.work), None)
    what = f" of {counted_units(work.units, work.unit)}" if work else ""
    times = listed(f"{_said(launch.total)} from {_a(launch.case.start)} start" for launch in good)
    message = f"{name(good[0].entry)} has its first result{what} after {times}"
    slowest = max(good, key=lambda launch: launch.total.value if launch.total else 0.0)
    shares = {phase: found.value for phase in phases.PROCESS if (found := slowest.phase(phase))}
    most = max(shares, key=lambda phase: shares[phase])
    message += f"; most of the {slowest.case.start} start is {WORDS[most]}, {duration(shares[most])[0]}"
    return f"{message}."


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


def _reading_too(question: Question, one: Keeping) -> str:
    """Return what is left of a keep-up factor where reading counts too; empty if that is as good as all of it."""
    whole, found = one.factor, factor_with_reading(question, one)
    if whole is None or whole.low is None or found is None or found[0] > NEARLY * whole.value:
        return ""
    message = f"That is of {plural(one.beamline.unit)} in memory: each read first, as fast as in {_a(found[1])} start,"
    return f" {message} and nothing done meanwhile, leaves {factor(found[0])[0]} (projected)."


def beamline(question: Question) -> str:
    """Return what is declared of the beamline, and who says so; empty if none is."""
    beamline = question.beamline
    if beamline is None:
        return ""
    speed = rate(beamline.units_per_s, None, None, beamline.unit)[0]
    message = f"{beamline.name}{', ' + beamline.detector if beamline.detector else ''}: {speed}"
    return f"{message}, as of {beamline.date}, says: {beamline.source.rstrip('.')}."


def dataset(question: Question) -> str:
    """Return how much one data set is; empty if that is not declared."""
    beamline = question.beamline
    if beamline is None or not beamline.dataset_units:
        return ""
    return counted_units(beamline.dataset_units, beamline.unit)


def datasets(question: Question) -> list[tuple[str, str, str]]:
    """Return, by way and start, how long one data set would take: projected."""
    found = [
        (launch, dataset_s(question, launch))
        for implementation in question.implementations
        for launch in implementation
    ]
    return [(name(launch.entry), launch.case.start or "", duration(s)[0]) for launch, s in found if s is not None]


def blank(question: Question, errand: phases.Parts) -> list[str]:
    """Return what no launch has a number for, each with its reason."""
    found: dict[str, list[str]] = {}  # phases by reason
    for phase, why in errand.missing.items():
        found.setdefault(why, []).append(WORDS[phase])
    for phase in phases.PROCESS:
        reasons = [parts.missing.get(phase) for launch in question.launches for parts in launch.parts.values()]
        if reasons and None not in reasons:
            found.setdefault(listed(sorted({why for why in reasons if why})), []).append(WORDS[phase])
    return [f"{listed(names)}: {why}" for why, names in found.items()]


def notes(question: Question, kept: Sequence[Keeping]) -> list[str]:
    """Return what a reader must know of the figures."""
    message = []
    busy = [row for launch in question.launches for row in launch.rows if row.record.start_evidence]
    disturbed = sum(1 for row in busy if row.record.start_evidence and row.record.start_evidence.foreign > BUSY)
    if disturbed:
        message.append(
            f"During {disturbed} of {counted(len(busy), 'start')} others used more than {100 * BUSY:g} % of the"
            " machine's processors: these starts took longer than they would alone."
        )
    small = [one for one in kept if one.entry.counted[0].record.exceeds_cache is False]
    if small:
        message.append(
            f"The rate of {listed(name(one.entry) for one in small)} is that of blocks which do not exceed the"
            " last-level cache four times: part of it is the cache's."
        )
    for one in kept:
        if sizes := one.unit_sizes:
            message.append(
                f"One {one.beamline.unit} of {name(one.entry)} has {memory(sizes[0])}, one of the detector"
                f" {memory(sizes[1])}: the keep-up factor holds for the former."
            )
            break
    return message
