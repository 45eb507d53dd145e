"""Blocks of the lattice over ranks: six faces are exchanged while the cells that do not need them are computed.

MPI_Dims_create makes the block of a rank as close to a cube as possible; blocks are as equal as possible. Along an
axis that is not divided a block is its own neighbour. Cells of neighbours are read from the buffer that received them:
nothing is unpacked. If x is divided, the two end cells of a row are computed again when their neighbours have arrived.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from daasbench.authoring import Partitioned, Resources, share

from .box import CELL_BYTES, F64, Box, Int
from .with_numba import rows_together, sweep, sweep_ends, use_threads

if TYPE_CHECKING:
    from .problem import Problem

_CHUNKS = 8  # of the cells that need no face; MPI is called after each, because it moves messages only in a call


def prepare(problem: Problem, resources: Resources) -> Partitioned:
    """Return the partition of a lattice into blocks over ranks."""
    comm = resources.comm
    if comm.size != resources.ranks:
        raise ValueError(f"the communicator has {comm.size} ranks, but the case has {resources.ranks}")
    use_threads(resources.threads)
    return cut(problem, comm, MPI.Compute_dims(comm.size, 3), resources.threads)


def cut(problem: Problem, comm: Any, dims: list[int], threads: int) -> Partitioned:
    """Return the partition with the given numbers of ranks along z, y and x."""
    if max(dims) > problem.size:
        raise ValueError(
            f"{max(dims)} ranks cannot share an axis of {problem.size} cells; use at most {problem.size} ranks per axis"
        )
    lattice = comm.Create_cart(dims, periods=[True] * 3)
    mine = _block_of(lattice, problem.size, lattice.rank)
    block = _Block(lattice, Box(cells=tuple(cells.stop - cells.start for cells in mine)), threads)
    state = [block.box.empty() for _ in range(min(2, problem.steps))]

    def compute(part: F64) -> F64:
        for step in range(problem.steps):
            target = state[step % 2]
            block.step(target, part, problem.weights)
            part = target
        return block.box.view(part)

    return Partitioned(
        put=lambda whole: block.box.laid(whole[mine]), compute=compute, get=partial(_gathered, lattice, problem.size)
    )


def _block_of(lattice: Any, size: int, rank: int) -> tuple[slice, ...]:
    """Return the cells of a rank along z, y and x."""
    at = lattice.Get_coords(rank)
    return tuple(share(size, parts, part) for parts, part in zip(lattice.dims, at, strict=True))


def _gathered(lattice: Any, size: int, part: F64) -> F64 | None:
    """Return the whole field on rank 0."""
    parts = lattice.gather(np.ascontiguousarray(part), root=0)
    if lattice.rank:
        return None
    whole = np.empty((size,) * 3)
    for rank, part in enumerate(parts):
        whole[_block_of(lattice, size, rank)] = part
    return whole


class _Block:
    """The block of a rank: the buffers of the faces that it receives, and the cells that do not need them."""

    def __init__(self, lattice: Any, box: Box, threads: int) -> None:
        self.lattice, self.box, self.threads = lattice, box, threads
        self._rows = rows_together(box, threads * lattice.size)
        z, y, x = box.cells
        pitch = box.pitch
        self._cut = [parts > 1 for parts in lattice.dims]
        self._received = [np.zeros(count) for count in (y * pitch, z * pitch, z * y) for _ in range(2)]
        steps = (pitch, pitch, 1)  # from row to row of a face in its buffer
        self._where = np.array(
            [[face.ctypes.data, CELL_BYTES * steps[k // 2]] for k, face in enumerate(self._received)]
        )
        plane = y * pitch
        self._starts = (0, (z - 1) * plane, 0, (y - 1) * pitch, 0, x - 1)  # of the faces z-, z+, y-, y+, x-, x+
        shapes = ((1, plane, plane), (z, pitch, plane), (z * y, 1, pitch))
        self._types = [MPI.DOUBLE.Create_vector(*shape).Commit() for shape in shapes]
        inner = [(1, n - 1) if is_cut else (0, n) for n, is_cut in zip((z, y), self._cut[:2], strict=True)]
        self._inner = [*inner[0], *inner[1]]

    def step(self, target: F64, source: F64, weights: tuple[float, float]) -> None:
        """Make one step of the whole block."""
        waiting = self._exchange(source)
        around = self._around(source)
        first, last, bottom, top = self._inner
        bounds = [first + (last - first) * chunk // _CHUNKS for chunk in range(_CHUNKS + 1)]
        for start, stop in pairwise(bounds):
            self._sweep(target, source, around, (start, stop, bottom, top), weights)
            MPI.Request.Testall(waiting)
        MPI.Request.Waitall(waiting)
        for part in self._shell():
            self._sweep(target, source, around, part, weights)
        if self._cut[2]:
            sweep_ends(target, source, around, self.box.shape, np.array(self._inner), *weights)

    def _exchange(self, source: F64) -> list[Any]:
        """Send the outermost cells along each axis that is divided, and receive those of the neighbours."""
        waiting = []
        for axis in (axis for axis in range(3) if self._cut[axis]):
            low, high = self.lattice.Shift(axis, 1)
            waiting += [
                self.lattice.Irecv(self._received[2 * axis], source=low, tag=2 * axis + 1),
                self.lattice.Irecv(self._received[2 * axis + 1], source=high, tag=2 * axis),
                self.lattice.Isend(self._face(source, 2 * axis), dest=low, tag=2 * axis),
                self.lattice.Isend(self._face(source, 2 * axis + 1), dest=high, tag=2 * axis + 1),
            ]
        return waiting

    def _face(self, source: F64, face: int) -> list[Any]:
        return [source[self._starts[face] :], 1, self._types[face // 2]]

    def _around(self, source: F64) -> Int:
        """Return where cells beyond the faces are: in a buffer or, along an axis that is not divided, in the block."""
        own = self.box.around(source)
        return np.where(np.repeat(self._cut, 2)[:, None], self._where, own)

    def _shell(self) -> list[tuple[int, int, int, int]]:
        """Return the rows that need a face of z or y: first and end along z, then along y."""
        z, y, _ = self.box.cells
        first, last, bottom, top = self._inner
        ends = [(0, first, 0, y), (max(last, first), z, 0, y)]
        sides = [(first, last, 0, bottom), (first, last, max(top, bottom), y)]
        return [part for part in ends + sides if part[0] < part[1] and part[2] < part[3]]

    def _sweep(self, target: F64, source: F64, around: Int, part: Any, weights: tuple[float, float]) -> None:
        sweep(target, source, around, self.box.shape, np.array(part), *weights, self.threads, self._rows)
