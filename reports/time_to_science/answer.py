"""The answer box: how long the first result takes, and whether the analysis keeps up; or what voids that answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from daasbench.evidence import phases
from daasbench.evidence.claims import problem_results

from ..blocks.answer import AnswerBox, caution, trust_line
from ..blocks.caveats import Caveat
from ..blocks.numbers import duration, joined, plural
from ..blocks.ratios import between, figure
from .real_time import ReadingFirst, RealTime, reading_first, real_time
from .starts import UNCOMPILED, EntryStarts, ProblemStarts

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

MOST = 3  # sentences
FROM = {
    "warm": "from a warm start",
    "uncompiled": "if its code is not compiled yet",
    "cold": "with its files on disk only",
    "first": "the very first time",
}
DOING = {
    "interpreter": "starting Python", "start": "starting ranks or workers", "import": "importing libraries",
    "context": "starting the GPU", "read": "reading", "put": "copying inputs", "setup": "setting up",
    "compile": "compiling", "compute": "computing", "get": "copying results",
}  # fmt: skip
LARGE = 0.25  # of a start: a phase with less is not worth a clause
NOTHING_MEASURED = (
    'No start was measured yet. Starts are measured where a case has start = ["warm", "cold"]: daasbench run'
    " time_to_science"
)


def answer_box(evidence: Evidence, problems: Sequence[ProblemStarts]) -> AnswerBox:
    """Return the answer: one problem in up to three sentences, several in a sentence each."""
    if not problems:
        return AnswerBox(sentences=(), trust="", missing=NOTHING_MEASURED)
    shown = [start.entry for problem in problems for start in problem.starts] + [
        one.entry for problem in problems for one in real_time(problem)
    ]
    results = problem_results(list(dict.fromkeys(shown)))
    said = _one(evidence, problems[0]) if len(problems) == 1 else [_short(problem) for problem in problems[:MOST]]
    undeclared = any(one.beamline.unit_bytes is None for problem in problems for one in real_time(problem))
    size = "the size of the detector's frames is not declared (unit_bytes)" if undeclared else ""
    return AnswerBox(
        sentences=tuple(filter(None, said)),
        trust="; ".join(filter(None, (trust_line(evidence, results), size))),
        caution=caution(evidence, results),
        missing="" if any(said) else " ".join(missing(evidence, problems)[:1]) or NO_RESULT,
    )


NO_RESULT = "No start gave a correct first result. The gaps below say why"


def runs(problem: ProblemStarts) -> list[str]:
    """Return the runs that measured the starts of a problem."""
    return sorted({row.record.run for start in problem.starts for row in start.entry.rows})


def missing(evidence: Evidence, problems: Sequence[ProblemStarts]) -> list[str]:
    """Return what voids a verdict, each with the command that measures what is missing; each once."""
    found: dict[str, None] = {}
    for problem in problems:
        caveats: list[Caveat | None] = [one.caveat for one in real_time(problem)]
        caveats += [start.caveat for start in problem.starts if start.total]
        found |= dict.fromkeys(one.missing(evidence, runs(problem)) for one in caveats if one)
    return list(found)


# --- one problem ----------------------------------------------------------------------------------------------


def _one(evidence: Evidence, problem: ProblemStarts) -> list[str]:
    leading = leader(problem)
    if leading is None:
        return []
    rate = next((one for one in real_time(problem) if one.entry is problem.rate_of(leading[0])), None)
    said = [first_result(leading)]
    if rate is not None and not rate.caveat:
        said += [keeping_up(rate), *_reading(problem, rate)]
    elif rate is not None and rate.caveat and said[0]:  # else the box says what is missing
        said += [f"Whether it keeps up with {rate.detector} cannot be told: {_first_lower(rate.caveat.sentence)}"]
        said += [rate.caveat.missing(evidence, runs(problem)).removeprefix(rate.caveat.sentence).strip()]
    return [sentence for sentence in said if sentence]


def leader(problem: ProblemStarts) -> Sequence[EntryStarts] | None:
    """Return the starts of the implementation that the answer is about.

    It is the one with the highest rate if there is a detector, else the one with the first result after the shortest
    time; None if no start has a figure.
    """
    able = [mine for mine in problem.by_implementation if any(start.total for start in mine)]
    if not able:
        return None
    rates = {one.entry: one.factor.value for one in real_time(problem) if one.factor}
    if rates:
        return max(able, key=lambda mine: rates.get(problem.rate_of(mine[0]), 0.0))
    return min(able, key=lambda mine: min(start.total.value for start in mine if start.total))


def claimed(mine: Sequence[EntryStarts]) -> list[EntryStarts]:
    """Return the starts whose time may be stated; an uncompiled start of what compiles nothing is a warm one again."""
    return [
        start
        for start in mine
        if start.total and not start.caveat and (start.compiles or start.case.start not in UNCOMPILED)
    ]


def first_result(mine: Sequence[EntryStarts]) -> str:
    """Return how long the first result takes in the slowest state, what most of it is, and how long when warm."""
    good = claimed(mine)
    if not good:
        return ""
    slowest = max(good, key=lambda start: start.total.value if start.total else 0.0)
    warm = next((start for start in good if start.case.start == "warm" and start is not slowest), None)
    said = f"With {mine[0].case.implementation}, the first result takes {_total(slowest)}"
    said += f" {FROM[slowest.case.start or 'warm']}{_most(slowest)}"
    return f"{said}; {FROM['warm']} {_total(warm)}." if warm else f"{said}."


def _total(start: EntryStarts) -> str:
    found = start.total
    return duration(found.value, found.low, found.high)[0] if found else ""


def _most(start: EntryStarts) -> str:
    """Return what the largest part of a start is: ``", 2.1 s of it compiling"``; empty if none is large."""
    parts = {phase: found.value for phase in phases.PROCESS if (found := start.phase(phase))}
    phase = max(parts, key=lambda name: parts[name], default="")
    if not phase or start.total is None or parts[phase] < LARGE * start.total.value:
        return ""
    doing = DOING[phase] if phase != "compile" or start.compiles else "in the first call"
    return f", {duration(parts[phase])[0]} of it {doing}"


def keeping_up(one: RealTime) -> str:
    """Return whether an implementation keeps up with the detector, for inputs in memory; empty if that is void."""
    found = one.factor
    if one.caveat or found is None:
        return ""
    ratio = joined((f"{figure(found)} times its rate", between(found)))
    start = f"{_many(one)} in memory:"
    if one.keeps_up is None:
        return f"{start} whether it keeps up with {one.detector} cannot be told yet, {ratio}."
    return f"{start} {'keeps' if one.keeps_up else 'does not keep'} up with {one.detector}, {ratio}."


def _many(one: RealTime) -> str:
    many = plural(one.beamline.unit)
    return f"{many[0].upper()}{many[1:]}"


def _reading(problem: ProblemStarts, one: RealTime) -> list[str]:
    found = reading_first(problem, one)
    return [read_first(one, found)] if found else []


def read_first(one: RealTime, found: ReadingFirst) -> str:
    """Return whether it keeps up if each unit is first read from its file: projected, so without an interval."""
    answer = {True: "keeps up", False: "does not", None: "cannot be told yet"}[found.keeps_up]
    where = "read from disk first" if found.from_disk else "read from a file in memory first"
    return f"{_many(one)} {where}: {answer} ({figure_of(found.factor)} times its rate, projected)."


def figure_of(value: float) -> str:
    """Return a projected ratio: two digits, as it has no interval."""
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def _first_lower(text: str) -> str:
    return text[0].lower() + text[1:]


# --- several problems -----------------------------------------------------------------------------------------


def _short(problem: ProblemStarts) -> str:
    leading = leader(problem)
    if leading is None or not claimed(leading):
        return ""
    case = leading[0].case
    best = min(claimed(leading), key=lambda start: start.total.value if start.total else 0.0)
    what = f"{case.kernel.replace('_', ' ')}, {case.size or 'file'}, on {best.entry.platform}"
    rate = next((one for one in real_time(problem) if one.entry is problem.rate_of(leading[0])), None)
    said = f"{what[0].upper()}{what[1:]}: first result after {_total(best)} {FROM[best.case.start or 'warm']}"
    if rate is None or rate.keeps_up is None or rate.factor is None:
        return f"{said}."
    return f"{said}; {'keeps' if rate.keeps_up else 'does not keep'} up ({figure(rate.factor)} times the rate)."
