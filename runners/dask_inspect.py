"""A Dask cluster looked at before it is used: whether its scheduler answers, its workers, and both sides' versions."""

from __future__ import annotations

import importlib.util
import logging
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil

from daasbench.compute import backends
from daasbench.errors import MissingRequirement
from daasbench.host.launchers import scheduler_of
from daasbench.inspection import node
from daasbench.inspection.platform import Finding, ok, wrong
from daasbench.measure.dask.options import ClusterOptions, cluster_options
from daasbench.measure.dask.slurm_workers import walltime
from daasbench.measure.dask.worker_checks import compare_commits, compare_versions
from daasbench.model import Platform

from .here import inspect_here
from .slurm.inspect import queue_findings, seconds_of
from .slurm.options import SlurmOptions, options_of
from .slurm.shell import Here

CONNECT_S = 10.0
OF_NODES = ("nodes", "cores", "memory", "GPUs")
MODULES = {"slurm": ("distributed", "dask_jobqueue"), "mpi": ("distributed", "dask_mpi")}


def scheduler_findings(platform: Platform) -> list[Finding]:
    """Return what is found of the running Dask cluster that a platform's options name; nothing without one."""
    address, file = scheduler_of(platform.options), platform.options.get("scheduler_file")
    if address is None and file is None:
        return []
    try:
        backends.dask_version()
    except MissingRequirement as missing:
        return [wrong("scheduler", missing.what, missing.fix)]
    from distributed import Client

    quiet = logging.getLogger("distributed")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)  # of the scheduler that does not answer, the finding tells
    try:
        where = {"scheduler_file": file} if address is None else {"address": address}
        client = Client(**where, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        message = f"no Dask scheduler answers at {address or file} ({error})"
        return [wrong("scheduler", message, "start it, or correct the option that names it")]
    finally:
        quiet.setLevel(level)
    try:
        address = str(client.scheduler.address)
        workers = client.scheduler_info(n_workers=-1)["workers"]
        return [ok("scheduler", f"{address} answers"), workers_finding(workers, address), _versions(client, address)]
    finally:
        client.close()


def inspect_dask(platform: Platform, folder: Path) -> list[Finding]:
    """Return what is found of a platform of the runner ``dask``: of this machine, and of where workers come from."""
    cluster = platform.options.get("cluster")
    found = inspect_here(platform, folder, ranks=node.RANKS if cluster == "mpi" else 0)
    if cluster != "local":  # their nodes are others
        found = [one for one in found if one.check not in OF_NODES]
    for module in MODULES.get(str(cluster), ("distributed",)):
        if importlib.util.find_spec(module) is None:
            found.append(wrong("Dask", f"{module} is not installed", "install it: pip install 'daasbench[dask]'"))
    message = cluster_options(platform)
    if message.interface is not None and message.interface not in psutil.net_if_addrs():
        known = ", ".join(sorted(psutil.net_if_addrs()))
        found.append(wrong("interface", f"there is no {message.interface} here", f"write interface = one of {known}"))
    if cluster == "slurm":
        found += [in_dask_words(one) for one in queue_findings(platform, jobs_options(message), Here())[0]]
    return [*found, *scheduler_findings(platform)]


def jobs_options(message: ClusterOptions) -> SlurmOptions:
    """Return what the jobs of Dask workers ask of Slurm, as options of its own runner."""
    named = {key: value for key in ("partition", "account", "qos") if (value := getattr(message, key)) is not None}
    limit_s = seconds_of(message.walltime) if message.walltime else None
    words = [word for line in message.directives for word in shlex.split(line)]
    return msgspec.structs.replace(options_of(named), sbatch=words, time_limit_s=limit_s)


def in_dask_words(one: Finding) -> Finding:
    """Return a finding of Slurm's time limit with the option that a platform of Dask has for it."""
    texts = {
        key: re.sub(
            r"time_limit_s (?:= )?(?:is )?(\d+)", lambda said: f'walltime = "{walltime(int(said[1]) - 60)}"', text
        )
        for key, text in (("message", one.message), ("fix", one.fix))
    }
    return msgspec.structs.replace(one, **texts)


def workers_finding(workers: Mapping[str, Any], address: str) -> Finding:
    """Return how many workers a cluster has; a case asks for exactly as many ranks."""
    if not workers:
        return wrong("workers", f"the cluster at {address} has none", f"start some: dask worker {address}")
    hosts = {str(one["host"]) for one in workers.values()}
    threads = sorted({int(one["nthreads"]) for one in workers.values()})
    message = (
        f"{len(workers)} on {len(hosts)} host{'s' if len(hosts) > 1 else ''}, threads {', '.join(map(str, threads))}"
    )
    return ok("workers", f"{message}: a case must ask for ranks = {len(workers)}")


def _versions(client: Any, address: str) -> Finding:
    try:
        compare_versions(client, address)
        compare_commits(client)
    except MissingRequirement as missing:
        return wrong("versions", missing.what, missing.fix)
    return ok("versions", "scheduler and workers have those of this process")
