"""``mpi4py.bench pingpong``: between ranks 0 and 1, on memory that it neither fills nor checks."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py.bench import pingpong

from daasbench.authoring import MissingRequirement, Partitioned, Resources

from ..options import require_implementation
from ..problem import ProbesProblem
from ..with_mpi import require_ranks


def prepare(problem: ProbesProblem, resources: Resources) -> Partitioned:
    """Return the latency test of mpi4py; its result is the latency that it reports, in seconds."""
    require_implementation(problem.probe, "mpi4py_bench")
    comm, size = resources.comm, problem.blocks[0]["message"].nbytes
    require_ranks(comm)
    if size & (size - 1):
        raise MissingRequirement(
            f"mpi4py.bench sends powers of two, not {size} bytes", "set message_bytes to a power of two"
        )
    loops = [word for name in ("loop", "loop-large", "loop-huge") for word in (f"--{name}", str(problem.rounds))]
    words = ["--quiet", "--min-size", str(size), "--max-size", str(size), "--skip", "0", *loops]

    def compute(block: Any) -> Any:  # noqa: ARG001  (it sends uninitialised memory)
        ((_, seconds, _),) = pingpong(comm, words)
        return seconds

    def get(seconds: float) -> Any:
        return {"seconds": np.array([seconds])} if comm.rank == 0 else None

    return Partitioned(put=lambda block: block, compute=compute, get=get)
