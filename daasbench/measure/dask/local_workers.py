"""Where Dask workers come from: processes of our own, or a cluster that runs already; jobs and ranks stand apart."""

from __future__ import annotations

import os
from pathlib import Path

from daasbench.errors import MissingRequirement, Unreachable
from daasbench.host.processes import allowed_cpus, thread_variables
from daasbench.measure.dask.found import CONNECT_S, ConnectedWorkers, address_in, identity
from daasbench.measure.dask.options import ClusterOptions
from daasbench.model import Case

ARRIVE_S = 60.0  # for processes of our own to report


def local(case: Case, options: ClusterOptions, folder: Path, name: str, wall_time_limit_s: float) -> ConnectedWorkers:  # noqa: ARG001
    """Start workers here, each with its own of the processors that this process may use."""
    import dask
    from distributed import Client, LocalCluster

    dask.config.set({"temporary-directory": str(folder)})
    asked, usable = case.ranks * case.threads, len(allowed_cpus(os.getpid()))
    if asked > usable:
        message = f"{case.ranks} Dask workers of {case.threads} threads asked, {usable} processors usable here"
        raise MissingRequirement(message, "ask for fewer")
    cluster = LocalCluster(
        n_workers=case.ranks,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # never the usual port, which may be somebody else's
        memory_limit=0,  # none: the case was predicted to fit, and a worker that spills measures the disk
        env=thread_variables(case.threads),
    )
    client = Client(cluster)
    client.wait_for_workers(case.ranks, timeout=ARRIVE_S)
    workers = cluster.scheduler.workers
    return ConnectedWorkers(
        kind="local", name=cluster.scheduler_address, client=client, present=lambda: list(workers), ours=True
    )


def running(case: Case, options: ClusterOptions, folder: Path, name: str, wall_time_limit_s: float) -> ConnectedWorkers:  # noqa: ARG001
    """Return the workers of a cluster that runs already: exactly as many as the case asks."""
    from distributed import Client

    address = options.scheduler or address_in(Path(options.scheduler_file or ""))
    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        message = f"no Dask scheduler answers at {address} ({error or type(error).__name__})"
        raise Unreachable(f"{message}; start it, or correct the platform's option scheduler") from error
    found = len(identity(client)["workers"])
    if found != case.ranks:
        few = f"start {case.ranks - found} more: dask worker {address}" if found < case.ranks else "ask all of them"
        message = f"the Dask cluster at {address} has {found} workers, the case asks for {case.ranks}"
        raise MissingRequirement(message, f"{few}; or write ranks = {found}" if found else few)
    return ConnectedWorkers(
        kind="running", name=address, client=client, present=lambda: identity(client)["workers"], ours=False
    )
