"""A small plan on a queue without a scheduler, and what is asked of it."""

from __future__ import annotations

from pathlib import Path

from daasbench.evidence import gather
from daasbench.model import Case, JobState, JobStatus, Platform, Reason, Record, Repeat
from daasbench.scenario.grid import CaseBlock, Cell
from daasbench.scenario.plan import Plan, Scenario

FAILED = JobStatus(state=JobState.FAILED, native="NODE_FAIL", reason=Reason.INTERRUPTED, message="node n3 went down")


class Killed(BaseException):
    """The controller is gone, with no time for anything."""


def a_plan(*, seeds: int = 6, processes: int = 1, platforms: tuple[str, ...] = ("there",)) -> Plan:
    cells = [
        Cell(case=Case(kernel="probes", implementation="numpy", version="1", seed=seed), platform=name)
        for name in platforms
        for seed in range(seeds)
    ]
    scenario = Scenario(
        question="?", platforms=list(platforms), cases=[CaseBlock(kernel="probes")],
        repeat=Repeat(processes=processes, limit_s=10.0),
    )  # fmt: skip
    declared = {name: Platform(runner="fakequeue" if name == "there" else "fake") for name in platforms}
    return Plan(name="q", scenario=scenario, platforms=declared, cells=cells)


def records_of(folder: Path) -> list[Record]:
    return list(gather(folder).records)
