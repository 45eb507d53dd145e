"""What a worker is doing while no measurement ends reaches the person who waits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from daasbench import study
from daasbench.jobs.news import News, Phase
from daasbench.model import Case, Platform, Repeat, Request
from daasbench.records.layout import PHASE_FILE
from daasbench.scenario.grid import CaseBlock, Cell
from daasbench.scenario.plan import Plan, Scenario
from daasbench.testing import FakeRunner


class Measuring(FakeRunner):
    """A runner whose worker says that it measures limits."""

    def submit(self, request: Request, folder: Path, keep_open: Sequence[int] = ()) -> str:
        handle = super().submit(request, folder, keep_open)
        (folder / PHASE_FILE).write_text("measuring the limits of this machine (2 threads)\n")
        return handle


def test_the_person_who_waits_hears_once_what_the_worker_is_doing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Measuring()
    monkeypatch.setattr("daasbench.registry.runner", lambda name: runner)
    monkeypatch.setattr("daasbench.jobs.tracker.POLL_S", 0.0)
    scenario = Scenario(
        question="?", platforms=["there"], cases=[CaseBlock(kernel="probes")], repeat=Repeat(processes=1)
    )
    cell = Cell(case=Case(kernel="probes", implementation="numpy", version="1", seed=0), platform="there")
    plan = Plan(name="q", scenario=scenario, platforms={"there": Platform(runner="fake")}, cells=[cell])
    heard: list[News | Phase] = []
    assert study.run(plan, results_folder=tmp_path, text="", commit="c0", tell=heard.append).exit_code == 0
    assert [one.text for one in heard if isinstance(one, Phase)] == ["measuring the limits of this machine (2 threads)"]
    assert sum(isinstance(one, News) for one in heard) == 1
