"""Dask workers that are processes of this node, or those of a running cluster."""

from __future__ import annotations

import os
from pathlib import Path

from daasbench.errors import MissingRequirement, Unreachable
from daasbench.host.processes import allowed_cpus, thread_variables
from daasbench.measure.dask.found import CONNECT_S, ConnectedWorkers, address_in, identity
from daasbench.measure.dask.options import ClusterOptions
from daasbench.model import Case

START_S = 60.0  # for processes of this node to register


def local(case: Case, options: ClusterOptions, folder: Path, name: str, wall_time_limit_s: float) -> ConnectedWorkers:  # noqa: ARG001
    """Start workers on this node, each with its own of the processors that this process may use."""
    import dask
    from distributed import Client, LocalCluster

    dask.config.set({"temporary-directory": str(folder)})
    requested, usable = case.ranks * case.threads, len(allowed_cpus(os.getpid()))
    if requested > usable:
        message = (
            f"{case.ranks} Dask workers of {case.threads} threads requested, {usable} processors usable on this node"
        )
        raise MissingRequirement(message, "request fewer")
    cluster = LocalCluster(
        n_workers=case.ranks,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # never the usual port, which another program may use
        memory_limit=0,  # none: the case was predicted to fit, and a worker that spills measures the disk
        env=thread_variables(case.threads),
    )
    client = Client(cluster)
    client.wait_for_workers(case.ranks, timeout=START_S)
    workers = cluster.scheduler.workers
    return ConnectedWorkers(
        kind="local", name=cluster.scheduler_address, client=client, present=lambda: list(workers), ours=True
    )


def running(case: Case, options: ClusterOptions, folder: Path, name: str, wall_time_limit_s: float) -> ConnectedWorkers:  # noqa: ARG001
    """Return the workers of a running cluster: exactly as many as the case requests."""
    from distributed import Client

    address = options.scheduler or address_in(Path(options.scheduler_file or ""))
    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        message = f"no Dask scheduler answers at {address} ({error or type(error).__name__})"
        raise Unreachable(f"{message}; start it, or correct the platform's option scheduler") from error
    count = len(identity(client)["workers"])
    if count != case.ranks:
        fix = f"start {case.ranks - count} more: dask worker {address}" if count < case.ranks else "request all of them"
        message = f"the Dask cluster at {address} has {count} workers, the case requests {case.ranks}"
        raise MissingRequirement(message, f"{fix}; or write ranks = {count}" if count else fix)
    return ConnectedWorkers(
        kind="running", name=address, client=client, present=lambda: identity(client)["workers"], ours=False
    )
