"""Messages arrive complete on any number of ranks, and a wrong message is detected."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
from daasbench.kernels.probes import kernel, messages
from daasbench.kernels.probes.options import Messages, ProbesOptions

from daasbench.contracts import Resources
from daasbench.errors import MissingRequirement
from daasbench.model import Verdict
from daasbench.testing.ranks import MPIEXEC, results_on_ranks

MESSAGES = get_args(Messages)


def make(probe: Any, blocks: int = 2, **options: Any) -> Any:
    return kernel.make(kernel.sizes["tiny"], ProbesOptions(probe=probe, **options), 7, blocks)


def judge(problem: Any, result: Any, block: int = 0) -> Verdict:
    return kernel.verify(problem, kernel.expect(problem, problem.options), block, result, "")


@pytest.mark.parametrize("probe", MESSAGES)
def test_every_message_arrives_on_two_three_and_four_ranks(needs: Any, probe: Any) -> None:
    needs("mpi4py")
    problem = make(probe)
    for ranks, results in results_on_ranks("probes", "mpi", problem, ranks=(2, 3, 4)).items():
        for index, result in enumerate(results):
            verdict = judge(problem, result, index % 2)
            assert verdict.ok, f"{ranks} ranks: {verdict}"
            assert verdict.error == 0
        receivers = {"mpi_latency": 2, "mpi_bandwidth": 1}.get(probe, ranks)
        assert len(results[0]["checks"]) == receivers


def test_one_rank_alone_is_refused(needs: Any) -> None:
    needs("mpi4py")
    with pytest.raises(MissingRequirement, match="set ranks = 2 or more"):
        kernel.implementations["mpi"].load()(make("mpi_latency"), Resources(comm=SimpleNamespace(size=1, rank=0)))


def test_the_peer_measures_and_refuses_what_it_cannot_send(needs: Any) -> None:
    needs("mpi4py.bench")
    problem = make("mpi_latency")
    (results,) = results_on_ranks("probes", "mpi4py_bench", problem, ranks=(2,)).values()
    assert judge(problem, results[0]).ok
    with pytest.raises(MissingRequirement, match="powers of two, not 24"):
        kernel.implementations["mpi4py_bench"].load()(
            make("mpi_latency", message_bytes=24), Resources(comm=SimpleNamespace(size=2, rank=0))
        )


@pytest.mark.parametrize("seconds", [np.nan, 0.0, -1.0])
def test_a_peer_that_measured_nothing_is_caught(seconds: float) -> None:
    assert not judge(make("mpi_latency"), {"seconds": np.array([seconds])}).ok


@pytest.mark.parametrize("probe", MESSAGES)
def test_one_number_that_is_wrong_or_never_came_is_caught(probe: Any) -> None:
    problem = make(probe)
    message = problem.blocks[0]["message"]
    right = messages.expected_checks(probe, message, 3)
    assert judge(problem, {"checks": right}).ok
    for wrong in (message[-1] + 1, np.nan):
        spoilt = message.copy()
        spoilt[-1] = wrong
        assert not judge(problem, {"checks": messages.expected_checks(probe, spoilt, 3)}).ok
    assert not judge(problem, {"checks": right[:, :0]}).ok
    assert not judge(problem, {"checks": right}, 1).ok


def test_messages_that_are_exchanged_for_one_another_are_caught() -> None:
    problem = make("mpi_alltoall")
    right = messages.expected_checks("mpi_alltoall", problem.blocks[0]["message"], 3)
    assert not judge(problem, {"checks": right.T}).ok  # a transposition forgotten, as a mutant


def test_work_counts_messages_operations_and_bytes() -> None:
    sizes = {"message": 2**17, "exchanges": 10_000}
    works = {probe: messages.work(sizes, ProbesOptions(probe=probe)) for probe in MESSAGES}
    assert (works["mpi_latency"].units, works["mpi_latency"].unit) == (20_000, "message")
    assert (works["mpi_bandwidth"].units, works["mpi_bandwidth"].unit) == (20 * 16 * 2**20 / 1e9, "GB")
    assert (works["mpi_allreduce"].units, works["mpi_alltoall"].unit) == (20, "operation")
    small = messages.work(sizes, ProbesOptions(probe="mpi_allreduce", message_bytes=8))
    assert (small.units, small.messages_bytes) == (10_000, 80_000)
    assert {work.unit in kernel.card.unit for work in works.values()} == {True}


def test_limits_of_ranks_are_measured_and_every_rank_gets_the_same(needs: Any) -> None:
    needs("mpi4py")
    code = (
        "import json, msgspec; from mpi4py import MPI; from daasbench.kernels.probes import kernel\n"
        "values, failed = kernel.measure_rank_limits(MPI.COMM_WORLD, seconds=0.01)\n"
        "assert MPI.COMM_WORLD.allgather(values)[0] == values and failed == {}\n"
        "_, alone = kernel.measure_rank_limits(MPI.COMM_SELF)\n"
        "assert set(alone) == set(values)\n"
        "if MPI.COMM_WORLD.rank == 0: print(json.dumps(msgspec.to_builtins(values)))"
    )
    command = [str(MPIEXEC), "-n", "2", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert set(values) == set(MESSAGES)
    for name, limit in values.items():
        latency = name in ("mpi_latency", "mpi_allreduce")
        assert limit["unit"] == ("s" if latency else "B/s")
        assert 0 < limit["low"] <= limit["value"] <= limit["high"]
        assert limit["value"] == (limit["low"] if latency else limit["high"])
        assert limit["repeats"] >= 5
