"""For tests: run a kernel's ``mpi`` implementation on real ranks, and its ``dask`` implementation on a real cluster.

One ``mpiexec`` serves several numbers of ranks, each with a separate communicator.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daasbench import registry
from daasbench.contracts import Resources

MPIEXEC = Path(sys.prefix) / "bin" / "mpiexec"
LIMIT_S = 240


def results_on_ranks(
    kernel: str, implementation: str, problem: Any, ranks: Sequence[int] = (1, 2, 3, 4), threads: int = 1
) -> dict[int, list[Any]]:
    """Return, by number of ranks, the results of all blocks of `problem`; every block is computed twice.

    Raises
    ------
    RuntimeError
        If a rank failed; the message has its output.
    """
    with tempfile.TemporaryDirectory() as folder:
        task, answer = Path(folder, "task"), Path(folder, "answer")
        task.write_bytes(pickle.dumps((kernel, implementation, problem, tuple(ranks), threads), protocol=5))
        command = [str(MPIEXEC), "-n", str(max(ranks)), sys.executable, "-m", "daasbench.testing.ranks"]
        variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))
        done = subprocess.run(
            [*command, str(task), str(answer)],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        if done.returncode or not answer.exists():
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        results: dict[int, list[Any]] = pickle.loads(answer.read_bytes())
        return results


@contextmanager
def dask_client(workers: int = 2) -> Iterator[Any]:
    """Yield the client of a local cluster of `workers` processes of one thread; end the cluster afterwards."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def results_on_workers(kernel: str, implementation: str, problem: Any, client: Any) -> list[Any]:
    """Return the results of all blocks of `problem` on a Dask cluster; every block is computed twice."""
    declared = registry.kernel(kernel).implementations[implementation]
    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    return _twice(declared.load()(problem, Resources(ranks=workers, client=client)), problem)


def _twice(partitioned: Any, problem: Any) -> list[Any]:
    blocks = [partitioned.put(block) for block in problem.blocks]
    return [partitioned.get(partitioned.compute(block)) for block in [*blocks, *blocks]]


def _meet(comm: Any) -> None:
    """Return when every rank has called this; a rank that waits sleeps, because MPI would use its processor."""
    arrived = comm.Ibarrier()
    while not arrived.Test():
        time.sleep(0.002)


def main(task: str, answer: str) -> None:
    """Compute the task in the file `task` on this rank; rank 0 writes the file `answer`."""
    from mpi4py import MPI

    try:
        name, implementation, problem, counts, threads = pickle.loads(Path(task).read_bytes())
        prepare = registry.kernel(name).implementations[implementation].load()
        world = MPI.COMM_WORLD
        if world.size != max(counts):
            raise RuntimeError(f"{world.size} ranks were started, not {max(counts)}; is this another MPI's mpiexec?")
        results = {}
        for count in sorted(counts, reverse=True):  # all ranks load their compiled code in the first round, at once
            _meet(world)
            comm = world.Split(0 if world.rank < count else MPI.UNDEFINED, world.rank)
            if comm != MPI.COMM_NULL:
                partitioned = prepare(problem, Resources(threads=threads, ranks=count, comm=comm))
                results[count] = _twice(partitioned, problem)
                comm.Free()
        _meet(world)
        if world.rank == 0:
            Path(answer).write_bytes(pickle.dumps(results, protocol=5))
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        MPI.COMM_WORLD.Abort(1)  # otherwise the other ranks would wait for this rank forever


if __name__ == "__main__":
    main(*sys.argv[1:])
