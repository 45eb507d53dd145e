"""Whether workers are as the case asks: versions, number, threads, processors. What runs in a worker, and who asks.

What one says of itself travels by pickle: a worker needs the same daasbench, which is compared first.
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
BEGAN = "DAASBENCH_BEGAN"  # the variable in which a job says when it began, in seconds since 1970


class Facts(Noun, frozen=True, kw_only=True):
    """What a worker says of itself."""

    host: str
    pid: int
    cpus: list[int]
    now: float  # by its clock, in seconds since 1970
    began: float | None = None  # when its job began, by its clock
    job: str = ""


# --- in a worker ----------------------------------------------------------------------------------------------


def describe_worker() -> Facts:
    """Return who this worker is."""
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
    """Let this process use so many threads; return why it cannot: what reads the variables has read them."""
    numba = sys.modules.get("numba")
    if numba is not None and threads != numba.config.NUMBA_NUM_THREADS:
        return f"it computes with {numba.config.NUMBA_NUM_THREADS} threads already, not {threads}"
    os.environ.update(thread_variables(threads))
    return None


def observe_machine(commit: str, redact: bool) -> Machine:
    """Return what is seen of this worker's machine."""
    from daasbench.host import machine

    return machine.observe(commit=commit, observed_at=utc_now(), redact=redact)


# --- at the client --------------------------------------------------------------------------------------------


def compare_versions(client: Any, scheduler: str) -> None:
    """Raise Lacking if scheduler or workers run other versions than this process."""
    seen = client.get_versions(packages=list(OURS))
    ours = _flat(seen["client"])
    others = {f"scheduler {scheduler}": seen["scheduler"]}
    others |= {f"worker {address}": one for address, one in sorted(seen["workers"].items())}
    for who, one in others.items():
        names = COMPARED if who.startswith("scheduler") else (*COMPARED, *OURS)
        theirs = _flat(one)
        wrong = [name for name in names if theirs.get(name) != ours.get(name)]
        if wrong:
            message = ", ".join(f"{name} {theirs.get(name) or 'is absent'} (here {ours.get(name)})" for name in wrong)
            raise MissingRequirement(f"Dask {who}: {message}", "use the same environment on both sides")


def compare_commits(client: Any) -> None:
    """Raise Lacking if a worker runs another commit of this suite; local changes of files are not looked at."""
    ours = suite_commit()
    for address, theirs in sorted(client.run(suite_commit).items()):
        if theirs.partition("+")[0] != ours.partition("+")[0]:
            message = f"Dask worker {address}: daasbench is at commit {theirs} (here {ours})"
            raise MissingRequirement(message, "use the same checkout on both sides")


def machines(client: Any, commit: str, *, redact: bool) -> list[Machine]:
    """Return what is seen of the workers' machines, one of each host, before anything is pinned."""
    hosts = {one.host: address for address, one in sorted(client.run(describe_worker).items(), reverse=True)}
    message = client.run(observe_machine, commit, redact, workers=sorted(hosts.values()))
    return [message[address] for _, address in sorted(hosts.items())]


def _flat(versions: Mapping[str, Any]) -> dict[str, str | None]:
    packages = dict(versions["packages"])
    return {**packages, "python": str(packages.get("python", versions["host"].get("python")))}


def configure_workers(client: Any, case: Case, *, ours: bool) -> tuple[list[DaskWorker], float | None]:
    """Steer the workers, pin those of our own, and return who they are and when the last one's job began.

    The time is by this process's clock, in seconds since 1970; None where they are no jobs.

    Raises
    ------
    Lacking
        One cannot use as many threads as the case asks, or has not the processors for them.
    """
    for address, message in client.run(set_thread_count, case.threads).items():
        if message:
            raise MissingRequirement(
                f"Dask worker {address}: {message}", "start the workers anew, or ask for that many threads"
            )
    before = time.time()
    facts: dict[str, Facts] = client.run(describe_worker)
    middle = (before + time.time()) / 2
    if ours:
        for address, cpus in places(facts, case.threads).items():
            client.run(pin, cpus, workers=[address])
        facts = client.run(describe_worker)
    for address, one in facts.items():
        if len(one.cpus) < case.threads:
            few = f"Dask worker {address} may run on {len(one.cpus)} processors, the case asks for {case.threads}"
            raise MissingRequirement(f"{few} threads", "give the workers more processors, or ask for fewer threads")
    began = [one.began - one.now + middle for one in facts.values() if one.began is not None]
    known = client.scheduler_info(n_workers=-1)["workers"]
    workers = [
        DaskWorker(
            address=address,
            host=one.host,
            cpus=one.cpus,
            threads=case.threads,
            slots=known[address]["nthreads"],
            memory_limit_bytes=known[address]["memory_limit"] or None,
            job=one.job,
        )
        for address, one in sorted(facts.items())
    ]
    return workers, max(began, default=None)


def places(facts: Mapping[str, Facts], threads: int) -> dict[str, list[int]]:
    """Return the processors of each worker, by its address: as many as it has threads, no one else's.

    On a host whatever started the workers either bound each to its own, or none.

    Raises
    ------
    Lacking
        A host has not as many processors as its workers have threads.
    """
    found: dict[str, list[int]] = {}
    for host in {one.host for one in facts.values()}:
        here = {address: one.cpus for address, one in sorted(facts.items()) if one.host == host}
        found |= _shared_out(here, threads, host)
    return found


def _shared_out(bound: Mapping[str, Sequence[int]], threads: int, host: str) -> dict[str, list[int]]:
    taken: set[int] = set()
    found = {}
    for address, cpus in sorted(bound.items(), key=lambda item: len(item[1])):
        free = [cpu for cpu in cpus if cpu not in taken]
        if len(free) < threads:
            message = f"{len(bound)} Dask workers of {threads} threads on {host} have"
            all_of_them = len({cpu for one in bound.values() for cpu in one})
            raise MissingRequirement(f"{message} {all_of_them} processors", "ask for fewer, or for more nodes")
        found[address] = free[:threads]
        taken.update(found[address])
    return found
