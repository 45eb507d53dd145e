"""The Dask workers of one case: a cluster of this process's own, or one that the platform has.

Dask starts dead workers anew and waits for what they held; a measurement must not. A thread watches the workers
instead, and has the last word when one is gone.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from daasbench.contracts import Resources
from daasbench.errors import Lacking
from daasbench.measure import Failure
from daasbench.model import Case, Outcome, Reason
from daasbench.processes import (
    allowed_cpus,
    peak_memory_bytes,
    pin,
    reset_peak_memory,
    shared_memory_bytes,
    steered,
)
from daasbench.teams import Alone

LOOK_S = 0.3  # between looks whether all workers are there
NEWS_S = 3.0  # after which a client knows that a worker is gone
CONNECT_S = 10.0
ARRIVE_S = 60.0  # for the workers of a cluster of our own to report
COMPARED = ("python", "distributed", "dask", "cloudpickle", "msgpack", "numpy")  # must be equal on both sides
OURS = ("daasbench", "numba")


class Workers(Alone):
    """A Dask client and exactly the workers of its cluster."""

    def __init__(self, client: Any, end: Callable[[Failure], None], present: Callable[[], Sequence[str]]) -> None:
        self.client, self._end, self._present = client, end, present
        self.addresses = sorted(present())
        threading.Thread(target=self._watch, daemon=True, name="worker watch").start()

    def resources(self, case: Case) -> Resources:
        """Return what the implementation may use: the client too."""
        return Resources(threads=case.threads, ranks=case.ranks, gpus=case.gpus, client=self.client)

    def cpu_s(self) -> float:
        """Return the processor seconds of client and workers."""
        return time.process_time() + float(sum(self.client.run(time.process_time).values()))

    def reset_peak(self) -> None:
        """Let the peaks of memory begin again."""
        reset_peak_memory()
        self.client.run(reset_peak_memory)

    def peak_bytes(self) -> int:
        """Return the sum of the peaks of client and workers; pages that they share count once."""
        return unshared_peak_bytes() + int(sum(self.client.run(unshared_peak_bytes).values()))

    def lost(self) -> str | None:
        """Return that a worker is gone, if so; waits for the news of it, as errors come before."""
        end = time.monotonic() + NEWS_S
        while not self._gone() and time.monotonic() < end:
            time.sleep(LOOK_S / 3)
        return self._told(gone[0]) if (gone := self._gone()) else None

    def _gone(self) -> list[str]:
        return sorted(set(self.addresses) - set(self._present()))

    def _told(self, address: str) -> str:
        told = f"Dask worker {address}, one of {len(self.addresses)}, ended in the middle of its work"
        return f"{told} (killed, or out of memory?); its log says more"

    def _watch(self) -> None:
        while not (gone := self._gone()):
            time.sleep(LOOK_S)
        self._end(Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=self._told(gone[0])))


def unshared_peak_bytes() -> int:
    """Return this process's peak of memory without the part of shared pages that belongs to others."""
    return max(0, peak_memory_bytes() - shared_memory_bytes())


def gather_workers(case: Case, scheduler: str | None, folder: Path, end: Callable[[Failure], None]) -> Workers:
    """Return the workers that compute `case`, ready.

    Parameters
    ----------
    scheduler
        The address of a cluster that runs already; None: one of `ranks` processes is started here, each with its
        own of the processors that this process may use.
    folder
        Where workers of our own keep what they do not keep in memory.
    end
        Told, from another thread, when a worker is gone.

    Raises
    ------
    Lacking
        The cluster is not there, has other versions, or not as many workers as the case asks.
    """
    return _own(case, folder, end) if scheduler is None else _theirs(case, scheduler, end)


def _own(case: Case, folder: Path, end: Callable[[Failure], None]) -> Workers:
    import dask
    from distributed import Client, LocalCluster

    dask.config.set({"temporary-directory": str(folder)})
    cpus = allowed_cpus(os.getpid())
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
    workers = Workers(client, end, lambda: list(cluster.scheduler.workers))
    for number, address in enumerate(workers.addresses):
        own = cpus[number * case.threads : (number + 1) * case.threads]
        client.run(pin, own, workers=[address])
    return workers


def _theirs(case: Case, scheduler: str, end: Callable[[Failure], None]) -> Workers:
    from distributed import Client

    try:
        client = Client(scheduler, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        told = f"no Dask scheduler answers at {scheduler} ({error})"
        raise Lacking(told, "start it, or correct the platform's option scheduler") from error
    _compare_versions(client, scheduler)
    found = len(client.scheduler_info(n_workers=-1)["workers"])
    if found != case.ranks:
        few = f"start {case.ranks - found} more: dask worker {scheduler}" if found < case.ranks else "ask all of them"
        told = f"the Dask cluster at {scheduler} has {found} workers, the case asks for {case.ranks}"
        raise Lacking(told, f"{few}; or write ranks = {found}" if found else few)
    for address, told in client.run(steer, case.threads).items():
        if told:
            raise Lacking(f"Dask worker {address}: {told}", "start the workers anew, or ask for that many threads")
    return Workers(client, end, lambda: list(client.scheduler_info(n_workers=-1)["workers"]))


def _compare_versions(client: Any, scheduler: str) -> None:
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
            told = ", ".join(f"{name} {theirs.get(name) or 'is absent'} (here {ours.get(name)})" for name in wrong)
            raise Lacking(f"Dask {who}: {told}", "use the same environment on both sides")


def _flat(versions: Mapping[str, Any]) -> dict[str, str | None]:
    packages = dict(versions["packages"])
    return {**packages, "python": str(packages.get("python", versions["host"].get("python")))}


def steer(threads: int) -> str | None:
    """Let this process use so many threads; return why it cannot: what reads the variables has read them."""
    numba = sys.modules.get("numba")
    if numba is not None and threads != numba.config.NUMBA_NUM_THREADS:
        return f"it computes with {numba.config.NUMBA_NUM_THREADS} threads already, not {threads}"
    os.environ.update(steered(threads))
    return None
