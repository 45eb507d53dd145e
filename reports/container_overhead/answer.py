"""The answer box: what a start costs, and whether an analysis runs as fast inside; or what voids that answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from daasbench.evidence.claims import problem_results
from daasbench.evidence.entries import entries
from daasbench.statistics import Interval

from ..blocks.answer import AnswerBox, caution, trust_line
from ..blocks.caveats import Caveat, caveat
from ..blocks.numbers import duration, joined, listed
from ..blocks.questions import asked
from ..blocks.ratios import between, difference, figure
from .overhead import PLAIN, ContainerStart, Overhead, SlowDown

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

UNASKED = "What does a container cost?"
ALIKE = 0.03  # a difference that its interval keeps below this is none in practice


class Speed(StrEnum):
    """How an analysis runs inside, compared with outside."""

    EQUAL = "equally fast"
    SLOWER = "slower"
    FASTER = "faster"
    UNCLEAR = "no clear difference"


def speed(one: SlowDown) -> Speed | Caveat:
    """Return the verdict on one case, or what voids it."""
    found = one.ratio
    void = caveat([found], one.records)
    if void:
        return void
    if found.low is None or found.high is None:  # a caveat already
        return Speed.UNCLEAR
    if (difference(found) or 0.0) <= ALIKE:
        return Speed.EQUAL
    if found.low > 1:
        return Speed.SLOWER
    return Speed.FASTER if found.high < 1 else Speed.UNCLEAR


def start_caveat(start: ContainerStart) -> Caveat | None:
    """Return what voids the figure of a start."""
    return caveat([start.seconds], start.records)


def question(evidence: Evidence, found: Overhead) -> str:
    """Return what the newest run of these figures asked."""
    return asked(evidence.scenarios.get(max(runs(found), default=""), "")) or UNASKED


def runs(found: Overhead) -> list[str]:
    """Return the runs behind the figures."""
    records = [record for start in found.starts for record in start.records]
    records += [record for one in found.slow_downs for record in one.records]
    return sorted({record.run for record in records})


def answer_box(evidence: Evidence, found: Overhead) -> AnswerBox:
    """Return the answer: first of starts, then of what runs inside."""
    problems = problem_results(entries(evidence))
    apart = any(not one.interleaved for one in found.slow_downs)
    drift = "the platforms did not run alternately: drift may be in the ratios" if apart else ""
    starting = _starting(found)
    said = [*starting, *_running(found, starting=bool(starting))][:3]
    return AnswerBox(
        sentences=tuple(said),
        trust="; ".join(filter(None, (trust_line(evidence, problems), drift))),
        caution=caution(evidence, problems),
        missing="" if said else " ".join(missing(evidence, found)[:1]) or NOTHING_MEASURED,
    )


NOTHING_MEASURED = "Nothing was measured yet that answers it. Measure it: daasbench run container_overhead"


def missing(evidence: Evidence, found: Overhead) -> list[str]:
    """Return what voids a verdict, each with the command that measures what is missing; each reason once."""
    verdicts = [start_caveat(one) for one in found.starts] + [
        verdict for one in found.slow_downs if isinstance(verdict := speed(one), Caveat)
    ]
    return list(dict.fromkeys(one.missing(evidence, runs(found)) for one in verdicts if one))


def _starting(found: Overhead) -> list[str]:
    good = [one for one in found.starts if not start_caveat(one)]
    plain = [one for one in good if one.probe == PLAIN]
    inside = listed(f"{duration_of(one.seconds)} in {one.what}" for one in good if one.probe != PLAIN)
    if not inside:
        return [f"Starting a process without a container takes {duration_of(plain[0].seconds)}."] if plain else []
    without = f"; without a container {duration_of(plain[0].seconds)}" if plain else ""
    return [f"Starting takes {inside}{without}."]


def duration_of(found: Interval) -> str:
    """Return a time without its interval, with the digits that this leaves."""
    return duration(found.value, found.low, found.high)[0]


def _running(found: Overhead, *, starting: bool) -> list[str]:
    """Return how an analysis runs inside; of probes only if there is no analysis.

    Without `starting`, a sentence on starts, the box says what is missing if no verdict holds.
    """
    analyses = [one for one in found.slow_downs if one.case.kernel != "probes"] or found.slow_downs
    verdicts = [(one, speed(one)) for one in analyses]
    who = _subject([one for one, _ in verdicts])
    equal = [one for one, verdict in verdicts if verdict is Speed.EQUAL]
    said = [_equal(equal, who)] if equal else []
    said += [_different(one, who) for one, verdict in verdicts if verdict in (Speed.SLOWER, Speed.FASTER)]
    unclear = [one for one, verdict in verdicts if verdict is Speed.UNCLEAR]
    if unclear:
        worst = max(unclear, key=lambda one: difference(one.ratio) or 0.0)
        places = listed(dict.fromkeys(one.where for one in unclear))
        said.append(f"{who} shows no clear difference in {places}: {_times_as_long(worst.ratio)}.")
    void = [(one, verdict) for one, verdict in verdicts if isinstance(verdict, Caveat)]
    if void and (starting or said):
        why = listed(dict.fromkeys(verdict.kind.value for _, verdict in void))
        places = listed(dict.fromkeys(one.where for one, _ in void))
        said.append(f"How fast {who[0].lower()}{who[1:]} runs in {places} cannot be told yet ({why}).")
    return said


def _subject(analyses: Sequence[SlowDown]) -> str:
    kernels = {one.case.kernel for one in analyses}
    if kernels == {"probes"}:
        return "Reading memory"
    return "The analysis itself" if len({one.case.id for one in analyses}) == 1 else "Each analysis"


def _equal(equal: Sequence[SlowDown], who: str) -> str:
    most = max(difference(one.ratio) or 0.0 for one in equal)
    places = listed(dict.fromkeys(one.where for one in equal))
    return f"{who} runs equally fast in {places} (difference below {max(1, math.ceil(100 * most))} %)."


def _different(one: SlowDown, who: str) -> str:
    what = f"{one.case.kernel.replace('_', ' ')} ({one.case.implementation})" if who == "Each analysis" else who
    return f"{what[0].upper()}{what[1:]} takes {_times_as_long(one.ratio)} in {one.where}."


def _times_as_long(found: Interval) -> str:
    return joined((f"{figure(found)} times as long", between(found)))


def in_words(one: SlowDown) -> str:
    """Return the verdict on one case in words that claim no more than its interval."""
    verdict = speed(one)
    if isinstance(verdict, Caveat):
        return f"cannot be told yet: {verdict.kind.value}"
    if verdict is Speed.EQUAL:
        return f"equally fast {between(one.ratio)}".rstrip()
    if verdict is Speed.UNCLEAR:
        return f"no clear difference: {_times_as_long(one.ratio)}"
    return _times_as_long(one.ratio)
