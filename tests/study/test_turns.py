"""Contenders take turns: in processes of their own, the waiting ones stopped, disturbed turns repeated and marked."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

import psutil
import pytest

from daasbench.evidence import gather

from .campaign import Campaign


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign(tmp_path, seeds=1)


def test_every_contender_has_its_turn_before_any_has_its_second(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, seeds=1, repeats=20)
    assert campaign.run()[0] == 0
    counted = [one for one in campaign.lines("round") if 2 not in one["samples"]["flags"]]  # type: ignore[index]
    order = [str(one["case"]["implementation"]) for one in counted]  # type: ignore[index]
    assert set(order[:2]) == set(order[2:4]) == {"numpy", "again"}


def test_waiting_contenders_are_stopped(campaign: Campaign) -> None:
    controller = campaign.start()
    campaign.wait_for("round")
    worker = psutil.Process(controller.pid).children()[0]
    stopped = running = 0
    while controller.poll() is None:
        states = []
        with contextlib.suppress(psutil.Error):
            for one in worker.children():
                states.append(one.status())
        stopped = max(stopped, states.count(psutil.STATUS_STOPPED))
        running = max(running, states.count(psutil.STATUS_RUNNING))
        time.sleep(0.005)
    controller.communicate()
    assert stopped >= 1
    assert running <= 1


def test_each_process_index_has_processes_of_its_own(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, processes=2, seeds=1)
    source = campaign.folder / "sums.py"
    source.write_text(
        source.read_text().replace('return {"total"', 'print("pid", os.getpid(), flush=True)\n    return {"total"')
    )
    source.write_text("import os\n" + source.read_text())
    assert campaign.run()[0] == 0
    (log,) = campaign.results.rglob("log")
    pids = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("pid ")]
    assert len(set(pids)) == 4  # two implementations, two sets
    assert len(list(groupby(pids))) > 4  # they took turns


def test_a_disturbed_turn_is_repeated_and_its_samples_are_kept_and_marked(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, processes=1, seeds=1, sleep_s=0.1)
    burning = "import time\nend = time.time() + 60\nwhile time.time() < end: pass"
    burners = [subprocess.Popen([sys.executable, "-c", burning]) for _ in range(2)]
    try:
        assert campaign.run()[0] == 0
    finally:
        for one in burners:
            one.kill()
            one.wait()
    for record in gather(campaign.results).records:
        samples = record.samples
        assert samples is not None
        assert 2 in samples.flags
        assert max(samples.foreign) > 0.05
        assert len(samples.counted()) == 3
        assert {len(column) for column in (samples.seconds, samples.flags, samples.cpu_s, samples.foreign)} == {
            len(samples.seconds)
        }


def test_a_turn_that_cannot_end_within_the_limit_is_not_begun(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, processes=1, seeds=1, sleep_s=0.5, repeats=50)
    scenario = campaign.folder / "kills.toml"
    scenario.write_text(scenario.read_text().replace("limit_s = 20", "limit_s = 4"))
    code, out, err = campaign.run()
    assert code == 0, out + err
    assert {one["stop_reason"] for one in campaign.lines("record")} == {"limit"}
