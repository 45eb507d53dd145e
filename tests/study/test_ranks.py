"""Real ranks and real Dask workers: measured correctly, every problem reported, and no process remains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest

from daasbench.evidence import Evidence, gather

from ..waiting import PATIENCE_S, left_of, until
from .campaign import COMMAND, Campaign, kill, workers_of

KERNEL = '''
import os, signal, time
import numpy as np
from daasbench import kernel
from daasbench.contracts import Implementation, Partitioned
from daasbench.authoring.partition import share

@kernel(unit="frame", oracle=lambda inputs, got: abs(got["total"] - inputs["frames"].sum()), tolerance=0.5)
def sums(inputs):
    """Sum of frames, on ranks and workers, with many wrong implementations."""
    return {"total": inputs["frames"].sum()}

@sums.inputs(tiny={"n": 5})
def frames(n, rng):
    return {"frames": rng.poisson(3, (n, 16, 16)).astype("u4")}

def ranked(trouble):
    def prepare(problem, resources):
        comm, calls = resources.comm, 0
        def put(block):
            return block["frames"][share(len(block["frames"]), comm.size, comm.rank)].copy()
        def compute(part):
            nonlocal calls
            calls += 1
            more = trouble(comm.rank, calls, part) or 0
            time.sleep(SLEEP_S)
            return comm.reduce(part.sum() + more)
        return Partitioned(put=put, compute=compute, get=lambda total: None if total is None else {"total": total})
    return prepare

def worked(trouble):
    def prepare(problem, resources):
        client, calls = resources.client, 0
        workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
        def put(block):
            parts = [block["frames"][share(len(block["frames"]), len(workers), one)] for one in range(len(workers))]
            pairs = zip(workers, parts)
            return [client.scatter(part, workers=[worker], hash=False) for worker, part in pairs]
        def compute(parts):
            nonlocal calls
            calls += 1
            trouble(client, workers, calls)
            time.sleep(SLEEP_S)
            pairs = zip(workers, parts)
            futures = [client.submit(np.sum, part, workers=[worker], pure=False) for worker, part in pairs]
            for one in futures:
                one.exception()
            return futures
        return Partitioned(put=put, compute=compute, get=lambda futures: {"total": sum(client.gather(futures))})
    return prepare

def add(name, prepare, backend, **more):
    sums.implementations[name] = Implementation(name=name, load=lambda: prepare, backend=backend, **more)

def of_rank_1(trouble):
    return ranked(lambda rank, calls, part: trouble(part) if rank == 1 and calls > 3 else None)

def mislead(block):
    raise ValueError("the detector is upside down")

add("ranked", ranked(lambda *_: None), "mpi")
add("raises", of_rank_1(mislead), "mpi")
add("killed", of_rank_1(lambda part: os.kill(os.getpid(), signal.SIGKILL)), "mpi")
add("exits", of_rank_1(lambda part: os._exit(7)), "mpi")
add("hangs", of_rank_1(lambda part: time.sleep(600)), "mpi")
add("wrong", of_rank_1(lambda part: 1), "mpi")
add("writes", of_rank_1(lambda part: part.__setitem__((0, 0, 0), 77)), "mpi")
add("no_spread", lambda problem, resources: sum, "mpi")
add("worked", worked(lambda *_: None), "dask")
add("lost", worked(lambda client, workers, calls: calls > 3 and kill_one(client, workers)), "dask")

def kill_one(client, workers):
    pid = client.run(os.getpid, workers=workers[-1:])[workers[-1]]
    os.kill(pid, signal.SIGKILL)
'''

SCENARIO = """
question = "What can go wrong between ranks?"
platforms = ["{platform}"]
[[cases]]
kernel = "sums.py"
implementations = {names}
sizes = ["tiny"]
ranks = {ranks}
threads = 1
cache = true
[repeat]
processes = 1
min_repeats = 6
max_repeats = {repeats}
interval = 0.5
limit_s = {limit_s}
"""


def write(
    folder: Path, *names: str, platform: str = "here", ranks: int = 2, sleep_s: float = 0.0, repeats: int = 12
) -> None:
    (folder / "sums.py").write_text(KERNEL.replace("SLEEP_S", str(sleep_s)))
    limit_s = 3 if "hangs" in names else 100
    message = SCENARIO.format(platform=platform, names=json.dumps(names), ranks=ranks, repeats=repeats, limit_s=limit_s)
    (folder / "kills.toml").write_text(message)


def measure(folder: Path) -> Evidence:
    command = [sys.executable, "-c", COMMAND, "run", "./kills.toml"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
    late = "run the same command again to repeat it" in ended.stderr  # on a machine that others use meanwhile
    assert ended.returncode in ((3,) if late else (0, 1)), ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    return gather(folder / "results")


needs_two_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="absent: two processors")
pytestmark = [needs_two_cores, pytest.mark.slow]


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory, needs: Callable[[str], None]) -> Evidence:
    needs("mpi4py")
    needs("distributed")
    folder = tmp_path_factory.mktemp("ranks")
    names = ("numpy", "ranked", "raises", "killed", "exits", "wrong", "writes", "no_spread", "worked", "lost")
    write(folder, *names)
    return measure(folder)


@pytest.fixture
def table(evidence: Evidence) -> pd.DataFrame:
    return evidence.table.set_index("implementation")


@pytest.mark.parametrize(
    ("implementation", "outcome", "sentence"),
    [
        ("ranked", "ok", ""),
        ("worked", "ok", ""),
        ("raises", "failed", "rank 1 of 2: sums.py:59 in mislead: ValueError: the detector is upside down"),
        ("killed", "failed", "rank 1 of 2 ended in the middle of its work"),
        ("killed", "failed", "SIGKILL"),
        ("exits", "failed", "exit code 7"),
        ("wrong", "wrong", "error 1 is not within 0.5"),
        ("writes", "wrong", "rank 1: it writes into its inputs"),
        ("no_spread", "failed", "must return a daasbench.contracts.Partitioned"),
        ("lost", "failed", "one of 2, ended in the middle of its work"),
    ],
)
def test_each_trouble_has_its_outcome_and_its_sentence(
    table: pd.DataFrame, implementation: str, outcome: str, sentence: str
) -> None:
    row = table.loc[implementation]
    assert (row["outcome"], sentence in str(row["message"])) == (outcome, True), row["message"]


@pytest.mark.parametrize("implementation", ["ranked", "worked"])
def test_ranks_and_workers_have_processors_of_their_own_and_run_as_a_whole_block(
    evidence: Evidence, implementation: str
) -> None:
    record = next(one for one in evidence.records if one.case.implementation == implementation)
    assert record.samples is not None
    assert len(record.cpus) == 2
    assert record.order == "blocks"
    interpreter = set() if implementation == "ranked" else {"interpreter"}  # of ranks it is a part of their start
    common = {"make", "start", "import", "read", "setup", "put", "first_call", "get"}
    assert record.phases.keys() == common | interpreter
    assert record.peak_memory_bytes is not None
    assert record.peak_memory_bytes > 40e6
    assert len({len(column) for column in (record.samples.seconds, record.samples.cpu_s, record.samples.get_s)}) == 1


def test_a_rank_that_hangs_is_ended_at_its_limit_with_the_others(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("mpi4py")
    write(tmp_path, "hangs")
    (row,) = measure(tmp_path).table.itertuples()
    assert row.outcome == "timeout"
    assert "time limit: the 2 ranks did not finish their repeats" in row.message
    assert not list(tmp_path.rglob("scratch"))


@pytest.mark.parametrize("implementation", ["ranked", "worked"])
@pytest.mark.parametrize("victim", ["controller", "worker"])
def test_a_kill_leaves_no_rank_and_no_dask_worker(
    tmp_path: Path, implementation: str, victim: str, needs: Callable[[str], None]
) -> None:
    needs("mpi4py" if implementation == "ranked" else "distributed")
    campaign = Campaign(tmp_path)
    write(tmp_path, implementation, sleep_s=0.05, repeats=500)
    controller = campaign.start()
    campaign.wait_for("round")
    below = workers_of(controller.pid)
    assert len(below) >= 5  # the worker, the input process, and three at least
    kill(psutil.Process(controller.pid) if victim == "controller" else psutil.Process(controller.pid).children()[0])
    controller.communicate(timeout=PATIENCE_S)
    assert left_of(below) == []


def test_a_launcher_of_another_mpi_is_named_with_its_fix(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("mpi4py")
    launcher = tmp_path / "foreign"
    launcher.write_text('#!/bin/sh\nshift 2\n"$@" & "$@" & wait\n')  # what another MPI's does: each a world of its own
    launcher.chmod(0o755)
    (tmp_path / "site.toml").write_text(f'runner = "local"\n[options]\nlauncher = "{launcher}"\n')
    write(tmp_path, "ranked", platform="./site.toml")
    (row,) = measure(tmp_path).table.itertuples()
    assert row.outcome == "skipped"
    assert "each sees only itself" in row.message
    assert "another MPI" in row.message
    assert "option launcher" in row.message


def test_a_launcher_that_fails_or_is_absent_is_reported(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("mpi4py")
    for launcher, outcome, sentence in (
        ("false", "failed", "exit code 1"),
        ("not_here", "skipped", "is not installed"),
    ):
        folder = tmp_path / launcher
        folder.mkdir()
        (folder / "site.toml").write_text(f'runner = "local"\n[options]\nlauncher = "{launcher}"\n')
        write(folder, "ranked", platform="./site.toml")
        (row,) = measure(folder).table.itertuples()
        assert (row.outcome, sentence in row.message) == (outcome, True), row.message


def test_a_running_cluster_is_used_and_a_too_small_one_is_reported(
    tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs("distributed")
    from daasbench.testing.ranks import dask_client

    with dask_client(2) as client:
        address = client.scheduler.address
        (tmp_path / "site.toml").write_text(f'runner = "local"\n[options]\nscheduler = "{address}"\n')
        write(tmp_path, "worked", platform="./site.toml")
        (row,) = measure(tmp_path).table.itertuples()
        assert row.outcome == "ok", row.message
        write(tmp_path, "worked", platform="./site.toml", ranks=3)
        row = next(one for one in measure(tmp_path).table.itertuples() if one.ranks == 3)
        assert row.outcome == "skipped"
        assert f"has 2 workers, the case requests 3; start 1 more: dask worker {address}" in row.message
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == 2


def test_ranks_that_are_stopped_and_killed_end_with_their_worker(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("mpi4py")
    campaign = Campaign(tmp_path)
    write(tmp_path, "ranked", sleep_s=0.05, repeats=500)
    controller = campaign.start()
    campaign.wait_for("round")
    below = workers_of(controller.pid)
    ranks = [one for one in below if "daasbench.measure.mpi_process" in " ".join(one.cmdline()) and not one.children()]
    assert len(ranks) == 2
    for one in ranks:
        one.suspend()
    until(lambda: all(one.status() == psutil.STATUS_STOPPED for one in ranks), "two ranks that are stopped")
    kill(psutil.Process(controller.pid).children()[0])
    controller.communicate(timeout=PATIENCE_S)
    assert left_of(below) == []
