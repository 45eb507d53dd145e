"""What a climb says, in sentences that claim no more than its rungs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from daasbench.model import Case
from daasbench.scenario.scaling_series import Intent
from daasbench.statistics import Fit, Interval

from ..summary.claims import Level
from ..summary.lines import why
from ..summary.sentences import details as problem_details
from ..wording import factor, listed, number, percent
from .climbs import ENOUGH, Climb, Step

HALF = f"{100 * ENOUGH:g} %"
WHOLE = {Intent.STRONG: "as fast as", Intent.WEAK: "as much work a second as"}
NAMES = {
    Intent.STRONG: ("strong scaling", "the same problem on all rungs"),
    Intent.WEAK: ("weak scaling", "a problem that grows with the cores"),
}


def steps(count: int, unit: str) -> str:
    """Return a number of steps in words: ``"4 ranks of 2 threads"``."""
    noun, _, rest = unit.partition(" ")
    return f"{count} {noun if count == 1 else noun + 's'}{' ' + rest if rest else ''}"


def noun(climb: Climb) -> str:
    """Return one of what the climb adds: ``"rank"``."""
    return climb.unit.partition(" ")[0]


def name(climb: Climb) -> str:
    """Return the way, and what its steps are: ``"mpi, by ranks of 2 threads"``."""
    return f"{climb.case.implementation}, by {steps(2, climb.unit).partition(' ')[2]}"


def details(climb: Climb) -> str:
    """Return which problem is climbed, in which manner and where."""
    of = "" if climb.intent is Intent.STRONG else " for each core"
    return f"{_problem(climb.case)}{of}, {NAMES[climb.intent][0]} on {climb.platform}"


def _problem(case: Case) -> str:
    import msgspec

    return problem_details(msgspec.structs.replace(case, nodes=1, grown=1))


def message(pair: tuple[str, str]) -> str:
    """Return a figure and its interval as one."""
    return " ".join(part for part in pair if part)


def as_factor(found: Interval) -> tuple[str, str]:
    """Return a speed-up and its interval."""
    return factor(found.value, found.low, found.high)


def as_percent(found: Interval) -> tuple[str, str]:
    """Return a share and its interval."""
    return percent(found.value, found.low, found.high)


def sentences(climb: Climb) -> list[str]:
    """Return what is to be said of a climb: what was reached, what another step buys, the law, the communication."""
    return [sentence for sentence in (reached(climb), worth(climb), law(climb), talk(climb)) if sentence]


def reached(climb: Climb) -> str:
    """Return how far the climb came, with intervals where there are several processes."""
    who, base, summit = name(climb), climb.base, climb.summit
    if base is None:
        return f"{who}: no rung has a verified figure: {_faults(climb.steps, climb)}."
    if summit is None or summit.speed_up is None or summit.efficiency is None:
        others = [step for step in climb.steps if step is not base]
        return f"{who}: a verified figure only on {steps(base.count, climb.unit)}; {_faults(others, climb)}."
    lowest = "" if base is climb.steps[0] else ", the lowest rung with a verified figure"
    start = f"{who}: on {steps(summit.count, climb.unit)} "
    if climb.level < Level.INTERVAL:
        return f"{start}no speed-up is claimed: one process gives no interval."
    return (
        f"{start}{message(as_factor(summit.speed_up))} {WHOLE[climb.intent]}"
        f" on {steps(base.count, climb.unit)}{lowest},"
        f" an efficiency of {message(as_percent(summit.efficiency))}."
    )


def worth(climb: Climb) -> str:
    """Return beyond how many steps another one was seen to buy little; measured rungs alone."""
    if climb.summit is None or climb.level < Level.INTERVAL:
        return ""
    one, enough = noun(climb), HALF
    if climb.end:
        before, after = climb.end
        bought = message(as_percent(after.gain)) if after.gain else ""
        return (
            f"Measured: beyond {steps(before.count, climb.unit)} another {one} buys less than {enough} of what each"
            f" of those brings: from {before.count} to {after.count}, {bought}."
        )
    last = climb.measured[-1].gain
    if last is None or last.low is None or last.high is None:
        return ""
    before, after = climb.measured[-2:]
    step = f"from {before.count} to {after.count}, {message(as_percent(last))}"
    what = f"{enough} of what each {one} before it brings"
    if last.low >= ENOUGH:
        return f"Measured: up to {steps(after.count, climb.unit)} another {one} buys more than {what}: {step}."
    return f"Measured: whether another {one} buys {what} is undecided: {step}."


def law(climb: Climb) -> str:
    """Return what the law projects, or why none is fitted."""
    if climb.summit is None:
        return ""
    found = climb.fit
    if isinstance(found, str):
        return f"Projected: nothing; no law is fitted: {found}."
    serial, one = found.serial, noun(climb)
    missing = (
        " The rungs lie off this law by more than their processes scatter, so its interval is that of the rungs."
        if found.lack_of_fit
        else ""
    )
    below = " (below 0: faster than ideal)" if serial.value < 0 else ""
    start = (
        f"Projected by {found.law}'s law, not measured: a serial fraction of {message(as_percent(serial))}{below}"
        f" over {found.points} rungs"
    )
    return f"{start}; {_beyond(found, one)}.{missing}"


def _beyond(found: Fit, one: str) -> str:
    count, least, most = found.enough(ENOUGH)
    enough = HALF
    if math.isinf(least):
        return f"within it there is no number of {one}s beyond which another buys less than {enough} of those before"
    ends = f"[{whole(least)}, {whole(most)}]"
    if math.isinf(count):
        return (
            f"no number of {one}s is found beyond which another buys less than {enough} of those before; it is more"
            f" than {whole(least)}"
        )
    return f"beyond {whole(count)} {ends} {one}s another {one} buys less than {enough} of what each of those brings"


def whole(count: float) -> str:
    """Return a number of steps; beyond a million there is no knowing."""
    if math.isinf(count):
        return "no bound"
    return f"{math.ceil(count):d}" if count < 1e6 else number(count, 2)


def talk(climb: Climb) -> str:
    """Return the share of MPI on the highest rung, or why it is not known."""
    summit = climb.summit or climb.base
    if summit is None:
        return ""
    found = summit.talk
    if isinstance(found, str):
        return f"Communication: not given, {found}."
    return (
        f"Communication, measured: on {steps(summit.count, climb.unit)} {message(as_percent(found.share))} of a repeat"
        f" passes in calls to MPI, waiting included (the least of a rank {percent(found.least)[0]}, the most"
        f" {percent(found.most)[0]}); to time these calls took {percent(found.clock, None, None)[0]}."
    )


def fault(step: Step) -> str:
    """Return why a rung has no figures: its outcome's sentence, or that it was oversubscribed."""
    return why(step.entry) or (step.fault or "")


def _faults(rungs: Sequence[Step], climb: Climb) -> str:
    found = [f"{steps(step.count, climb.unit)}: {fault(step)}" for step in rungs if step.fault]
    return listed(dict.fromkeys(found)) or "the others did not run"
