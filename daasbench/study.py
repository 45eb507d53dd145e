"""The one path: from a plan to records, readable as a table of contents.

``load`` and ``expand`` stand in :mod:`daasbench.scenario.plan`; what a person sees is told through `tell`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import cast

import msgspec

from daasbench import registry
from daasbench.contracts import Queue
from daasbench.errors import BudgetError, UsageError
from daasbench.host.clock import utc_now
from daasbench.host.code_fingerprint import suite_content
from daasbench.host.containers import missing_here
from daasbench.jobs.budget import ceiling, check_budget
from daasbench.jobs.time_limits import wall_time_limit_s
from daasbench.jobs.tracker import JobTracker, Tell
from daasbench.measure.requirements import missing_requirement
from daasbench.model import Job, Planned, Request, digest
from daasbench.records import runs
from daasbench.records.progress import Progress, durations, progress
from daasbench.records.run_folder import RunFolder
from daasbench.scenario.grid import Cell
from daasbench.scenario.grouping import group, resume_key
from daasbench.scenario.plan import Plan


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands when its controller ends."""

    run: str
    folder: str
    planned: int
    measured: int  # by this call
    outcomes: dict[str, int]  # of all planned cells, as far as they have one
    left: int  # planned cells without an end
    under_way: int = 0  # of those: in jobs of a queue
    messages: list[str] = []

    @property
    def exit_code(self) -> int:
        """Return 0 if every case is ok or skipped, 1 if some is not, 3 if work is left."""
        if self.left:
            return 3
        bad = sum(count for outcome, count in self.outcomes.items() if outcome not in ("ok", "skipped"))
        return 1 if bad else 0


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--dry-run`` shows: the requests, how long and how much at most, what earlier runs took, why not."""

    cells: int
    requests: dict[str, Request]
    wall_time_limit_s: dict[str, float]
    expected_s: dict[str, float | None]
    ceiling: dict[str, str | None]
    refused: str | None = None  # why the budget would not allow it


def run(
    plan: Plan,
    *,
    results_folder: Path,
    text: str,
    commit: str,
    command: str = "",
    again: bool = False,
    budget: tuple[Decimal, str | None] | None = None,
    redact: bool = False,
    detach: bool = False,
    tell: Tell | None = None,
) -> RunSummary:
    """Measure everything of `plan` that its latest unfinished run lacks, and return how the run stands.

    With `detach`, what goes to a queue is sent and left there; :func:`collect` brings it back.

    Raises
    ------
    Locked, LedgerError, Unreachable, BudgetError
        Nothing is lost: the same command goes on later.
    """
    if detach:
        check_detachable(plan)
    with runs.opened(
        results_folder,
        name=plan.name,
        identity=plan.identity,
        commit=commit,
        text=text,
        at=utc_now(),
        again=again,
        command=command,
        measurements=len(plan.cells) * plan.scenario.repeat.processes,
    ) as folder:
        tracker = JobTracker(folder, tell or (lambda _: None))
        tracker.resume()
        folder.sweep(tracker.at_work())
        done = progress(folder.path)
        todo = outstanding(plan, commit, done, tracker.keys())
        jobs = [
            msgspec.structs.replace(job, redact=redact)
            for job in jobs_of(plan, todo, run=folder.id, first=folder.next_job(), commit=commit)
        ]
        tracker.messages += check_budget([*jobs, *(one.job for one in tracker.going.values())], budget)
        if done.unreadable:
            message = f"{folder.path}: {done.unreadable} unreadable lines (torn by a kill) were left out"
            tracker.messages.append(message)
        measured = sum(len(job.planned) for job in jobs) + len(tracker.keys())
        tracker.send(jobs)
        tracker.look() if detach else tracker.follow()
        keys = [key_of(cell, process, commit) for process in processes(plan) for cell in plan.cells]
        return conclude(keys, len(keys), folder, measured, tracker)


def collect(folder: RunFolder, *, wait: bool = False, tell: Tell | None = None) -> RunSummary:
    """Bring back what has ended of the jobs that `folder` has on the way; with `wait`, all of them."""
    with folder.locked(utc_now()):
        tracker = JobTracker(folder, tell or (lambda _: None))
        tracker.resume()
        before = len(tracker.keys())
        tracker.follow() if wait else tracker.look_patiently()
        return conclude(*folder.asked(), folder, before - len(tracker.keys()), tracker)


def cancel(folder: RunFolder) -> RunSummary:
    """End the jobs that `folder` has on the way; what they measured is kept."""
    with folder.locked(utc_now()):
        tracker = JobTracker(folder)
        tracker.resume()
        before = len(tracker.keys())
        tracker.cancel()
        tracker.abandon_unknown_jobs()
        return conclude(*folder.asked(), folder, before, tracker)


def processes(plan: Plan) -> range:
    """Return the indices of the sets of processes."""
    return range(plan.scenario.repeat.processes)


def key_of(cell: Cell, process: int, commit: str) -> str:
    """Return the resume key of one measurement."""
    return resume_key(cell.case, cell.platform, process, commit)


def outstanding(
    plan: Plan, commit: str, done: Progress, on_the_way: Collection[str] = ()
) -> Mapping[str, list[Planned]]:
    """Return, by platform, what has no end yet and is nowhere on the way; a skipped case is looked at again."""
    todo: dict[str, list[Planned]] = {}
    for process in processes(plan):
        for cell in plan.cells:
            key = key_of(cell, process, commit)
            if key in on_the_way or done.ended(key) or (done.skipped(key) and not may_run_now(cell, plan)):
                continue
            attempt = done.attempts.get(key, 0) + 1
            todo.setdefault(cell.platform, []).append(
                Planned(key=key, case=cell.case, process=process, attempt=attempt)
            )
    return todo


def may_run_now(cell: Cell, plan: Plan) -> bool:
    """Return whether a case that was skipped earlier may run today: what it lacked may have been installed.

    What another machine lacks is not seen from here; ``--again`` asks it.
    """
    if registry.runner(plan.platforms[cell.platform].runner).outlives:
        return False
    platform = plan.platforms[cell.platform]
    if missing_here(platform.options) is not None:
        return False
    return missing_requirement(cell.case, cell.source, gpus=cell.case.gpus * cell.case.ranks, platform=platform) is None


def jobs_of(plan: Plan, todo: Mapping[str, list[Planned]], *, run: str, first: int, commit: str) -> list[Job]:
    """Return the jobs of what is to be done: one a platform, or as many as its queue makes of it."""
    found: list[Job] = []
    for whole in group(plan, todo, run=run, first=first, commit=commit):
        runner = registry.runner(whole.platform.runner)
        parts = [whole]
        if runner.outlives:
            parts = cast(Queue, runner).split(msgspec.structs.replace(whole, suite=suite_content()))
        for part in parts:
            number = first + len(found)
            seed = int(digest([run, number]), 16) % 2**32
            named = f"{number:03d}-{whole.platform_name}"
            found.append(msgspec.structs.replace(part, id=named, order_seed=seed))
    return found


def check_detachable(plan: Plan) -> None:
    """Raise UsageError if a platform's jobs end with their controller."""
    for name, platform in plan.platforms.items():
        if not registry.runner(platform.runner).outlives:
            message = f"--detach: platform {name} runs its jobs by {platform.runner}, and they end with this command"
            raise UsageError(f"{message}; leave out --detach, or choose a platform with a queue")


