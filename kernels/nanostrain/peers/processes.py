"""Several processes, as in xsocs, for packages that hold the interpreter's lock while they compute.

They are forked once, when a problem is prepared, so they share its blocks and tables without a copy; results are
returned in shared memory. A block is identified by its index: no frame is sent.
"""

from __future__ import annotations

import mmap
import multiprocessing
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import share

Array = NDArray[Any]
ComputeRows = Callable[[Array, Mapping[str, Array]], None]  # some rows of a block, and the same rows of the results


class Processes:
    """Processes that share the rows of a block.

    Parameters
    ----------
    blocks
        The blocks that will be computed.
    outputs
        Shape of a row and type of each result.
    work
        The function that computes some rows and writes their results.
    count
        Number of processes; with 1 nothing is forked.
    """

    def __init__(
        self, blocks: Sequence[Array], outputs: Mapping[str, tuple[Any, Any]], work: ComputeRows, count: int
    ) -> None:
        rows = len(blocks[0])
        self._blocks, self._work = blocks, work
        self._given = _shared(blocks[0].shape, blocks[0].dtype)
        self._results = {name: _shared((rows, *shape), kind) for name, (shape, kind) in outputs.items()}
        self._pipes = []
        context = multiprocessing.get_context("fork")
        for part in range(count if count > 1 else 0):
            ours, theirs = context.Pipe()
            process = context.Process(target=self._serve, args=(theirs, ours, share(rows, count, part)), daemon=True)
            process.start()
            theirs.close()
            weakref.finalize(self, process.terminate)
            self._pipes.append(ours)

    def __call__(self, block: Array) -> dict[str, Array]:
        """Return the results of a block; the next call overwrites them."""
        if not self._pipes:
            self._work(block, self._results)
        else:
            where = next((i for i, known in enumerate(self._blocks) if known is block), None)
            if where is None:  # the processes were forked without this block
                self._given[...] = block
            for pipe in self._pipes:
                pipe.send(where)
            errors = [error for pipe in self._pipes if (error := pipe.recv())]
            if errors:
                raise RuntimeError(errors[0])
        return dict(self._results)

    def _serve(self, pipe: Any, ours: Any, rows: slice) -> None:
        for other in (*self._pipes, ours):  # so that this process ends when its parent ends
            other.close()
        while True:
            try:
                where = pipe.recv()
            except EOFError:
                return
            block = self._given if where is None else self._blocks[where]
            try:
                self._work(block[rows], {name: result[rows] for name, result in self._results.items()})
                pipe.send("")
            except Exception as error:  # sent to the parent
                pipe.send(repr(error))


def _shared(shape: Sequence[int], kind: Any) -> Array:
    """Return an array in memory that forked processes share."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), kind, count=int(np.prod(shape))).reshape(shape)
