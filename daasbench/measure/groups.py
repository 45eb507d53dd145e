"""The processes that compute a case together: a single process, or MPI ranks.

A session asks its group to synchronise, for the slowest time, and for the decision of rank 0.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from daasbench.compute.backends import library_name
from daasbench.contracts import Resources
from daasbench.host.mpi_timing import MpiTime, clock_cost_s
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
    """The time that the ranks spent in MPI during one repeat: seconds, calls, and the cost of the clock itself."""

    mean_s: float
    least_s: float
    most_s: float
    calls: int  # of the rank with the most calls
    timer_s: float  # that the timing of these calls took


class SingleProcess:
    """A group of one process."""

    rank = 0
    queued_s: float | None = None  # until the platform had started the workers

    def __init__(self) -> None:
        self.workers: list[DaskWorker] = []
        self.machines: list[Machine] = []  # of the workers, if not this one
        self.settings: dict[str, Scalar] = {}

    def resources(self, case: Case) -> Resources:
        """Return what the implementation may use."""
        return Resources(threads=case.threads, ranks=case.ranks, gpus=case.gpus)

    def meet(self) -> None:
        """Return when every member has called this."""

    def mpi_so_far(self) -> tuple[float, int]:
        """Return the seconds that this member has spent in MPI, and the number of calls."""
        return 0.0, 0

    def mpi_times(self, before: tuple[float, int], after: tuple[float, int]) -> MpiTimes | None:  # noqa: ARG002  (used by MpiGroup)
        """Return the time of all members in MPI between two values of `mpi_so_far`; None without MPI."""
        return None

    def slowest(self, seconds: float) -> float:
        """Return the seconds of the slowest member."""
        return seconds

    def total(self, amount: float) -> float:
        """Return the sum over all members."""
        return amount

    def agreed(self, decision: T) -> T:
        """Return the decision of the first member."""
        return decision

    def first_message(self, message: str | None) -> str | None:
        """Return the message of the first member that has one; None if none has."""
        return message

    def lost(self) -> str | None:
        """Return a message on a member that has ended, which explains a failed step; None if all are alive."""
        return None

    def cpu_s(self) -> float:
        """Return the processor seconds of this member and of the processes that it started."""
        return time.process_time() + children_s()

    def reset_peak(self) -> None:
        """Reset the peak of memory."""
        reset_peak_memory()

    def peak_bytes(self) -> int:
        """Return the larger of this member's peak of memory since the reset and that of the largest program it ran."""
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
        self._watched = self._time.watch(comm)  # for the implementation; calls of the group itself are not timed
        self._clock_cost_s = clock_cost_s()

    def resources(self, case: Case) -> Resources:
        """Return what the implementation may use, with the communicator."""
        return Resources(threads=case.threads, ranks=case.ranks, gpus=case.gpus, comm=self._watched)

    def meet(self) -> None:
        """Return when all ranks have called this."""
        self.comm.Barrier()

    def mpi_so_far(self) -> tuple[float, int]:
        """Return the seconds that this rank has spent in the implementation's MPI calls, and their number."""
        return self._time.seconds, self._time.calls

    def mpi_times(self, before: tuple[float, int], after: tuple[float, int]) -> MpiTimes | None:
        """Return the time of all ranks in MPI between two values of `mpi_so_far`."""
        mine = after[0] - before[0], after[1] - before[1]
        seconds, calls = zip(*self.comm.allgather(mine), strict=True)
        most = max(calls)
        return MpiTimes(sum(seconds) / self.size, min(seconds), max(seconds), most, most * self._clock_cost_s)

    def slowest(self, seconds: float) -> float:
        """Return the seconds of the slowest rank."""
        return float(self.comm.allreduce(seconds, op=self._mpi.MAX))

    def total(self, amount: float) -> float:
        """Return the sum over all ranks."""
        return float(self.comm.allreduce(amount, op=self._mpi.SUM))

    def agreed(self, decision: T) -> T:
        """Return the decision of rank 0."""
        decided: T = self.comm.bcast(decision, root=0)
        return decided

    def first_message(self, message: str | None) -> str | None:
        """Return the message of the first rank that has one, with the number of the rank."""
        messages = self.comm.allgather(message)
        return next((f"rank {rank}: {text}" for rank, text in enumerate(messages) if text), None)

    def peak_bytes(self) -> int:
        """Return this rank's peak of memory; pages that ranks share count once in the sum over all."""
        return max(0, peak_memory_bytes() - shared_memory_bytes())

    def processors(self, threads: int, cpus: Sequence[int]) -> list[int]:
        """Return the processors of this rank: its own `threads` of `cpus`.

        Without `cpus` (ranks on several nodes), the launcher has either bound each rank of this node to its own
        processors, or all ranks may use the same ones.
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

        The launcher has either given each rank of this node its own GPUs, or all of them to every rank.
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