def preview(
    plan: Plan,
    *,
    results_folder: Path,
    commit: str,
    again: bool = False,
    budget: tuple[Decimal, str | None] | None = None,
) -> Preview:
    """Return exactly what a run would send, with its longest time and its price ceiling; touches nothing."""
    begun = None if again else runs.latest(results_folder, plan.identity, commit)
    folder = begun or runs.dry_run(results_folder)
    going = on_the_way(folder)
    sent = {one.key for job in going for one in job.planned}
    todo = outstanding(plan, commit, progress(folder.path), sent)
    jobs = jobs_of(plan, todo, run=folder.id, first=folder.next_job(), commit=commit)
    history = durations(results_folder)
    requests: dict[str, Request] = {}
    longest, expected, ceilings = {}, {}, {}
    for job in jobs:
        longest[job.id] = wall_time_limit_s(job)
        known = [history.get((one.case.id, job.platform_name)) for one in job.planned]
        expected[job.id] = None if None in known else float(sum(one for one in known if one is not None))
        money = ceiling(job)
        ceilings[job.id] = f"{money[0]} {money[1]}" if money else None
    for _, same in itertools.groupby(jobs, key=lambda job: job.platform_name):
        together = list(same)
        runner = registry.runner(together[0].platform.runner)
        if runner.outlives:
            for request in cast(Queue, runner).render_all(together, folder.jobs_path):
                requests[request.jobs[0]] = request
        else:
            requests |= {job.id: runner.render(job, folder.job_folder(job.id)) for job in together}
    refused = None
    try:
        check_budget([*jobs, *going], budget)
    except BudgetError as error:
        refused = str(error)
    return Preview(
        cells=len(plan.cells),
        requests=requests,
        wall_time_limit_s=longest,
        expected_s=expected,
        ceiling=ceilings,
        refused=refused,
    )


def on_the_way(folder: RunFolder) -> list[Job]:
    """Return the jobs that an earlier controller sent to a queue and nobody accounted for; asks no place."""
    sent = folder.unsettled()
    jobs = [job for job in folder.jobs() if job.id in sent] if sent else []
    return [job for job in jobs if registry.runner(job.platform.runner).outlives]


def conclude(keys: Sequence[str], asked: int, folder: RunFolder, measured: int, tracker: JobTracker) -> RunSummary:
    """Return how the run stands now, of as many measurements as are asked for; note it when nothing is left."""
    final = progress(folder.path).outcomes
    wanted = set(keys)
    planned = max(asked, len(wanted))
    outcomes = Counter(str(final[key]) for key in wanted if key in final)
    left = planned - outcomes.total()
    if planned and not left and (measured or not folder.finished()):
        folder.note(utc_now(), "finished", None, **outcomes)
    return RunSummary(
        run=folder.id,
        folder=str(folder.path),
        planned=planned,
        measured=measured,
        outcomes=dict(sorted(outcomes.items())),
        left=left,
        under_way=len(tracker.keys()),
        messages=tracker.messages,
    )
