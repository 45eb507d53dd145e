"""The time in MPI is measured however a kernel calls it, and its clock costs little."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daasbench.model import Record, Samples
from daasbench.records.readers import read_lines

from .waiting import PATIENCE_S

pytest.importorskip("mpi4py")

MPIEXEC = Path(sys.prefix) / "bin" / "mpiexec"

PROGRAM = """
import json, sys, time
import numpy as np
from mpi4py import MPI
from daasbench.host.mpi_timing import MpiTime, clock_cost_s

plain = MPI.COMM_WORLD
spent = MpiTime()
comm = spent.watch(plain)
rank, other = comm.rank, 1 - comm.rank
spent_in = {}

def measured(name, step):
    # again while the system let the rank that waits rest outside of MPI: that can only make its share smaller
    counts = set()
    for _ in range(100):
        plain.Barrier()
        before = spent.seconds, spent.calls
        started = time.perf_counter()
        if rank == 0:
            time.sleep(0.05)  # the other waits, in MPI
        step()
        took = time.perf_counter() - started
        seconds = spent.seconds - before[0]
        counts.add(spent.calls - before[1])
        if plain.bcast(not counts - {0} or seconds > 0.5 * took, root=1):
            break
    spent_in[name] = [seconds, sorted(counts), took]

def exchange(through):
    got, gift = np.zeros(4), np.full(4, float(rank))
    waiting = [through.Irecv(got, source=other), through.Isend(gift, dest=other)]
    MPI.Request.Testall(waiting)
    MPI.Request.Waitall(waiting)
    assert got[0] == other

def one_by_one():
    waiting = [comm.irecv(source=other), comm.isend({"from": rank}, dest=other)]
    assert waiting[0].wait()["from"] == other
    waiting[1].wait()

lattice = comm.Create_cart([2], periods=[True])
part = comm.Split(0, rank)
window = MPI.Win.Allocate_shared(64, 1, comm=comm)
measured("barrier", comm.Barrier)
measured("sum", lambda: comm.allreduce(1))
measured("exchange", lambda: exchange(comm))
measured("lattice", lambda: exchange(lattice))
measured("part", lambda: part.Allreduce(MPI.IN_PLACE, np.zeros(1)))
measured("requests", one_by_one)
measured("fence", lambda: window.Fence())
measured("collective", lambda: comm.Ialltoall(np.zeros(2), np.zeros(2)).Wait())
measured("nothing", lambda: time.sleep(0.05 if rank else 0))
measured("unwatched", plain.Barrier)
spent_in["price"] = clock_cost_s()
if rank == 1:
    print(json.dumps(spent_in))
"""


@pytest.fixture(scope="module")
def message(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a rank that waits for another saw of each kind of call: seconds, calls, seconds in all."""
    program = tmp_path_factory.mktemp("mpi") / "talk.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [str(MPIEXEC), "-n", "2", sys.executable, str(program)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


@pytest.mark.parametrize(
    ("kind", "calls"),
    [("barrier", 1), ("sum", 1), ("exchange", 4), ("lattice", 4), ("part", 1), ("requests", 4), ("fence", 1),
     ("collective", 2)],
)  # fmt: skip
def test_a_rank_that_waits_is_seen_to_spend_its_time_in_mpi(message: dict[str, Any], kind: str, calls: int) -> None:
    seconds, counts, whole = message[kind]
    assert counts == [calls]
    assert 0.5 * whole < seconds <= whole


def test_computing_and_the_harness_own_barrier_are_no_communication(message: dict[str, Any]) -> None:
    assert message["nothing"][:2] == [0.0, [0]]
    assert message["unwatched"][:2] == [0.0, [0]]


def test_the_clock_costs_less_than_a_hundredth_of_what_a_barrier_between_two_takes_here(
    message: dict[str, Any],
) -> None:
    assert 0 < message["price"] < 0.01 * message["barrier"][0]


def test_records_of_before_are_read_and_have_no_time_in_mpi() -> None:
    sample = Path(__file__).parent / "data" / "records_v1.jsonl"
    seen = [line.samples for line in read_lines(sample).lines if isinstance(line, Record) and line.samples]
    assert seen
    assert all(one.mpi_s == one.mpi_calls == [] for one in seen)


def test_an_older_reader_leaves_the_time_in_mpi_aside() -> None:
    old = msgspec.defstruct("Samples", [("seconds", list[float]), ("flags", list[int])])
    text = msgspec.json.encode(Samples(seconds=[1.0], flags=[0], mpi_s=[0.25], mpi_calls=[3]))
    assert msgspec.json.decode(text, type=old) == old(seconds=[1.0], flags=[0])
