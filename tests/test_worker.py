"""A worker that a scheduler may start twice: it claims its job once, continues after a kill, and notes its end."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from daasbench.host.code_fingerprint import suite_content
from daasbench.measure.job_limits import thread_counts
from daasbench.model import Case, Job, Planned, Platform, Round
from daasbench.records.ledger import Ledger
from daasbench.records.readers import read_lines
from daasbench.testing.runners import sample_job
from daasbench.worker import Taken, claim


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return msgspec.structs.replace(sample_job(tmp_path, runner="slurm"), suite=suite_content())


def do(job: Job, folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Run the worker on a job in `folder`, under the claim `name`."""
    folder.mkdir(exist_ok=True)
    (folder / "job.json").write_bytes(msgspec.json.encode(job))
    command = [sys.executable, "-m", "daasbench.worker", str(folder / "job.json"), "--claim", name]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def records_in(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "records.jsonl").read_text().splitlines()
    return [one for one in map(json.loads, lines) if one["type"] == "record"]


def test_a_job_is_done_by_the_first_who_takes_it(job: Job, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    assert do(job, folder, "17").returncode == 0
    before = (folder / "records.jsonl").read_bytes()
    late = do(job, folder, "18")
    assert late.returncode == 4
    assert "the worker 17 has this job; this worker (18) ends at once and measures nothing" in late.stderr
    assert (folder / "records.jsonl").read_bytes() == before
    assert json.loads((folder / "started.json").read_text())["claim"] == "17"
    ended = json.loads((folder / "ended.json").read_text())
    assert ended["exit"] == 0


def test_whoever_begins_again_under_the_same_name_does_nothing_twice(job: Job, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    do(job, folder, "17")
    assert do(job, folder, "17").returncode == 0
    assert len(records_in(folder)) == len(job.planned)


def test_an_attempt_that_was_killed_is_kept_and_followed_by_another(job: Job, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    assert do(job, folder, "17").returncode == 0
    whole = read_lines(folder / "records.jsonl").lines
    round_ = next(one for one in whole if isinstance(one, Round))
    (folder / "records.jsonl").unlink()
    with Ledger(folder / "records.jsonl") as ledger:  # killed in the middle of its first case
        ledger.append(round_)
    assert do(job, folder, "17").returncode == 0
    message = [(one["key"] == round_.key, one.get("attempt", 1), one["outcome"]) for one in records_in(folder)]
    assert sorted(message) == [(False, 1, "ok"), (True, 1, "failed"), (True, 2, "ok")]


def test_other_code_than_that_which_planned_a_job_does_not_do_it(job: Job, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    other = do(msgspec.structs.replace(job, suite="0" * 16), folder, "17")
    assert other.returncode == 3
    assert "is not the one that planned the job" in other.stderr
    assert "option python" in other.stderr
    assert not (folder / "records.jsonl").exists()


def test_a_claim_is_complete_or_absent(tmp_path: Path) -> None:
    claim(tmp_path, "one")
    claim(tmp_path, "one")
    with pytest.raises(Taken):
        claim(tmp_path, "other")
    assert [path.name for path in tmp_path.iterdir()] == ["claim"]


def test_the_limits_of_this_node_are_not_measured_where_dask_workers_elsewhere_compute(tmp_path: Path) -> None:
    case = Case(kernel="xpcs", implementation="dask", version="1", size="tiny", seed=0)
    job = msgspec.structs.replace(
        sample_job(tmp_path, runner="dask"), planned=[Planned(key="k", case=case, process=0)], sources={}
    )

    def threads(**options: str) -> list[int]:
        return thread_counts(msgspec.structs.replace(job, platform=Platform(runner="dask", options=dict(options))))

    assert threads(cluster="local") == [1]
    assert threads(scheduler="tcp://login1:8786") == threads(cluster="slurm") == []
    mixed = msgspec.structs.replace(case, implementation="numpy")
    both = [*job.planned, Planned(key="l", case=mixed, process=0)]
    site = Platform(runner="slurm", options={"scheduler": "tcp://login1:8786"})
    assert thread_counts(msgspec.structs.replace(job, planned=both, platform=site)) == [1]


def test_a_job_is_taken_once_also_on_a_file_system_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    claim(tmp_path, "one")
    claim(tmp_path, "one")
    with pytest.raises(Taken, match="one has this job"):
        claim(tmp_path, "other")
