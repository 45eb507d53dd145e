"""The checks whether Dask workers are as the case requests: versions, number, threads, processors.

Functions that run in a worker come first. Their results are pickled: a worker needs the same daasbench, so versions are
compared first.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from daasbench.errors import MissingRequirement
from daasbench.host.clock import utc_now
from daasbench.host.processes import allowed_cpus, pin, thread_variables
from daasbench.host.source_commit import suite_commit
from daasbench.model import Case, DaskWorker, Machine, Noun

COMPARED = ("python", "distributed", "dask", "cloudpickle", "msgpack", "numpy")  # must be equal on both sides
OURS = ("daasbench", "numba")
BEGAN = "DAASBENCH_BEGAN"  # the variable with the start time of a worker's job, in seconds since 1970


class Facts(Noun, frozen=True, kw_only=True):
    """The facts that a worker reports of itself."""

    host: str
    pid: int
    cpus: list[int]
    now: float  # by its clock, in seconds since 1970
    began: float | None = None  # start of its job, by its clock
    job: str = ""


# --- in a worker ----------------------------------------------------------------------------------------------


def describe_worker() -> Facts:
    """Return the facts of this worker."""
    began = os.environ.get(BEGAN)
    return Facts(
        host=socket.gethostname(),
        pid=os.getpid(),
        cpus=allowed_cpus(os.getpid()),
        now=time.time(),
        began=float(began) if began else None,
        job=os.environ.get("SLURM_JOB_ID", ""),
    )


def set_thread_count(threads: int) -> str | None:
    """Set the number of threads of this process; return why that is not possible: numba has read the variable."""
    numba = sys.modules.get("numba")
    if numba is not None and threads != numba.config.NUMBA_NUM_THREADS:
        return f"it computes with {numba.config.NUMBA_NUM_THREADS} threads already, not {threads}"
    os.environ.update(thread_variables(threads))
    return None


def observe_machine(commit: str, redact: bool) -> Machine:
    """Return the facts of this worker's machine."""
    from daasbench.host import machine

    return machine.observe(commit=commit, observed_at=utc_now(), redact=redact)


# --- at the client --------------------------------------------------------------------------------------------


def compare_versions(client: Any, scheduler: str) -> None:
    """Raise MissingRequirement if scheduler or workers run other versions than this process."""
    seen = client.get_versions(packages=list(OURS))
    ours = _flat(seen["client"])
    others = {f"scheduler {scheduler}": seen["scheduler"]}
    others |= {f"worker {address}": versions for address, versions in sorted(seen["workers"].items())}
    for who, versions in others.items():
        names = COMPARED if who.startswith("scheduler") else (*COMPARED, *OURS)
        theirs = _flat(versions)
        wrong = [name for name in names if theirs.get(name) != ours.get(name)]
        if wrong:
            message = ", ".join(
                f"{name} {theirs.get(name) or 'is absent'} (client: {ours.get(name)})" for name in wrong
            )
            raise MissingRequirement(f"Dask {who}: {message}", "use the same environment on both sides")


def compare_commits(client: Any) -> None:
    """Raise MissingRequirement if a worker runs another commit of this suite; uncommitted changes are ignored."""
    ours = suite_commit()
    for address, theirs in sorted(client.run(suite_commit).items()):
        if theirs.partition("+")[0] != ours.partition("+")[0]:
            message = f"Dask worker {address}: daasbench is at commit {theirs} (client: {ours})"
            raise MissingRequirement(message, "use the same checkout on both sides")


def machines(client: Any, commit: str, *, redact: bool) -> list[Machine]:
    """Return the facts of the workers' machines, one per host; call it before workers are pinned."""
    hosts = {facts.host: address for address, facts in sorted(client.run(describe_worker).items(), reverse=True)}
    observed = client.run(observe_machine, commit, redact, workers=sorted(hosts.values()))
    return [observed[address] for _, address in sorted(hosts.items())]


def _flat(versions: Mapping[str, Any]) -> dict[str, str | None]:
    packages = dict(versions["packages"])
    return {**packages, "python": str(packages.get("python", versions["host"].get("python")))}


def configure_workers(client: Any, case: Case, *, ours: bool) -> tuple[list[DaskWorker], float | None]:
    """Set the workers' threads, pin those of our own, and return them and the start time of the last one's job.

    The time is by this process's clock, in seconds since 1970; None if the workers are no jobs.

    Raises
    ------
    MissingRequirement
        A worker cannot use as many threads as the case requests, or does not have enough processors.
    """
    for address, message in client.run(set_thread_count, case.threads).items():
        if message:
            raise MissingRequirement(
                f"Dask worker {address}: {message}", "restart the workers, or request that many threads"
            )
    before = time.time()
    facts: dict[str, Facts] = client.run(describe_worker)
    middle = (before + time.time()) / 2
    if ours:
        for address, cpus in processors_by_worker(facts, case.threads).items():
            client.run(pin, cpus, workers=[address])
        facts = client.run(describe_worker)
    for address, worker in facts.items():
        if len(worker.cpus) < case.threads:
            few = f"Dask worker {address} may run on {len(worker.cpus)} processors, the case requests {case.threads}"
            raise MissingRequirement(f"{few} threads", "give the workers more processors, or request fewer threads")
    began = [worker.began - worker.now + middle for worker in facts.values() if worker.began is not None]
    known = client.scheduler_info(n_workers=-1)["workers"]
    workers = [
        DaskWorker(
            address=address,
            host=worker.host,
            cpus=worker.cpus,
            threads=case.threads,
            slots=known[address]["nthreads"],
            memory_limit_bytes=known[address]["memory_limit"] or None,
            job=worker.job,
        )
        for address, worker in sorted(facts.items())
    ]
    return workers, max(began, default=None)


def processors_by_worker(facts: Mapping[str, Facts], threads: int) -> dict[str, list[int]]:
    """Return the processors of each worker, by its address: one per thread, none shared.

    On each host, the workers are either bound to their own processors, or not bound.

    Raises
    ------
    MissingRequirement
        A host has fewer processors than its workers have threads.
    """
    found: dict[str, list[int]] = {}
    for host in {worker.host for worker in facts.values()}:
        bound = {address: worker.cpus for address, worker in sorted(facts.items()) if worker.host == host}
        found |= _distributed(bound, threads, host)
    return found


def _distributed(bound: Mapping[str, Sequence[int]], threads: int, host: str) -> dict[str, list[int]]:
    taken: set[int] = set()
    found = {}
    for address, cpus in sorted(bound.items(), key=lambda item: len(item[1])):
        free = [cpu for cpu in cpus if cpu not in taken]
        if len(free) < threads:
            message = f"{len(bound)} Dask workers of {threads} threads on {host} have"
            all_of_them = len({cpu for cpus in bound.values() for cpu in cpus})
            raise MissingRequirement(f"{message} {all_of_them} processors", "request fewer, or more nodes")
        found[address] = free[:threads]
        taken.update(found[address])
    return found
