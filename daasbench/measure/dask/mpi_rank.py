"""One rank of a Dask cluster under MPI: the scheduler on rank 0, a worker on the others (dask-mpi)."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import msgspec

from daasbench.compute.backends import library_name
from daasbench.host.installation import command_here
from daasbench.host.processes import die_with, thread_variables
from daasbench.measure.dask.mpi_workers import RankProblem, WorkerRendezvous
from daasbench.measure.dask.settings import HANDED_ON


def main(file: str) -> None:
    """Serve until the client has ended."""
    if os.getpgid(0) != os.getpid():
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the controller's to handle
    rendezvous = msgspec.json.decode(Path(file).read_bytes(), type=WorkerRendezvous)
    life = socket.create_connection((rendezvous.host, rendezvous.port))
    life.sendall(rendezvous.token.encode() + b"\n")
    die_with(life.fileno())
    for name in [variable for variable in os.environ if variable.startswith("DASK_")]:
        del os.environ[name]
    os.environ.update({**thread_variables(rendezvous.threads), HANDED_ON: rendezvous.settings})
    problem = _check(rendezvous)
    if problem is not None:
        life.sendall(msgspec.json.encode(problem) + b"\n")
        signal.pause()  # until the client ends all ranks
    from dask_mpi.cli import main as serve

    serve.main(args=rendezvous.arguments, standalone_mode=False)


def _check(rendezvous: WorkerRendezvous) -> RankProblem | None:
    """Return why the ranks cannot serve together, if so."""
    try:
        from mpi4py import MPI

        size = MPI.COMM_WORLD.size
    except (ImportError, RuntimeError) as error:  # what mpi4py raises where there is no MPI
        message = f"a rank cannot use MPI ({type(error).__name__}: {error})"
        return RankProblem(message=message, fix=command_here("pip install mpich"))
    if size == rendezvous.ranks:
        return None
    seen = "each sees only itself" if size == 1 else f"each sees {size}"
    message = (
        f"the launcher was to start {rendezvous.ranks} ranks, and {seen}: it belongs to another MPI than this Python's"
    )
    return RankProblem(
        message=f"{message} ({library_name(MPI.Get_library_version())})",
        fix="name that of this MPI in the platform's option launcher, or remove the option",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
