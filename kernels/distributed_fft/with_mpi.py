"""A field in slabs over ranks: transform the planes, exchange, transform the lines across them.

A few planes at a time are exchanged, while the next are transformed: by MPI_Ialltoallw from one of two buffers or, if
the ranks share the memory of a node, by writing rows directly from the cache into the memory of their owner. In both
cases rows arrive at their final address (`slabs.py`). Slabs are as equal as possible; a rank may have no plane.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from daasbench.authoring import Partitioned, Resources, share

from .slabs import Slabs, aligned_empty

if TYPE_CHECKING:
    from .problem import Complex, Problem

SlabsOf = Callable[[int, Any, int, int], Slabs]

_MESSAGE_BYTES = 2**18  # planes are sent together up to this size: smaller messages take mainly latency


def prepare(problem: Problem, resources: Resources) -> Partitioned:
    """Return the partition of a field over ranks that transform by scipy.fft."""
    from .with_scipy import ScipySlabs

    return prepare_with(problem, resources, ScipySlabs)


def prepare_fftw(problem: Problem, resources: Resources) -> Partitioned:
    """Return the partition of a field over ranks that transform by FFTW."""
    from .with_fftw import FftwSlabs

    return prepare_with(problem, resources, FftwSlabs)


def prepare_with(problem: Problem, resources: Resources, slabs_of: SlabsOf) -> Partitioned:
    """Return the partition of a field over ranks that transform by the given slabs."""
    comm = resources.comm
    if comm.size != resources.ranks:
        raise ValueError(f"the communicator has {comm.size} ranks, but the case has {resources.ranks}")
    size, dtype = problem.size, problem.blocks[0].dtype
    planes, rows = (share(size, comm.size, comm.rank) for _ in range(2))
    slabs = slabs_of(size, dtype, rows.stop - rows.start, resources.threads)
    exchange = _exchange(comm, problem)

    def put(block: Any) -> Complex:
        part = aligned_empty((planes.stop - planes.start, size, size), dtype)
        part[...] = block[planes]
        return part

    def compute(part: Complex) -> Complex:
        spectrum = exchange.run(part, slabs)
        slabs.lines(spectrum)
        return spectrum

    return Partitioned(put=put, compute=compute, get=partial(_gathered, comm))


def _gathered(comm: Any, part: Complex) -> Complex | None:
    """Return complex[kz, ky, kx] on rank 0."""
    parts = comm.gather(part, root=0)
    return np.concatenate(parts, axis=1) if comm.rank == 0 else None


def _exchange(comm: Any, problem: Problem) -> Messages | Memory:
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    together = comm.allreduce(node.size == comm.size, op=MPI.LAND)
    node.Free()
    if problem.exchange == "memory" and not together:
        raise ValueError(
            "exchange: the ranks are on several nodes and share no memory; set exchange=messages or exchange=auto"
        )
    exchange = Messages if problem.exchange == "messages" or not together else Memory
    return exchange(comm, problem.size, problem.blocks[0].dtype)


class Messages:
    """Exchange of planes for rows by a non-blocking MPI_Alltoallw for every few planes."""

    def __init__(self, comm: Any, size: int, dtype: Any) -> None:
        self._comm, self._size = comm, size
        self._of = [share(size, comm.size, rank) for rank in range(comm.size)]  # planes and rows of each rank
        self._itemsize, self._element = dtype.itemsize, MPI.BYTE.Create_contiguous(dtype.itemsize).Commit()
        self._some = max(1, _MESSAGE_BYTES // (size**2 * dtype.itemsize))
        self._rounds = -(-(self._of[0].stop - self._of[0].start) // self._some)
        self._buffers = [aligned_empty((self._some, size, size), dtype) for _ in range(2)]
        mine = self._of[comm.rank]
        self._spectrum = aligned_empty((size, mine.stop - mine.start, size), dtype)
        self._calls = [self._call(number) for number in range(self._rounds)]

    def run(self, part: Complex, slabs: Slabs) -> Complex:
        """Return complex[size, rows, size]: this rank's rows of all planes, transformed along y and x."""
        waiting: list[Any] = []
        for number, (sent, received) in enumerate(self._calls):
            buffer = self._buffers[number % 2]
            if len(waiting) == 2:
                waiting.pop(0).Wait()  # the last message from this buffer
            for index, plane in enumerate(part[number * self._some : (number + 1) * self._some]):
                slabs.plane(plane, buffer[index])
            waiting.append(self._comm.Ialltoallw([buffer, *sent], [self._spectrum, *received]))
        MPI.Request.Waitall(waiting)
        return self._spectrum

    def _call(self, number: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return counts, offsets in bytes, and types of the messages of a step: those sent, and those received."""
        size, everybody = self._size, self._of
        mine = everybody[self._comm.rank]
        rows = mine.stop - mine.start
        planes = self._planes(self._comm.rank, number)
        send = [self._type(planes.stop - planes.start, rows_of.stop - rows_of.start) for rows_of in everybody]
        start = [rows_of.start * size * self._itemsize for rows_of in everybody]
        theirs = [self._planes(rank, number) for rank in range(self._comm.size)]
        receive = [self._type(sent.stop - sent.start, rows, rows) for sent in theirs]
        arrive = [sent.start * rows * size * self._itemsize for sent in theirs]
        ones = [1] * self._comm.size
        return (ones, start, send), (ones, arrive, receive)

    def _planes(self, rank: int, number: int) -> slice:
        """Return the planes that a rank sends in a step."""
        all_ = self._of[rank]
        start = min(all_.start + number * self._some, all_.stop)
        return slice(start, min(start + self._some, all_.stop))

    def _type(self, planes: int, rows: int, rows_between: int | None = None) -> Any:
        """Return the type of some rows of each of some planes, which are `rows_between` rows apart."""
        step = self._size if rows_between is None else rows_between
        return self._element.Create_vector(planes, rows * self._size, step * self._size).Commit()


class Memory:
    """Exchange of planes for rows through memory that all ranks of a node share, each written once by its producer."""

    def __init__(self, comm: Any, size: int, dtype: Any) -> None:
        self._comm = comm
        everybody = [share(size, comm.size, rank) for rank in range(comm.size)]
        self._planes = everybody[comm.rank]
        mine = (self._planes.stop - self._planes.start) * size**2 * dtype.itemsize
        self._window = MPI.Win.Allocate_shared(mine + 64, 1, comm=comm)
        self._window.Lock_all()
        self._theirs = [self._view(rank, part, size, dtype) for rank, part in enumerate(everybody)]
        self._mine: Complex = self._theirs[comm.rank][1]
        self._plane = aligned_empty((size, size), dtype)

    def run(self, part: Complex, slabs: Slabs) -> Complex:
        """See :meth:`Messages.run`."""
        self._meet()  # no rank reads the last spectrum any more
        for z, plane in enumerate(part, self._planes.start):
            slabs.plane(plane, self._plane)
            for rows, spectrum in self._theirs:
                spectrum[z] = self._plane[rows]
        self._meet()
        return self._mine

    def _meet(self) -> None:
        self._window.Sync()
        self._comm.Barrier()
        self._window.Sync()

    def _view(self, rank: int, rows: slice, size: int, dtype: Any) -> tuple[slice, Complex]:
        """Return the rows that a rank owns, and their memory: complex[size, rows, size], on a cache line."""
        memory: Any = self._window.Shared_query(rank)[0]
        raw = np.frombuffer(memory, np.uint8)
        start = -raw.ctypes.data % 64
        shape = (size, rows.stop - rows.start, size)
        return rows, raw[start : start + int(np.prod(shape)) * dtype.itemsize].view(dtype).reshape(shape)
