"""Messages between ranks, by MPI calls on numpy's memory; the received numbers are added up outside of the timing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from daasbench.authoring import MissingRequirement, Partitioned, Resources

from .messages import WINDOW, weights
from .options import require_implementation
from .problem import ProbesProblem

F64 = NDArray[np.float64]
Exchange = Callable[[Any], Any]


def prepare(problem: ProbesProblem, resources: Resources) -> Partitioned:
    """Return the probe's exchange between all ranks."""
    require_implementation(problem.probe, "mpi")
    comm, elements = resources.comm, problem.blocks[0]["message"].size
    require_ranks(comm)
    exchange = exchange_of(problem.probe, comm, elements, problem.rounds)
    factors = weights(elements)

    def get(received: Any) -> Any:
        checks = None if received is None else received.reshape(-1, elements) @ factors
        found = [one for one in comm.gather(checks, root=0) or [] if one is not None]
        return {"checks": np.stack(found)} if comm.rank == 0 else None

    return Partitioned(put=lambda block: outgoing(problem.probe, comm, block["message"]), compute=exchange, get=get)


def require_ranks(comm: Any) -> None:
    """Raise MissingRequirement if there is only one rank."""
    if comm.size < 2:
        raise MissingRequirement("a message needs two ranks, but there is only one", "set ranks = 2 or more")


def outgoing(probe: str, comm: Any, message: F64) -> F64:
    """Return what this rank sends: every message differs from all others of this rank and of other ranks."""
    mine = comm.rank * comm.size + np.arange(comm.size)
    sent = {
        "mpi_latency": message,
        "mpi_bandwidth": message + np.arange(WINDOW)[:, None],
        "mpi_allreduce": message * (comm.rank + 1),
        "mpi_alltoall": message + mine[:, None],
    }
    return np.array(sent[probe], np.float64)


def exchange_of(probe: str, comm: Any, elements: int, rounds: int) -> Exchange:
    """Return the function that makes `rounds` exchanges of what this rank sends, and returns what it received."""
    makers = {"mpi_latency": _ping_pong, "mpi_bandwidth": _stream, "mpi_allreduce": _sum, "mpi_alltoall": _all_to_all}
    return makers[probe](comm, elements, rounds)


def _ping_pong(comm: Any, elements: int, rounds: int) -> Exchange:
    last = comm.size - 1
    received = np.empty(elements)
    send, receive, back = comm.Send, comm.Recv, [received, MPI.DOUBLE]

    def exchange(message: F64) -> Any:
        received.fill(np.nan)
        there = [message, MPI.DOUBLE]
        if comm.rank == 0:
            for _ in range(rounds):
                send(there, last)
                receive(back, last)
            return received
        if comm.rank == last:
            for _ in range(rounds):
                receive(back, 0)
                send(back, 0)
            return received
        return None

    return exchange


def _stream(comm: Any, elements: int, rounds: int) -> Exchange:
    last = comm.size - 1
    received, answer = np.empty((WINDOW, elements)), np.zeros(1)

    def exchange(messages: F64) -> Any:
        if comm.rank == 0:
            for _ in range(rounds):
                MPI.Request.Waitall([comm.Isend(one, last) for one in messages])
                comm.Recv(answer, last)
        elif comm.rank == last:
            received.fill(np.nan)
            for _ in range(rounds):
                MPI.Request.Waitall([comm.Irecv(one, 0) for one in received])
                comm.Send(answer, 0)
            return received
        return None

    return exchange


def _sum(comm: Any, elements: int, rounds: int) -> Exchange:
    received = np.empty(elements)

    def exchange(vector: F64) -> Any:
        received.fill(np.nan)
        for _ in range(rounds):
            comm.Allreduce(vector, received)
        return received

    return exchange


def _all_to_all(comm: Any, elements: int, rounds: int) -> Exchange:
    received = np.empty((comm.size, elements))

    def exchange(messages: F64) -> Any:
        received.fill(np.nan)
        for _ in range(rounds):
            comm.Alltoall(messages, received)
        return received

    return exchange
