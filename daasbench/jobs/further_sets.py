"""Further sets of processes: what a run measures after the first sets, where `repeat.processes` is a range.

Everything follows from the files of the run, so that a run that was interrupted decides as it would have decided.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass

from daasbench.jobs.outstanding import Measurement, sets
from daasbench.model import Case, Event, Repeat
from daasbench.records.run_folder import RunFolder
from daasbench.scenario.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Imprecise:
    """A problem whose interval is wider than asked.

    Attributes
    ----------
    problem, name
        The id of the problem, and what it is in words.
    sets
        How many sets of processes were measured.
    wanted
        How many sets are wanted in all; `sets` if no more may be added.
    width
        The relative half-width of the interval; None where the processes give none.
    measurable
        Case and platform of what is measured again: what has a correct result.
    """

    problem: str
    name: str
    sets: int
    wanted: int
    width: float | None
    measurable: frozenset[tuple[str, str]]

    def is_narrow(self, asked: float) -> bool:
        """Return whether the interval is as narrow as asked, although too few processes have measured it to be sure."""
        return self.width is not None and self.width <= asked

    def __str__(self) -> str:
        width = "no interval" if self.width is None else f"±{_percent(self.width)}"
        if self.width is not None and self.width > 1:
            width = "more than ±100 %"
        return f"{self.name}: {width} after {self.sets} processes"


def measurements_so_far(plan: Plan, folder: RunFolder, commit: str) -> list[Measurement]:
    """Return the measurements of the first sets, and of those that jobs of the run have added: they are completed."""
    repeat = plan.scenario.repeat
    first = sets(plan, repeat.least_processes)
    if not repeat.adds_processes:
        return first
    planned = {
        (one.process, one.case.id, job.platform_name)
        for job in folder.jobs()
        if job.commit == commit
        for one in job.planned
        if one.process >= repeat.least_processes
    }
    added = sorted({process for process, _, _ in planned})
    return first + [
        (process, cell) for process in added for cell in plan.cells if (process, cell.case.id, cell.platform) in planned
    ]


def imprecise(folder: RunFolder, repeat: Repeat) -> list[Imprecise]:
    """Return the problems of a run whose intervals are wider than asked, or that too few processes have measured."""
    if not repeat.adds_processes:
        return []
    from daasbench.evidence.claims import problem_results
    from daasbench.evidence.collection import gather
    from daasbench.evidence.entries import entries
    from daasbench.evidence.precision import precision, sets_wanted
    from daasbench.evidence.table import options_text

    found = []
    events = folder.events()
    for problem in problem_results(entries(gather(folder.path))):
        known = precision(problem)
        if known is None:
            continue
        wanted = sets_wanted(known.sets, repeat.most_processes, known.width, repeat.precision)
        if wanted <= known.sets and known.reaches(repeat.precision):
            continue
        case = problem.first.case
        in_time = known.sets + sets_in_time(events, known.sets, repeat.time_s)
        found.append(
            Imprecise(
                problem=problem.id,
                name=" ".join(filter(None, (case.kernel, case.size or _file_name(case), options_text(case)))),
                sets=known.sets,
                wanted=max(known.sets, min(wanted, in_time)),
                width=known.width,
                measurable=frozenset((entry.case.id, entry.platform) for entry in problem.newest if entry.counted),
            )
        )
    return found


def measurements_of(plan: Plan, problems: Sequence[Imprecise]) -> list[Measurement]:
    """Return the measurements of the sets that these problems want: all implementations that have a correct result."""
    return [
        (process, cell)
        for process in range(max((one.wanted for one in problems), default=0))
        for cell in plan.cells
        for one in problems
        if cell.case.problem_id == one.problem
        and one.sets <= process < one.wanted
        and (cell.case.id, cell.platform) in one.measurable
    ]


def added_message(problems: Sequence[Imprecise], repeat: Repeat) -> str:
    """Return what is added, and why; empty if nothing is."""
    wanted = [one for one in problems if one.wanted > one.sets]
    if not wanted:
        return ""
    parts = [f"{one}, {one.wanted - one.sets} more" for one in wanted]
    return f"more processes are needed for intervals of ±{_percent(repeat.precision)}. {'; '.join(parts)}"


def imprecise_message(problems: Sequence[Imprecise], repeat: Repeat) -> str:
    """Return what remains less precise than asked, and what to do; empty if nothing does."""
    rest = [one for one in problems if one.wanted == one.sets and not one.is_narrow(repeat.precision)]
    if not rest:
        return ""
    capped = all(one.sets >= repeat.most_processes for one in rest)
    most = f"raise repeat.processes = [{repeat.least_processes}, {repeat.most_processes}]"
    fix = most if capped else f"raise repeat.time_s = {repeat.time_s:g}"
    asked = f"±{_percent(repeat.precision)} was asked (repeat.precision)"
    return f"{'; '.join(map(str, rest))}. {asked}: measure on a quiet machine, or {fix}"


def sets_in_time(events: Sequence[Event], sets: int, time_s: float | None) -> int:
    """Return how many more sets fit into `time_s`, if each takes as long as those so far took on average."""
    used_s = _busy_s(events)
    if time_s is None or not used_s:
        return 1_000_000
    return max(0, math.floor((time_s - used_s) / (used_s / sets)))


def _busy_s(events: Sequence[Event]) -> float:
    """Return for how long jobs of the run were queued or running; jobs at the same time count once."""
    spans = []
    for event in events:
        start, end = event.detail.get("submitted_at"), event.detail.get("ended_at")
        if start and end:
            spans.append(tuple(datetime.datetime.fromisoformat(str(text)).timestamp() for text in (start, end)))
    total = 0.0
    until = -math.inf
    for start_s, end_s in sorted(spans):
        total += max(0.0, end_s - max(start_s, until))
        until = max(until, end_s)
    return total


def _file_name(case: Case) -> str:
    return (case.input or "").rpartition("/")[2]


def _percent(width: float) -> str:
    return f"{100 * width:.{0 if width >= 0.1 else 1}f} %".replace(".0 %", " %")
