"""Who computes a case together: one process alone, or ranks that see each other through MPI.

A session asks its team to wait for each other, who was slowest, and what rank 0 decided.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from daasbench.compute.backends import library_name
from daasbench.contracts import Resources
from daasbench.host.mpi_timing import MpiTime, price_s
from daasbench.host.processes import (
    allowed_cpus,
    children_peak_bytes,
    children_s,
    peak_memory_bytes,
    reset_peak_memory,
    shared_memory_bytes,
)
from daasbench.model import Case, DaskWorker, Machine, Scalar

T = TypeVar("T")


class MpiTimes(NamedTuple):
    """What the ranks spent in MPI during one repeat: seconds (mean, least, most), calls, and the clock's own price."""

    mean_s: float
    least_s: float
    most_s: float
    calls: int  # of the rank with most
    timer_s: float  # what it took that rank to time them


class SingleProcess:
    """One process: nobody to wait for, nobody to agree with."""

    rank = 0
    queued_s: float | None = None  # until the place gave what was asked of it

    def __init__(self) -> None:
        self.workers: list[DaskWorker] = []
        self.machines: list[Machine] = []  # of the workers, if not this one
        self.settings: dict[str, Scalar] = {}

    def resources(self, case: Case) -> Resources:
        """Return what the implementation may use."""
        return Resources(threads=case.threads, ranks=case.ranks, gpus=case.gpus)

    def meet(self) -> None:
        """Return when everybody is here."""

    def talked(self) -> tuple[float, int]:
        """Return the seconds that this member has spent in MPI, and in how many calls."""
        return 0.0, 0

    def talk(self, before: tuple[float, int], after: tuple[float, int]) -> MpiTimes | None:  # noqa: ARG002  (of a kind)
        """Return what all members have spent in MPI between two readings of each; None where there is no MPI."""
        return None

    def slowest(self, seconds: float) -> float:
        """Return the seconds of the slowest member."""
        return seconds

    def total(self, amount: float) -> float:
        """Return the sum over all members."""
        return amount

    def agreed(self, decision: T) -> T:
        """Return what the first member decided."""
        return decision

    def complaint(self, message: str | None) -> str | None:
        """Return the sentence of the first member that has one."""
        return message

    def lost(self) -> str | None:
        """Return which member is gone, if one is: why a step failed."""
        return None

    def cpu_s(self) -> float:
        """Return the processor seconds that this member has taken, and what computes for it."""
        return time.process_time() + children_s()

    def reset_peak(self) -> None:
        """Let the peak of memory begin again."""
        reset_peak_memory()

    def peak_bytes(self) -> int:
        """Return this member's peak of memory since then, or that of the largest program it ran, if that is more."""
        return max(peak_memory_bytes(), children_peak_bytes())


class MpiGroup(SingleProcess):
    """The ranks of an MPI communicator."""

    def __init__(self, comm: Any) -> None:
        from mpi4py import MPI

        super().__init__()
        self.comm, self._mpi = comm, MPI
        self.rank: int = comm.rank
        self.size: int = comm.size
        self._time = MpiTime()
        self._watched = self._time.watch(comm)  # what a way talks through; this team's own talk is not counted
        self._price_s = price_s()

    def resources(self, case: Case) -> Resources:
        """Return what the implementation may use: the communicator too."""
        return Resources(threads=case.threads, ranks=case.ranks, gpus=case.gpus, comm=self._watched)

    def meet(self) -> None:
        """Return when all ranks are here."""
        self.comm.Barrier()

    def talked(self) -> tuple[float, int]:
        """Return the seconds that this rank has spent in a way's calls to MPI, and in how many."""
        return self._time.seconds, self._time.calls

    def talk(self, before: tuple[float, int], after: tuple[float, int]) -> MpiTimes | None:
        """Return what the ranks have spent in MPI between two readings of each."""
        mine = after[0] - before[0], after[1] - before[1]
        seconds, calls = zip(*self.comm.allgather(mine), strict=True)
        most = max(calls)
        return MpiTimes(sum(seconds) / self.size, min(seconds), max(seconds), most, most * self._price_s)

    def slowest(self, seconds: float) -> float:
        """Return the seconds of the slowest rank."""
        return float(self.comm.allreduce(seconds, op=self._mpi.MAX))

    def total(self, amount: float) -> float:
        """Return the sum over all ranks."""
        return float(self.comm.allreduce(amount, op=self._mpi.SUM))

    def agreed(self, decision: T) -> T:
        """Return what rank 0 decided."""
        decided: T = self.comm.bcast(decision, root=0)
        return decided

    def complaint(self, message: str | None) -> str | None:
        """Return the sentence of the first rank that has one, and which it is."""
        said = self.comm.allgather(message)
        return next((f"rank {rank}: {one}" for rank, one in enumerate(said) if one), None)

    def peak_bytes(self) -> int:
        """Return this rank's peak of memory; pages that ranks share count once in the sum over all."""
        return max(0, peak_memory_bytes() - shared_memory_bytes())

    def places(self, threads: int, cpus: Sequence[int]) -> list[int]:
        """Return the processors of this rank: its own `threads` of `cpus`.

        Without `cpus` (ranks on several nodes): of those that the launcher left to the ranks of this node,
        which either bound each rank to its own or none.
        """
        if cpus:
            return list(cpus[self.rank * threads : (self.rank + 1) * threads])
        node = self.comm.Split_type(self._mpi.COMM_TYPE_SHARED, key=self.rank)
        allowed = allowed_cpus(os.getpid())
        bound = node.allgather(allowed)
        first = node.rank * threads if bound.count(allowed) == node.size else 0
        node.Free()
        return allowed[first : first + threads]

    def devices(self, gpus: int, visible: Sequence[str]) -> list[str]:
        """Return the GPUs of this rank: its own `gpus` of those that are `visible`.

        The launcher either left to each rank of this node its own, or all of them to all.
        """
        node = self.comm.Split_type(self._mpi.COMM_TYPE_SHARED, key=self.rank)
        alike = node.allgather(list(visible)).count(list(visible)) == node.size
        first = node.rank * gpus if alike and len(visible) > gpus else 0
        node.Free()
        return list(visible[first : first + gpus])


def world() -> MpiGroup:
    """Return all ranks that were started together; initialises MPI."""
    from mpi4py import MPI

    return MpiGroup(MPI.COMM_WORLD)


def mpi_library() -> str:
    """Return name and version of the MPI library in use, such as ``MPICH 5.0.2``."""
    from mpi4py import MPI

    return library_name(MPI.Get_library_version())
