"""The measurements of a plan that have no outcome yet, and the jobs that measure them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from daasbench import registry
from daasbench.contracts import Queue
from daasbench.host.code_fingerprint import suite_content
from daasbench.host.containers import missing_here
from daasbench.measure.requirements import missing_requirement
from daasbench.model import Job, Planned, digest
from daasbench.records.progress import Progress
from daasbench.scenario.grid import Cell
from daasbench.scenario.grouping import group, resume_key
from daasbench.scenario.plan import Plan

Measurement = tuple[int, Cell]
"""The index of a set of processes, and the cell that it measures."""


def sets(plan: Plan, count: int) -> list[Measurement]:
    """Return the measurements of the first `count` sets of processes of all cells."""
    return [(process, cell) for process in range(count) for cell in plan.cells]


def key_of(cell: Cell, process: int, commit: str) -> str:
    """Return the resume key of one measurement."""
    return resume_key(cell.case, cell.platform, process, commit)


def outstanding(
    plan: Plan, measurements: Iterable[Measurement], commit: str, done: Progress, active: Collection[str] = ()
) -> Mapping[str, list[Planned]]:
    """Return, by platform, the measurements that have no outcome and are in no job; a skipped case is checked again."""
    todo: dict[str, list[Planned]] = {}
    for process, cell in measurements:
        key = key_of(cell, process, commit)
        if key in active or done.ended(key) or (done.skipped(key) and not may_run_now(cell, plan)):
            continue
        attempt = done.attempts.get(key, 0) + 1
        todo.setdefault(cell.platform, []).append(Planned(key=key, case=cell.case, process=process, attempt=attempt))
    return todo


def may_run_now(cell: Cell, plan: Plan) -> bool:
    """Return whether a case that was skipped earlier may run today: the requirement may have been installed since.

    Requirements of another machine are not visible from this one; ``--again`` asks it.
    """
    platform = plan.platforms[cell.platform]
    if isinstance(registry.runner(platform.runner), Queue):
        return False
    return missing_now(cell, plan) is None


def missing_now(cell: Cell, plan: Plan) -> str | None:
    """Return what this machine misses now for a case, with the fix; None if nothing, or if another machine knows."""
    platform = plan.platforms[cell.platform]
    if isinstance(registry.runner(platform.runner), Queue):
        return None
    if missing := missing_here(platform.options):
        return missing
    gpus = cell.case.gpus * cell.case.ranks
    return missing_requirement(cell.case, cell.source, gpus=gpus, platform=platform)


def jobs_of(plan: Plan, todo: Mapping[str, list[Planned]], *, run: str, first: int, commit: str) -> list[Job]:
    """Return the jobs of what is to be measured: one per platform, or as many as its queue makes of it."""
    jobs: list[Job] = []
    for whole in group(plan, todo, run=run, first=first, commit=commit):
        runner = registry.runner(whole.platform.runner)
        parts = [whole]
        if isinstance(runner, Queue):
            parts = runner.split(msgspec.structs.replace(whole, suite=suite_content()))
        for part in parts:
            number = first + len(jobs)
            seed = int(digest([run, number]), 16) % 2**32
            named = f"{number:03d}-{whole.platform_name}"
            jobs.append(msgspec.structs.replace(part, id=named, order_seed=seed))
    return jobs
