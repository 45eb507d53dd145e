"""What ``--dry-run`` shows of a run that is not started."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from daasbench import registry
from daasbench.contracts import Queue
from daasbench.errors import BudgetError
from daasbench.host.clock import utc_now
from daasbench.host.containers import container_of
from daasbench.jobs.budget import ceiling, check_budget
from daasbench.jobs.further_sets import measurements_so_far
from daasbench.jobs.outstanding import jobs_of, missing_now, outstanding
from daasbench.jobs.time_limits import wall_time_limit_s
from daasbench.model import Case, Job, Request
from daasbench.records import runs
from daasbench.records.known_limits import with_known_limits
from daasbench.records.progress import durations, progress
from daasbench.records.run_folder import RunFolder
from daasbench.scenario.plan import Plan


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """A case that would be measured: by how many processes, and how long each may take."""

    case: Case
    platform: str
    processes: int  # that have no outcome yet
    expected_s: float | None  # of one process, by earlier records; None: it was never measured
    limit_s: float  # repeat.limit_s: of one process
    missing: str | None = None  # why this machine would skip it, with the fix


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The requests, the time limit and the price ceiling of each job, and how long its cases took in earlier runs."""

    cells: int
    cases: list[Forecast]
    requests: dict[str, Request]
    wall_time_limit_s: dict[str, float]
    expected_s: dict[str, float | None]
    ceiling: dict[str, str | None]
    refused: str | None = None  # why the budget does not allow the run


def preview(
    plan: Plan,
    *,
    results_folder: Path,
    commit: str,
    again: bool = False,
    budget: tuple[Decimal, str | None] | None = None,
) -> Preview:
    """Return exactly what a run would send, with time limits and price ceilings; changes nothing."""
    begun = None if again else runs.latest(results_folder, plan.identity, commit)
    folder = begun or runs.dry_run(results_folder)
    queued = _queued(folder)
    active = {planned.key for job in queued for planned in job.planned}
    measurements = measurements_so_far(plan, folder, commit)
    todo = outstanding(plan, measurements, commit, progress(folder.path), active)
    jobs = jobs_of(plan, todo, run=folder.id, first=folder.next_job(), commit=commit)
    jobs = with_known_limits(jobs, results_folder, utc_now())
    history = durations(results_folder)
    expected, ceilings = {}, {}
    for job in jobs:
        known = [history.get((planned.case.id, job.platform_name)) for planned in job.planned]
        expected[job.id] = None if None in known else float(sum(taken for taken in known if taken is not None))
        money = ceiling(job)
        ceilings[job.id] = f"{money[0]} {money[1]}" if money else None
    return Preview(
        cells=len(plan.cells),
        cases=_forecasts(plan, jobs, history),
        requests=_requests(jobs, folder),
        wall_time_limit_s={job.id: wall_time_limit_s(job) for job in jobs},
        expected_s=expected,
        ceiling=ceilings,
        refused=_refused([*jobs, *queued], budget),
    )


def _forecasts(plan: Plan, jobs: Sequence[Job], history: Mapping[tuple[str, str], float]) -> list[Forecast]:
    """Return the cases of the jobs, in the order of the plan."""
    counts = Counter((planned.case.id, job.platform_name) for job in jobs for planned in job.planned)
    limit_s = plan.scenario.repeat.limit_s
    return [
        Forecast(
            case=cell.case,
            platform=cell.platform,
            processes=counts[cell.case.id, cell.platform],
            expected_s=history.get((cell.case.id, cell.platform)),
            limit_s=limit_s,
            missing=None if container_of(plan.platforms[cell.platform].options) else missing_now(cell, plan),
        )
        for cell in plan.cells
        if (cell.case.id, cell.platform) in counts
    ]


def _queued(folder: RunFolder) -> list[Job]:
    """Return the jobs of a queue that an earlier controller sent and that are not accounted for; asks no platform."""
    sent = folder.unsettled()
    jobs = [job for job in folder.jobs() if job.id in sent] if sent else []
    return [job for job in jobs if isinstance(registry.runner(job.platform.runner), Queue)]


def _requests(jobs: Sequence[Job], folder: RunFolder) -> dict[str, Request]:
    """Return the requests by the name of their first job."""
    requests: dict[str, Request] = {}
    for _, group in itertools.groupby(jobs, key=lambda job: job.platform_name):
        together = list(group)
        runner = registry.runner(together[0].platform.runner)
        if isinstance(runner, Queue):
            requests |= {request.jobs[0]: request for request in runner.render_all(together, folder.jobs_path)}
        else:
            requests |= {job.id: runner.render(job, folder.job_folder(job.id)) for job in together}
    return requests


def _refused(jobs: Sequence[Job], budget: tuple[Decimal, str | None] | None) -> str | None:
    """Return why the budget does not allow the jobs; None if it does."""
    try:
        check_budget(jobs, budget)
    except BudgetError as error:
        return str(error)
    return None
