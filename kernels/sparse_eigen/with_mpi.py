"""Rows are partitioned over ranks: before each product every rank sends the elements that the others' bonds couple.

In each step, every two ranks that share a bond exchange two messages, one in each direction, and there are two sums
over all ranks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from daasbench.authoring import Partitioned, Resources

from . import recurrence
from .layout import RankLayout, layout_of
from .with_numba import Rows

if TYPE_CHECKING:
    from .problem import Problem

F64 = NDArray[np.float64]


def prepare(problem: Problem, resources: Resources) -> Partitioned:
    """Return the functions with which each rank computes its rows of the vectors."""
    numba.set_num_threads(resources.threads)
    comm = resources.comm
    layout = layout_of(problem.length, comm.size, comm.rank)
    ranks = DistributedRows(Rows(layout, resources.threads), comm)
    spare = ranks.rows.vector(), ranks.rows.vector()
    mine = slice(layout.first * layout.width, (layout.first + layout.own) * layout.width)

    def put(state: F64) -> Any:
        part = ranks.rows.vector()
        part[:] = state[mine]
        return part

    return Partitioned(
        put=put,
        compute=lambda part: recurrence.run(part, spare, problem.steps, ranks.square, ranks.product, ranks.subtract),
        get=lambda result: result if comm.rank == 0 else None,
    )


class DistributedRows:
    """The steps of the recurrence on vectors whose rows are partitioned over all ranks.

    Attributes
    ----------
    messages, sent_bytes
        Messages and bytes that this rank has sent to others so far, without the sums over all ranks.
    """

    def __init__(self, rows: Rows, comm: Any) -> None:
        self.rows, self.comm = rows, comm
        self.messages = self.sent_bytes = 0
        self._outgoing = [
            (rank, given, np.empty(given.size)) for rank, given in enumerate(rows.layout.given) if given.size
        ]
        self._pieces = _pieces(rows.layout, rows.came)

    def square(self, vector: F64) -> float:
        """Return vector · vector."""
        return self._total(self.rows.square(vector))

    def product(self, out: F64, vector: F64, before: F64, scale: float, weight: float) -> float:
        """See :data:`.recurrence.Product`."""
        self._exchange(vector)
        return self._total(self.rows.product(out, vector, before, scale, weight))

    def subtract(self, out: F64, vector: F64, weight: float) -> float:
        """See :data:`.recurrence.Subtract`."""
        return self._total(self.rows.subtract(out, vector, weight))

    def _exchange(self, vector: F64) -> None:
        """Send each rank the elements of `vector` that it needs, and receive those that this rank needs."""
        requests = [self.comm.Irecv(piece, source=rank) for rank, piece in self._pieces]
        for rank, given, packed in self._outgoing:
            np.take(vector, given, out=packed, mode="clip")
            requests.append(self.comm.Isend(packed, dest=rank))
            self.messages += 1
            self.sent_bytes += packed.nbytes
        MPI.Request.Waitall(requests)

    def _total(self, mine: float) -> float:
        return float(self.comm.allreduce(mine))


def _pieces(layout: RankLayout, came: F64) -> list[tuple[int, F64]]:
    """Return each rank that sends elements, with the part of the buffer for them."""
    ends = np.cumsum(layout.received).tolist()
    return [
        (rank, came[end - count : end])
        for rank, (end, count) in enumerate(zip(ends, layout.received, strict=True))
        if count
    ]
