"""The one path: from a plan to records, readable as a table of contents.

``load`` and ``expand`` stand in :mod:`daasbench.scenario`; what a person sees is told through `tell`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from daasbench import maker, records, registry, results
from daasbench.clock import utc_now
from daasbench.contracts import Runner
from daasbench.costs.price import worst_case
from daasbench.errors import BudgetError
from daasbench.launch import cores_of
from daasbench.model import (
    SCHEMA,
    Job,
    JobRecord,
    JobState,
    JobStatus,
    Outcome,
    Planned,
    Reason,
    Record,
    Request,
    Turn,
)
from daasbench.progress import Progress, Tail, durations, progress
from daasbench.referee import lack_of
from daasbench.results import RunFolder
from daasbench.scenario import Cell, Plan, group, resume_key
from daasbench.worker import LAST_WORDS, LIMITS_TIMEOUT_S

POLL_S = 0.1


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may want to see while a run goes on."""

    job: str
    done: int
    total: int
    record: Record | None = None
    message: str = ""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands when its controller ends."""

    run: str
    folder: str
    planned: int
    measured: int  # by this call
    outcomes: dict[str, int]  # of all planned cells, as far as they have one
    left: int  # planned cells without an end
    messages: list[str] = []

    @property
    def exit_code(self) -> int:
        """Return 0 if every case is ok or skipped, 1 if some is not, 3 if work is left."""
        if self.left:
            return 3
        bad = sum(count for outcome, count in self.outcomes.items() if outcome not in ("ok", "skipped"))
        return 1 if bad else 0


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--dry-run`` shows: the requests, how long and how much at most, and what earlier runs took."""

    cells: int
    requests: dict[str, Request]
    longest_s: dict[str, float]
    expected_s: dict[str, float | None]
    ceiling: dict[str, str | None]


Tell = Callable[[News], None]


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
    tell: Tell | None = None,
) -> Ended:
    """Measure everything of `plan` that its latest unfinished run lacks, and return how the run stands.

    Raises
    ------
    Locked, LedgerError, BudgetError
        Nothing is lost: the same command goes on later.
    """
    with results.opened(
        results_folder,
        name=plan.name,
        identity=plan.identity,
        commit=commit,
        text=text,
        at=utc_now(),
        again=again,
        command=command,
    ) as folder:
        folder.sweep()
        done = progress(folder.path)
        todo = outstanding(plan, commit, done)
        jobs = [
            msgspec.structs.replace(job, redact=redact)
            for job in group(plan, todo, run=folder.id, first=folder.next_job(), commit=commit)
        ]
        check_budget(jobs, budget)
        messages: list[str] = []
        if done.unreadable:
            messages.append(f"{folder.path}: {done.unreadable} unreadable lines (torn by a kill) were left out")
        for job in jobs:
            folder.note(utc_now(), "planned", job.id, cases=len(job.planned))
            messages += follow(job, folder, tell or (lambda _: None))
        return conclude(plan, commit, folder, sum(len(job.planned) for job in jobs), messages)


# --- what is to be done ---------------------------------------------------------------------------------------


def outstanding(plan: Plan, commit: str, done: Progress) -> Mapping[str, list[Planned]]:
    """Return, by platform, what has no end yet; a skipped case is looked at again."""
    todo: dict[str, list[Planned]] = {}
    for process in range(plan.scenario.repeat.processes):
        for cell in plan.cells:
            key = resume_key(cell.case, cell.platform, process, commit)
            if done.ended(key) or (done.skipped(key) and not may_run_now(cell, plan)):
                continue
            attempt = done.attempts.get(key, 0) + 1
            todo.setdefault(cell.platform, []).append(
                Planned(key=key, case=cell.case, process=process, attempt=attempt)
            )
    return todo


def may_run_now(cell: Cell, plan: Plan) -> bool:
    """Return whether a case that was skipped earlier may run today: what it lacked may have been installed."""
    options = plan.platforms[cell.platform].options
    return lack_of(cell.case, cell.source, gpus=cell.case.gpus, options=options) is None


