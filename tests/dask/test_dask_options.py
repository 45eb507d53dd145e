"""What a Dask platform's file may say, and which processors workers get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from daasbench.runners.dask import DaskRunner

from daasbench.errors import MissingRequirement, ScenarioError
from daasbench.measure.dask.options import ClusterOptions, cluster_options, computes_elsewhere
from daasbench.measure.dask.worker_checks import Facts, processors_by_worker
from daasbench.model import Case, JobState, Outcome, Platform, Record
from daasbench.records.readers import read_lines
from daasbench.testing import RunnerContract
from daasbench.testing.runners import sample_job


class TestDaskRunner(RunnerContract):
    make = DaskRunner

    def test_a_job_ends_done_with_a_record_for_every_case(self, tmp_path: Path) -> None:
        """They are skipped: the job's implementation is not for Dask."""
        runner = DaskRunner()
        job = sample_job(tmp_path, runner="dask")
        folder = tmp_path / "jobs" / job.id
        handle = runner.submit(runner.render(job, folder), folder)
        assert self._ended(runner, handle).state is JobState.DONE
        records = [one for one in read_lines(folder / "records.jsonl").lines if isinstance(one, Record)]
        assert {one.key for one in records} == {one.key for one in job.planned}
        assert {one.outcome for one in records} == {Outcome.SKIPPED}
        assert {"runs only implementations for Dask" in record.message for record in records} == {True}


@pytest.mark.parametrize(
    "options",
    [
        {"scheduler": "tcp://login1:8786"},
        {"scheduler_file": "/home/me/scheduler.json"},
        {"cluster": "local"},
        {"cluster": "mpi", "launcher": "srun -n {ranks}", "interface": "ib0", "wait_s": 60},
        {"cluster": "slurm", "partition": "gpu", "setup": ["module load x"], "memory": "16GB", "walltime": "01:00:00"},
    ],
)
def test_each_source_of_workers_is_accepted(options: Any) -> None:
    DaskRunner().check(options, "p.toml: options")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "p.toml: options: no Dask cluster is named; write one of scheduler"),
        ({"cluster": "local", "scheduler": "tcp://a:1"}, "scheduler and cluster exclude each other"),
        ({"cluster": "kubernetes"}, "cluster: expected one of 'local', 'mpi', 'slurm', got the text 'kubernetes'"),
        ({"scheduler": "login1"}, 'scheduler: expected the address of a Dask scheduler such as "tcp://login1:8786"'),
        ({"scheduler_file": "here.json"}, "scheduler_file: expected an absolute path"),
        (
            {"cluster": "local", "partition": "gpu"},
            'partition is not an option of cluster = "local"; it has no options',
        ),
        (
            {"cluster": "mpi", "account": "me"},
            'account is not an option of cluster = "mpi"; it has: launcher, interface',
        ),
        ({"scheduler": "tcp://a:1", "wait_s": 3}, "wait_s is not an option of a running cluster"),
        ({"cluster": "slurm", "partitoin": "gpu"}, "did you mean 'partition'"),
        ({"cluster": "slurm", "memory": 16}, "memory: expected an amount of memory"),
        ({"cluster": "slurm", "walltime": "an hour"}, 'walltime: expected a time such as "01:30:00"'),
        ({"cluster": "slurm", "cores": 0}, "cores: expected a whole number of 1 or more"),
        ({"cluster": "slurm", "setup": ["a\nb"]}, "setup[0]: expected one line of text"),
        ({"cluster": "mpi", "launcher": "srun -n {rank}"}, "rank"),
    ],
)
def test_anything_else_is_refused_with_what_would_be_right(options: Any, sentence: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        DaskRunner().check(options, "p.toml: options")
    assert sentence in str(refused.value)


def test_options_of_other_runners_are_left_alone() -> None:
    message = cluster_options(Platform(runner="slurm", options={"partition": 7, "cluster": "hummel"}))
    assert message == ClusterOptions()
    message = cluster_options(Platform(runner="local", options={"scheduler": "tcp://a:1", "launcher": "srun"}))
    assert message == ClusterOptions(scheduler="tcp://a:1")


@pytest.mark.parametrize(
    ("options", "nodes", "elsewhere"),
    [
        ({}, 1, False),
        ({"cluster": "local"}, 1, False),
        ({"cluster": "mpi"}, 1, False),
        ({"cluster": "mpi"}, 2, True),
        ({"cluster": "slurm"}, 1, True),
        ({"scheduler": "tcp://a:1"}, 1, True),
        ({"scheduler_file": "/a"}, 1, True),
    ],
)
def test_where_workers_are_decides_whose_limits_count(options: Any, nodes: int, elsewhere: bool) -> None:
    case = Case(kernel="k", implementation="dask", version="1", nodes=nodes)
    assert computes_elsewhere(ClusterOptions(**options), case) is elsewhere


def facts(*workers: tuple[str, list[int]]) -> dict[str, Facts]:
    return {f"w{number}": Facts(host=host, pid=1, cpus=cpus, now=0.0) for number, (host, cpus) in enumerate(workers)}


@pytest.mark.parametrize(
    ("workers", "threads", "expected"),
    [
        ([("a", [0, 1, 2, 3]), ("a", [0, 1, 2, 3])], 2, {"w0": [0, 1], "w1": [2, 3]}),
        ([("a", [0, 1]), ("b", [0, 1])], 2, {"w0": [0, 1], "w1": [0, 1]}),
        ([("a", [4, 5]), ("a", [6, 7])], 1, {"w0": [4], "w1": [6]}),
        ([("a", [0, 1, 2]), ("a", [0])], 1, {"w0": [1], "w1": [0]}),
    ],
)
def test_workers_get_processors_of_their_own(workers: Any, threads: int, expected: Any) -> None:
    assert processors_by_worker(facts(*workers), threads) == expected


def test_a_host_with_too_few_processors_is_a_missing_requirement() -> None:
    with pytest.raises(
        MissingRequirement, match="2 Dask workers of 2 threads on a have 3 processors; request fewer, or more"
    ):
        processors_by_worker(facts(("a", [0, 1, 2]), ("a", [0, 1, 2])), 2)
