"""The limits of messages between these ranks, by which the throughput of a case with many ranks can be divided.

=================  ================================================================================
``mpi_latency``    s: half of a round trip of 8 bytes between the first rank and the last
``mpi_bandwidth``  B/s: sixteen messages of 1 MiB at once, from the first rank to the last
``mpi_allreduce``  s: the sum of 8 bytes of every rank
``mpi_alltoall``   B/s: what each rank sends to others, 64 KiB to each
=================  ================================================================================
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from daasbench.authoring import Limit

from . import with_mpi
from .messages import WINDOW

MIN_REPEATS = 5
_REPEAT_S = 0.005  # duration of a repeat whose length can be chosen
_ELEMENTS = {"mpi_latency": 1, "mpi_bandwidth": 2**17, "mpi_allreduce": 1, "mpi_alltoall": 2**13}


def measure_rank_limits(comm: Any, *, seconds: float = 0.2) -> tuple[dict[str, Limit], dict[str, str]]:
    """Return the limits of a communicator, and, for each probe without a value, the reason.

    Every rank calls this function and gets the same values.

    Parameters
    ----------
    seconds
        Time for each of the four probes; each is repeated at least five times.
    """
    if comm.size < 2:
        return {}, dict.fromkeys(_ELEMENTS, "a message needs two ranks, but there is only one")
    return {probe: _best(probe, comm, seconds) for probe in _ELEMENTS}, {}


def _best(probe: str, comm: Any, seconds: float) -> Limit:
    elements = _ELEMENTS[probe]
    messages = with_mpi.outgoing(probe, comm, np.ones(elements))
    once = min(_seconds(probe, comm, messages, 4) for _ in range(3)) / 4
    rounds = max(1, int(_REPEAT_S / once))
    repeats = max(MIN_REPEATS, int(seconds / (rounds * once)))
    times = [_seconds(probe, comm, messages, rounds) / rounds for _ in range(repeats)]
    if probe == "mpi_latency":
        return _limit([one / 2 for one in times], "s")
    if probe == "mpi_allreduce":
        return _limit(times, "s")
    sent = 8.0 * elements * (WINDOW if probe == "mpi_bandwidth" else comm.size - 1)
    return _limit([sent / one for one in times], "B/s")


def _seconds(probe: str, comm: Any, messages: Any, rounds: int) -> float:
    """Return the time of the slowest rank, the same on every rank."""
    exchange = with_mpi.exchange_of(probe, comm, _ELEMENTS[probe], rounds)
    comm.Barrier()
    started = time.perf_counter()
    exchange(messages)
    return float(max(comm.allgather(time.perf_counter() - started)))


def _limit(values: list[float], unit: str) -> Limit:
    best = min(values) if unit == "s" else max(values)
    return Limit(value=best, unit=unit, low=min(values), high=max(values), repeats=len(values))