def preview(plan: Plan, *, results_folder: Path, commit: str, again: bool = False) -> Preview:
    """Return exactly what a run would send, with its longest time and its price ceiling; touches nothing."""
    begun = None if again else results.latest(results_folder, plan.identity, commit)
    folder = begun or RunFolder(results_folder / "runs" / "dry-run")
    todo = outstanding(plan, commit, progress(folder.path))
    jobs = group(plan, todo, run=folder.id, first=folder.next_job(), commit=commit)
    history = durations(results_folder)
    requests, longest, expected, ceilings = {}, {}, {}, {}
    for job in jobs:
        requests[job.id] = registry.runner(job.platform.runner).render(job, folder.job_folder(job.id))
        longest[job.id] = longest_s(job)
        known = [history.get((one.case.id, job.platform_name)) for one in job.planned]
        expected[job.id] = None if None in known else float(sum(one for one in known if one is not None))
        money = ceiling(job)
        ceilings[job.id] = f"{money[0]} {money[1]}" if money else None
    return Preview(cells=len(plan.cells), requests=requests, longest_s=longest, expected_s=expected, ceiling=ceilings)


# --- money ----------------------------------------------------------------------------------------------------


def longest_s(job: Job) -> float:
    """Return the longest that a job can take: every process, and the makers of inputs and limits, at their limits."""
    sets = {(one.process, one.case.problem_id) for one in job.planned}
    probed = {cores_of(one.case) for one in job.planned}
    making_s = maker.limit_s(job.repeat.limit_s) * len(sets) + LIMITS_TIMEOUT_S * len(probed)
    return making_s + len(job.planned) * job.repeat.hard_limit_s


def ceiling(job: Job) -> tuple[Decimal, str] | None:
    """Return the worst-case price of a job and its currency; None where the platform declares no price."""
    price = job.platform.price
    if price is None:
        return None
    widest = max(job.planned, key=lambda one: one.case.ranks * one.case.threads).case
    nodes, gpus = (max(getattr(one.case, axis) for one in job.planned) for axis in ("nodes", "gpus"))
    return worst_case(longest_s(job), nodes, widest.ranks, widest.threads, gpus, price), price.currency


def check_budget(jobs: Sequence[Job], budget: tuple[Decimal, str | None] | None) -> None:
    """Raise BudgetError if the worst case of everything that is not done costs more than `budget`."""
    if budget is None:
        return
    amount, currency = budget
    worst: dict[str, Decimal] = {}
    for job in jobs:
        if found := ceiling(job):
            worst[found[1]] = worst.get(found[1], Decimal(0)) + found[0]
    for unit, total in worst.items():
        if currency is not None and unit != currency:
            raise BudgetError(
                f"the budget is in {currency} and the platform's price in {unit}; give --budget in {unit}"
            )
        if total > amount:
            raise BudgetError(
                f"the worst case of what is not done costs {total} {unit}, more than the budget of {amount} {unit};"
                " nothing was started: raise --budget, or lower repeat.limit_s or repeat.processes"
            )
    if len(worst) > 1:
        raise BudgetError(f"the platforms' prices are in {', '.join(sorted(worst))}; a budget needs one currency")


# --- one job: submit, follow, fetch, account ------------------------------------------------------------------


