"""mpi4py-fft: slabs over ranks, one MPI_Alltoallw for all planes, plans of FFTW that are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py_fft import PFFT, newDistArray

from daasbench.authoring import Partitioned, Resources

if TYPE_CHECKING:
    from ..problem import Complex, Problem


def prepare(problem: Problem, resources: Resources) -> Partitioned:
    """Return the partition of a field into slabs of planes, and of its spectrum into slabs of rows."""
    comm, size = resources.comm, problem.size
    if comm.size != resources.ranks:
        raise ValueError(f"the communicator has {comm.size} ranks, but the case has {resources.ranks}")
    transform = PFFT(
        comm,
        (size,) * 3,
        axes=(0, 1, 2),
        dtype=problem.blocks[0].dtype,
        grid=(-1, 1, 1),
        planner_effort="FFTW_MEASURE",
        threads=resources.threads,
    )
    mine = transform.local_slice(False)

    def put(block: Any) -> Any:
        part = newDistArray(transform, False)
        part[...] = block[mine]
        return part

    def compute(part: Any) -> Any:
        return transform.forward(
            part, normalize=False
        )  # the result remains in the package's memory, which saves a copy

    def get(result: Any) -> Complex | None:
        parts = comm.gather((transform.local_slice(True), np.asarray(result)), root=0)
        if comm.rank:
            return None
        whole = np.empty((size,) * 3, problem.blocks[0].dtype)
        for where, part in parts:
            whole[where] = part
        return whole

    return Partitioned(put=put, compute=compute, get=get)
