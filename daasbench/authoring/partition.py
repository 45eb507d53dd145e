"""The partition of a batch over MPI ranks or over the workers of a Dask cluster.

A kernel of independent frames, slices, spectra or positions needs only this::

    def prepare(problem, resources):
        return partition_over_ranks(with_numba.prepare, problem, resources)

A kernel whose ranks communicate makes its :class:`~daasbench.contracts.Partitioned` itself, with :func:`share`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from daasbench.compute.backends import map_arrays, walk_arrays
from daasbench.contracts import Partitioned, Resources

Prepare = Callable[[Any, Resources], Callable[[Any], Any]]


def share(count: int, parts: int, part: int) -> slice:
    """Return the slice of part `part` of a range of `count` in `parts` parts; the first parts may be longer by one."""
    least, more = divmod(count, parts)
    start = part * least + min(part, more)
    return slice(start, start + least + (part < more))


def rows(block: Any, part: slice) -> Any:
    """Return copies of these rows (axis 0) of every array of a block."""
    return map_arrays(lambda array: array[part].copy(), block)


def row_count(block: Any) -> int:
    """Return the length of axis 0 of the first array of a block."""
    return int(next(walk_arrays(block)).shape[0])


def joined(parts: Sequence[Any]) -> Any:
    """Return the results of the parts as one result: each array is concatenated along axis 0."""
    import numpy as np

    arrays = zip(*(walk_arrays(part) for part in parts), strict=True)
    return map_arrays(lambda _: np.concatenate(next(arrays)), parts[0])


def partition_over_ranks(
    prepare: Prepare,
    problem: Any,
    resources: Resources,
    *,
    count: Callable[[Any], int] = row_count,
    cut: Callable[[Any, slice], Any] = rows,
    join: Callable[[Sequence[Any]], Any] = joined,
) -> Partitioned:
    """Return the functions that compute a part of each block on every rank and gather the result on rank 0.

    Parameters
    ----------
    prepare
        The ``prepare`` of an implementation for the host; it computes one part.
    problem
        A dataclass with `blocks`; `prepare` gets it with only the first block, cut to this rank's part.
    count, cut, join
        Functions: the number of rows of a block; some of its rows; the results of the parts, in order, as one result.
        Default: axis 0 of every array.
    """
    comm = resources.comm

    def part_of(block: Any) -> Any:
        mine = share(count(block), comm.size, comm.rank)
        return cut(block, mine) if mine.stop > mine.start else None

    first = part_of(problem.blocks[0])
    local = None if first is None else prepare(dataclasses.replace(problem, blocks=[first]), _alone(resources))

    def get(result: Any) -> Any:
        parts = comm.gather(result, root=0)
        return join([part for part in parts if part is not None]) if comm.rank == 0 else None

    return Partitioned(put=part_of, compute=lambda part: local(part) if local and part is not None else None, get=get)


def partition_over_workers(
    prepare: Prepare,
    problem: Any,
    resources: Resources,
    *,
    count: Callable[[Any], int] = row_count,
    cut: Callable[[Any, slice], Any] = rows,
    join: Callable[[Sequence[Any]], Any] = joined,
) -> Partitioned:
    """Return the functions that compute a part of each block on every Dask worker; results stay on the workers.

    The parameters are those of :func:`partition_over_ranks`; all functions must be importable by the workers.
    """
    client = resources.client
    workers = sorted(client.scheduler_info(n_workers=-1)["workers"])

    def cuts(block: Any) -> list[Any]:
        total = count(block)
        return [cut(block, share(total, len(workers), part)) for part in range(min(total, len(workers)))]

    alone = _alone(resources)
    locals_ = [
        client.submit(prepare, dataclasses.replace(problem, blocks=[part]), alone, workers=[worker], pure=False)
        for worker, part in zip(workers, cuts(problem.blocks[0]), strict=False)
    ]

    def put(block: Any) -> list[Any]:
        parts = zip(workers, cuts(block), strict=False)
        return [client.scatter(part, workers=[worker], hash=False) for worker, part in parts]

    def compute(parts: list[Any]) -> list[Any]:
        futures = [
            client.submit(_call, local, part, workers=[worker], pure=False)
            for worker, local, part in zip(workers, locals_, parts, strict=False)
        ]
        _wait(futures)
        return futures

    _wait(locals_)
    return Partitioned(put=put, compute=compute, get=lambda futures: join(client.gather(futures)))


def _alone(resources: Resources) -> Resources:
    """Return the resources of one rank or worker."""
    return msgspec.structs.replace(resources, ranks=1, comm=None, client=None)


def _call(local: Callable[[Any], Any], part: Any) -> Any:
    return local(part)


def _wait(futures: Sequence[Any]) -> None:
    """Wait until all futures have ended; raise the exception of a future that failed."""
    for future in futures:
        failed = future.exception()  # waits, and fetches no result
        if failed is not None:
            raise failed
