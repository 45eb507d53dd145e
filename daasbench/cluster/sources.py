"""Where Dask workers come from: processes of our own, or a cluster that runs already; jobs and ranks stand apart."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daasbench.cluster.options import ClusterOptions
from daasbench.errors import Lacking, Unreachable
from daasbench.model import Case, DaskWorker, Reason
from daasbench.processes import allowed_cpus, steered

CONNECT_S = 10.0
SILENT_S = 30.0  # after which a scheduler that says nothing is taken for dead
ARRIVE_S = 60.0  # for processes of our own to report


def _killed(_: DaskWorker) -> tuple[Reason, str]:
    return Reason.KERNEL, "killed, or out of memory?"


@dataclass(frozen=True, kw_only=True)
class Found:
    """Workers that have reported.

    `present` returns the addresses of those that are there now; it raises OSError or TimeoutError when the scheduler
    is not. `cause` says why a worker is gone. `ours`: nobody else uses them, they may be pinned. `asked_at`: when
    jobs were asked for, in seconds since 1970.
    """

    kind: str
    name: str  # of the cluster, for people
    client: Any
    present: Callable[[], Collection[str]]
    ours: bool
    cause: Callable[[DaskWorker], tuple[Reason, str]] = _killed
    asked_at: float | None = None


Source = Callable[[Case, ClusterOptions, Path, str, float], Found]


def source_of(options: ClusterOptions) -> Source:
    """Return what brings the workers of a platform."""
    if options.scheduler or options.scheduler_file:
        return running
    if options.cluster == "slurm":
        from daasbench.cluster.jobs import jobs

        return jobs
    if options.cluster == "mpi":
        from daasbench.cluster.ranks import ranks

        return ranks
    return local


def local(case: Case, options: ClusterOptions, folder: Path, name: str, longest_s: float) -> Found:  # noqa: ARG001
    """Start workers here, each with its own of the processors that this process may use."""
    import dask
    from distributed import Client, LocalCluster

    dask.config.set({"temporary-directory": str(folder)})
    asked, usable = case.ranks * case.threads, len(allowed_cpus(os.getpid()))
    if asked > usable:
        told = f"{case.ranks} Dask workers of {case.threads} threads asked, {usable} processors usable here"
        raise Lacking(told, "ask for fewer")
    cluster = LocalCluster(
        n_workers=case.ranks,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # never the usual port, which may be somebody else's
        memory_limit=0,  # none: the case was predicted to fit, and a worker that spills measures the disk
        env=steered(case.threads),
    )
    client = Client(cluster)
    client.wait_for_workers(case.ranks, timeout=ARRIVE_S)
    workers = cluster.scheduler.workers
    return Found(kind="local", name=cluster.scheduler_address, client=client, present=lambda: list(workers), ours=True)


def running(case: Case, options: ClusterOptions, folder: Path, name: str, longest_s: float) -> Found:  # noqa: ARG001
    """Return the workers of a cluster that runs already: exactly as many as the case asks."""
    from distributed import Client

    address = options.scheduler or address_in(Path(options.scheduler_file or ""))
    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        told = f"no Dask scheduler answers at {address} ({error or type(error).__name__})"
        raise Unreachable(f"{told}; start it, or correct the platform's option scheduler") from error
    found = len(identity(client)["workers"])
    if found != case.ranks:
        few = f"start {case.ranks - found} more: dask worker {address}" if found < case.ranks else "ask all of them"
        told = f"the Dask cluster at {address} has {found} workers, the case asks for {case.ranks}"
        raise Lacking(told, f"{few}; or write ranks = {found}" if found else few)
    return Found(kind="running", name=address, client=client, present=lambda: identity(client)["workers"], ours=False)


def address_in(file: Path) -> str:
    """Return the address that a scheduler wrote into its file; raise Unreachable if none did."""
    import msgspec

    class _Scheduler(msgspec.Struct):
        address: str

    try:
        return msgspec.json.decode(file.read_bytes(), type=_Scheduler).address
    except OSError as error:
        told = f"{file}: cannot be read: {error.strerror}; start the scheduler: dask scheduler --scheduler-file"
        raise Unreachable(f"{told} {file}") from error
    except msgspec.MsgspecError as error:
        raise Unreachable(f"{file}: is not the file of a Dask scheduler ({error})") from error


def identity(client: Any) -> dict[str, Any]:
    """Return what the scheduler says of itself and its workers; raise OSError or TimeoutError if it does not."""
    if client.status != "running":  # it may come back, but what was computed is lost to this client
        raise OSError("the connection to it broke")
    found: dict[str, Any] = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=SILENT_S)
    return found
