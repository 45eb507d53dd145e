"""A kill at any moment loses at most the set of processes in flight, and the same command finishes the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ..waiting import PATIENCE_S, left_of, until
from .campaign import COMMAND, Campaign, kill, workers_of

pytestmark = pytest.mark.slow


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign(tmp_path)


def finish(campaign: Campaign) -> None:
    """Run the command again: everything is done, each case once."""
    campaign.let_go()
    code, out, err = campaign.run()
    assert code == 0, out + err
    keys = campaign.ended_once()
    assert len(keys) == len(set(keys)) == campaign.cells, out


@pytest.mark.parametrize("moment", ["machine", "round", "record"])
def test_a_killed_controller_takes_its_worker_along_and_the_run_resumes(tmp_path: Path, moment: str) -> None:
    campaign = Campaign(tmp_path, seeds=2 if moment == "record" else 1, hold=moment)
    controller = campaign.start()
    campaign.wait_for(moment)
    below = workers_of(controller.pid)
    kill(psutil.Process(controller.pid))
    controller.communicate()
    assert below
    assert left_of(below) == []
    before = set(campaign.ended_once())
    finish(campaign)
    assert before <= set(campaign.ended_once())


@pytest.mark.parametrize("moment", ["machine", "round", "record"])
def test_a_killed_worker_is_reported_and_the_run_resumes(tmp_path: Path, moment: str) -> None:
    campaign = Campaign(tmp_path, seeds=2 if moment == "record" else 1, hold=moment)
    controller = campaign.start()
    campaign.wait_for(moment)
    worker = psutil.Process(controller.pid).children()[0]
    below = worker.children(recursive=True)
    kill(worker)
    _, err = controller.communicate(timeout=PATIENCE_S)
    assert controller.returncode == 3
    assert "SIGKILL" in err
    assert left_of(below) == []
    finish(campaign)


def test_a_killed_measuring_process_is_a_failed_record_and_the_others_are_measured(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, hold="round")
    controller = campaign.start()
    campaign.wait_for("round")
    worker = psutil.Process(controller.pid).children()[0]

    def computing() -> list[psutil.Process]:
        found = [one for one in worker.children() if one.status() != psutil.STATUS_STOPPED]  # the others wait
        return found if len(found) == 1 else []

    kill(until(computing, "one measuring process that computes")[0])
    campaign.let_go()
    controller.communicate(timeout=PATIENCE_S)
    assert controller.returncode == 1
    failed = [one for one in campaign.lines("record") if one["outcome"] == "failed"]
    assert len(failed) == 1
    assert "SIGKILL" in str(failed[0]["message"])
    assert len(campaign.ended_once()) == campaign.cells


def test_a_killed_input_process_is_replaced(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, hold="round")
    controller = campaign.start()
    campaign.wait_for("round")
    worker = psutil.Process(controller.pid).children()[0]
    kill(min(worker.children(), key=lambda one: (one.create_time(), one.pid)))  # the first makes the inputs
    campaign.let_go()
    controller.communicate(timeout=PATIENCE_S)
    assert controller.returncode == 0
    assert len(campaign.ended_once()) == campaign.cells


def test_killing_everything_at_once_loses_only_the_set_in_flight(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, hold="record")
    controller = campaign.start()
    campaign.wait_for("record")
    everyone = [psutil.Process(controller.pid), *workers_of(controller.pid)]
    done = set(campaign.ended_once())
    for process in everyone:
        kill(process)
    controller.communicate()
    finish(campaign)
    assert done <= set(campaign.ended_once())
    runs = list((campaign.results / "runs").glob("2*"))
    assert len(runs) == 1


def test_partial_samples_of_a_killed_set_are_kept_as_an_interrupted_attempt(tmp_path: Path) -> None:
    import daasbench

    campaign = Campaign(tmp_path, seeds=1, hold="round")
    controller = campaign.start()
    campaign.wait_for("round")
    kill(psutil.Process(controller.pid))
    controller.communicate()
    attempts = daasbench.load(campaign.results, attempts=True)
    killed = attempts[attempts["reason"] == "interrupted"]
    assert len(killed) >= 1
    assert set(killed["outcome"]) == {"failed"}
    finish(campaign)
    assert set(daasbench.load(campaign.results)["outcome"]) == {"ok"}
    attempts = daasbench.load(campaign.results, attempts=True)
    again = attempts[attempts["attempt"] > 1]
    assert set(again["outcome"]) == {"ok"}


def test_ctrl_c_ends_cleanly_with_130_and_the_run_resumes(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, hold="round")
    controller = campaign.start()
    campaign.wait_for("round")
    below = workers_of(controller.pid)
    controller.send_signal(signal.SIGINT)
    _, err = controller.communicate(timeout=PATIENCE_S)
    assert controller.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert left_of(below) == []
    assert not list(campaign.results.rglob("scratch"))
    finish(campaign)


def test_a_second_controller_says_who_holds_the_run_and_changes_nothing(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, seeds=1, hold="machine")
    first = campaign.start()
    campaign.wait_for("machine")
    code, _, err = campaign.run()
    assert code == 3
    assert str(first.pid) in err
    assert "Traceback" not in err
    campaign.let_go()
    first.communicate(timeout=PATIENCE_S)
    assert first.returncode == 0
    keys = campaign.ended_once()
    assert len(keys) == len(set(keys)) == campaign.cells


def test_a_finished_run_measures_nothing_and_says_so(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, seeds=1)
    assert campaign.run()[0] == 0
    before = len(campaign.lines("round"))
    code, out, _ = campaign.run()
    assert code == 0
    assert "Nothing was measured now: all of it was done before" in out
    assert len(campaign.lines("round")) == before
    code, _, _ = campaign.run("--again")
    assert code == 0
    assert len(campaign.lines("round")) > before
    assert len(list((campaign.results / "runs").glob("2*"))) == 2


def test_a_torn_ledger_loses_only_its_torn_line(campaign: Campaign) -> None:
    assert campaign.run()[0] == 0
    (path,) = campaign.results.rglob("records.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole[: -len(whole.splitlines()[-1]) // 2 - 1])
    code, _, err = campaign.run()
    assert code == 0
    assert "Traceback" not in err
    keys = campaign.ended_once()
    assert len(set(keys)) == campaign.cells


def test_a_full_disk_is_reported_in_a_sentence_and_nothing_is_lost(campaign: Campaign) -> None:
    limited = (
        "import resource, signal;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000));"
    )
    command = [sys.executable, "-c", limited + COMMAND, "run", "./kills.toml"]
    ended = subprocess.run(command, cwd=campaign.folder, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ended.returncode == 3, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "File too large" in ended.stderr
    done = set(campaign.ended_once())
    finish(campaign)
    assert done <= set(campaign.ended_once())


def test_a_results_folder_that_cannot_be_written_is_reported_at_once(campaign: Campaign) -> None:
    (campaign.folder / "results").write_text("a file, not a folder")
    code, _, err = campaign.run()
    assert code == 2
    assert "results" in err
    assert "Traceback" not in err


@pytest.mark.skipif(os.geteuid() != 0, reason="absent: root, to mount a read-only folder")
def test_a_read_only_results_folder_is_reported_at_once(campaign: Campaign) -> None:
    campaign.results.mkdir()
    run = f"mount -t tmpfs -o ro none {campaign.results} && exec {sys.executable} -m daasbench run ./kills.toml"
    mounted = subprocess.run(
        ["unshare", "-m", "sh", "-c", run],
        cwd=campaign.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert mounted.returncode == 2, mounted.stderr
    assert "Read-only" in mounted.stderr
    assert "Traceback" not in mounted.stderr
