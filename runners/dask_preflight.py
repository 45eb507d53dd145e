"""Preflight checks of a Dask cluster: whether its scheduler answers, its workers, and the versions of both sides."""

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
from daasbench.host.installation import command_here
from daasbench.host.launchers import scheduler_of
from daasbench.inspection import node
from daasbench.inspection.platform import Finding, ok, write_one_of, wrong
from daasbench.measure.dask.options import ClusterOptions, cluster_options
from daasbench.measure.dask.slurm_workers import walltime
from daasbench.measure.dask.worker_checks import compare_commits, compare_versions
from daasbench.model import Platform

from .local_preflight import check_this_machine
from .slurm.options import SlurmOptions, options_of
from .slurm.partitions import seconds_of
from .slurm.preflight import queue_findings
from .slurm.transport import LocalTransport

CONNECT_S = 10.0
NODE_CHECKS = ("nodes", "cores", "memory", "GPUs")
MODULES = {"slurm": ("distributed", "dask_jobqueue"), "mpi": ("distributed", "dask_mpi")}


def scheduler_findings(platform: Platform) -> list[Finding]:
    """Return the findings about the running Dask cluster that a platform's options name; no findings without one."""
    address, file = scheduler_of(platform.options), platform.options.get("scheduler_file")
    if address is None and file is None:
        return []
    try:
        backends.dask_version()
    except MissingRequirement as missing:
        return [wrong("scheduler", missing.what, missing.fix)]
    from distributed import Client

    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # a scheduler that does not answer is reported by the finding
    try:
        source = {"scheduler_file": file} if address is None else {"address": address}
        client = Client(**source, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        message = f"no Dask scheduler answers at {address or file} ({error})"
        return [wrong("scheduler", message, "start it, or correct the option that names it")]
    finally:
        logger.setLevel(level)
    try:
        address = str(client.scheduler.address)
        workers = client.scheduler_info(n_workers=-1)["workers"]
        answers = ok("scheduler", f"{address} answers")
        return [answers, workers_finding(workers, address), versions_finding(client, address)]
    finally:
        client.close()


def check_dask(platform: Platform, folder: Path) -> list[Finding]:
    """Return the findings about a platform of the runner ``dask``: this machine, and the source of its workers."""
    cluster = platform.options.get("cluster")
    findings = check_this_machine(platform, folder, ranks=node.RANKS if cluster == "mpi" else 0)
    if cluster != "local":  # the workers run on other nodes
        findings = [finding for finding in findings if finding.check not in NODE_CHECKS]
    for module in MODULES.get(str(cluster), ("distributed",)):
        if importlib.util.find_spec(module) is None:
            fix = command_here("install it: pip install 'daasbench[dask]'")
            findings.append(wrong("Dask", f"{module} is not installed", fix))
    options = cluster_options(platform)
    if options.interface is not None and options.interface not in psutil.net_if_addrs():
        known = sorted(psutil.net_if_addrs())
        message = f"this machine has no network interface {options.interface}"
        findings.append(wrong("interface", message, write_one_of("interface", known)))
    if cluster == "slurm":
        found, _ = queue_findings(platform, worker_job_options(options), LocalTransport())
        findings += map(with_dask_options, found)
    return [*findings, *scheduler_findings(platform)]


def worker_job_options(options: ClusterOptions) -> SlurmOptions:
    """Return what the jobs of Dask workers request from Slurm, as options of the runner ``slurm``."""
    named = {key: value for key in ("partition", "account", "qos") if (value := getattr(options, key)) is not None}
    limit_s = seconds_of(options.walltime) if options.walltime else None
    flags = [flag for line in options.directives for flag in shlex.split(line)]
    return msgspec.structs.replace(options_of(named), sbatch=flags, time_limit_s=limit_s)


def with_dask_options(finding: Finding) -> Finding:
    """Return a finding about Slurm's time limit that names the option of a Dask platform: ``walltime``."""
    texts = {
        key: re.sub(
            r"time_limit_s (?:= )?(?:is )?(\d+)", lambda match: f'walltime = "{walltime(int(match[1]) - 60)}"', text
        )
        for key, text in (("message", finding.message), ("fix", finding.fix))
    }
    return msgspec.structs.replace(finding, **texts)


def workers_finding(workers: Mapping[str, Any], address: str) -> Finding:
    """Return how many workers a cluster has; a case must request exactly as many ranks."""
    if not workers:
        return wrong("workers", f"the cluster at {address} has no workers", f"start some: dask worker {address}")
    hosts = {str(worker["host"]) for worker in workers.values()}
    threads = sorted({int(worker["nthreads"]) for worker in workers.values()})
    counts = f"{len(workers)} on {len(hosts)} host{'s' if len(hosts) > 1 else ''}"
    message = (
        f"{counts}, threads per worker: {', '.join(map(str, threads))}; a case must request ranks = {len(workers)}"
    )
    return ok("workers", message)


def versions_finding(client: Any, address: str) -> Finding:
    """Return whether scheduler and workers have the versions and the commit of this process."""
    try:
        compare_versions(client, address)
        compare_commits(client)
    except MissingRequirement as missing:
        return wrong("versions", missing.what, missing.fix)
    return ok("versions", "scheduler and workers have the versions of this process")