def follow(job: Job, folder: RunFolder, tell: Tell) -> list[str]:
    """Run a job to its end and account for every case of it; return what a person must know."""
    runner = registry.runner(job.platform.runner)
    place = folder.job_folder(job.id)
    request = runner.render(job, place)
    folder.note(utc_now(), "submitting", job.id, runner=request.runner)
    submitted_at = utc_now()
    keep = [folder.lock_descriptor] if folder.lock_descriptor is not None else []
    handle = runner.submit(request, place, keep)
    try:
        folder.note(utc_now(), "submitted", job.id, handle=handle)
        status = wait(runner, handle, job, place, tell)
    except BaseException:
        runner.cancel(handle)
        runner.fetch(handle, place)
        folder.sweep()
        account(job, place, JobStatus(state=JobState.CANCELLED, native="cancelled", reason=Reason.INTERRUPTED))
        folder.note(utc_now(), "interrupted", job.id)
        raise
    runner.fetch(handle, place)
    folder.sweep()
    message = account(job, place, status)
    errand = JobRecord(
        job=job.id,
        platform=job.platform_name,
        submitted_at=submitted_at,
        ended_at=utc_now(),
        native=status.native,
        message=message,
    )
    told = {key: value for key, value in msgspec.to_builtins(errand).items() if key != "job" and value is not None}
    folder.note(utc_now(), "accounted", job.id, **told)
    return [message] if message else []


def wait(runner: Runner, handle: str, job: Job, place: Path, tell: Tell) -> JobStatus:
    """Return how the job ended; tell of every record as it comes."""
    reader = Tail(place / "records.jsonl")
    done = 0
    while True:
        status = runner.poll(handle)
        for record in reader.new_records():
            done += 1
            tell(News(job=job.id, done=done, total=len(job.planned), record=record))
        if status.ended:
            return status
        time.sleep(POLL_S)


def account(job: Job, place: Path, status: JobStatus) -> str:
    """Write a record for every attempt that never came back; return a sentence if the job did not do its work."""
    path = place / "records.jsonl"
    lines = records.read_lines(path).lines if path.exists() else []
    told = {(one.key, one.attempt) for one in lines if isinstance(one, Record)}
    missing = [one for one in job.planned if (one.key, one.attempt) not in told]
    if not missing:
        return ""
    said = last_words(place / "log")
    why = status.message or status.native or "it ended without a word"
    sentence = f"job {job.id}: {why}; {len(missing)} of {len(job.planned)} measurements are left" + (
        f": {said}" if said else ""
    )
    with records.Ledger(path) as ledger:
        for record in records.orphans(lines, job):
            ledger.append(record)
        if status.reason not in (None, Reason.INTERRUPTED):
            begun = {(one.key, one.attempt) for one in lines if isinstance(one, Turn)}
            for one in missing:
                if (one.key, one.attempt) not in begun:
                    ledger.append(never_came(job, one, status, sentence))
    return sentence


def never_came(job: Job, one: Planned, status: JobStatus, sentence: str) -> Record:
    """Return the record of a case that its job did not reach."""
    return Record(
        key=one.key,
        run=job.run,
        job=job.id,
        platform=job.platform_name,
        process=one.process,
        attempt=one.attempt,
        case=one.case,
        outcome=Outcome.FAILED,
        reason=status.reason,
        message=sentence,
        commit=job.commit,
        started_at=utc_now(),
        schema=SCHEMA,
    )


def last_words(log: Path) -> str:
    """Return the sentence with which a worker ended, if it said one."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    said = [line.removeprefix(LAST_WORDS) for line in lines if line.startswith(LAST_WORDS)]
    return said[-1] if said else ""


def conclude(plan: Plan, commit: str, folder: RunFolder, measured: int, messages: list[str]) -> Ended:
    """Return how the run stands now; note it when nothing is left."""
    keys = {
        resume_key(cell.case, cell.platform, process, commit)
        for process in range(plan.scenario.repeat.processes)
        for cell in plan.cells
    }
    final = progress(folder.path).outcomes
    outcomes = Counter(str(final[key]) for key in keys if key in final)
    left = len(keys) - outcomes.total()
    if not left and measured:
        folder.note(utc_now(), "finished", None, **outcomes)
    return Ended(
        run=folder.id,
        folder=str(folder.path),
        planned=len(keys),
        measured=measured,
        outcomes=dict(sorted(outcomes.items())),
        left=left,
        messages=messages,
    )


__all__ = ["Ended", "News", "Preview", "preview", "run"]
