"""A queue without a scheduler, in Python and on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daasbench import study
from daasbench.contracts import Runner
from daasbench.records.run_folder import RunFolder
from daasbench.records.runs import runs
from daasbench.scenario.plan import Plan
from daasbench.study import RunSummary
from daasbench.testing.queues import DONE, PENDING, RUNNING, FakeQueue

from .queues import a_plan


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunSummary]:
    """Return a function that runs a plan on a queue."""

    def run(queue: Runner, plan: Plan | None = None, **more: Any) -> RunSummary:
        monkeypatch.setattr("daasbench.registry.runner", lambda name: queue)
        return study.run(plan or a_plan(), results_folder=tmp_path, text="", commit="c0", **more)

    return run


@pytest.fixture
def the_run(tmp_path: Path) -> Callable[[], RunFolder]:
    return lambda: runs(tmp_path)[-1]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeQueue:
    """Add a fake queue to the shipped runners; the folder has a scenario and a platform for it."""
    from daasbench import registry

    queue, real = FakeQueue(states=[PENDING, PENDING, RUNNING, DONE]), registry.runner
    monkeypatch.setattr("daasbench.registry.runner", lambda name: queue if name == "fakequeue" else real(name))
    names = registry.names
    monkeypatch.setattr("daasbench.registry.names", lambda group: [*names(group), "fakequeue"])
    (tmp_path / "there.toml").write_text('runner = "fakequeue"\ncores_per_node = 2\n')
    (tmp_path / "q.toml").write_text(
        'question = "?"\nplatforms = ["there.toml"]\n[repeat]\nprocesses = 1\n'
        '[[cases]]\nkernel = "halo_stencil"\nimplementations = ["numpy"]\nsizes = "tiny"\nseed = [0, 1]\n'
    )
    return queue
