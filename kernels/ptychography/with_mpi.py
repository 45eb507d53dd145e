"""Frames are partitioned over ranks; in each iteration the sums of object, probe and R are added over all ranks.

Each rank computes its own frames as `with_numba.py` does, and holds the whole object and the whole probe. Ranks
without a frame do not take part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import Partitioned, Resources, share

from .with_numba import reconstruction

if TYPE_CHECKING:
    from .problem import Problem


def prepare(problem: Problem, resources: Resources) -> Partitioned:
    """Return the functions that compute a scan whose frames are partitioned over ranks."""
    from mpi4py import MPI

    comm = resources.comm
    if comm.size != resources.ranks:
        raise ValueError(f"the communicator has {comm.size} ranks, the case {resources.ranks}")
    mine = share(len(problem.corners), comm.size, comm.rank)
    busy = mine.stop > mine.start
    workers = comm.Split(0 if busy else MPI.UNDEFINED, comm.rank)

    def total(sums: Any) -> Any:
        workers.Allreduce(MPI.IN_PLACE, sums)
        return sums

    local = reconstruction(problem, resources.threads, mine, total) if busy else None

    def put(block: Any) -> Any:
        return np.ascontiguousarray(block[mine])

    def compute(part: Any) -> Any:
        return local(part) if local else None

    return Partitioned(put=put, compute=compute, get=lambda result: result if comm.rank == 0 else None)
