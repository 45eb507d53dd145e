"""The team of a client and its Dask workers, and the watch over them.

Dask starts dead workers anew and waits for what they held; a measurement must not. A thread watches the workers
instead, and has the last word when one is gone, or when the scheduler is.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from daasbench.contracts import Resources
from daasbench.host.machine import host_name
from daasbench.host.processes import peak_memory_bytes, reset_peak_memory, shared_memory_bytes
from daasbench.measure.dask import settings, worker_checks
from daasbench.measure.dask.found import ConnectedWorkers, Source
from daasbench.measure.dask.local_workers import local, running
from daasbench.measure.dask.options import ClusterOptions, cluster_options, computes_elsewhere
from daasbench.measure.groups import SingleProcess
from daasbench.measure.messages import Failure, Spec
from daasbench.model import Case, DaskWorker, Outcome, Reason

LOOK_S = 0.3  # between looks whether all workers are there
USER_MODULE = "daasbench_user_"  # begins the names of modules that are users' files (daasbench.authoring.user_file)
NEWS_S = 3.0  # after which a client knows that a worker is gone


class Workers(SingleProcess):
    """A Dask client and exactly the workers of its cluster."""

    def __init__(self, found: ConnectedWorkers, spec: Spec, end: Callable[[Failure], None], *, elsewhere: bool) -> None:
        super().__init__()
        self.client, self._found, self._end = found.client, found, end
        self._employ(spec, elsewhere=elsewhere)
        self._trouble: Failure | None = None
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="worker watch")
        self._watcher.start()

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
        """Return who is gone, if somebody is; waits for the news of it, as errors come before."""
        self._watcher.join(NEWS_S)
        return self._trouble.message if self._trouble else None

    def _employ(self, spec: Spec, *, elsewhere: bool) -> None:
        """See that the workers are as the case asks; note who they are and on what, without hosts if so asked."""
        found, case = self._found, spec.case
        worker_checks.compare_versions(self.client, found.name)
        worker_checks.compare_commits(self.client)
        if elsewhere:
            self.machines = worker_checks.machines(self.client, spec.commit, redact=spec.redact)
        self._seen, began = worker_checks.configure_workers(self.client, case, ours=found.ours)
        if began is not None and found.asked_at is not None:
            self.queued_s = max(0.0, began - found.asked_at)
        self.settings = {"cluster": found.kind, **settings.seen(self.client, self._seen[0].address)}
        self.workers = [redacted(one, number) for number, one in enumerate(self._seen)] if spec.redact else self._seen

    def _watch(self) -> None:
        while self._trouble is None:
            time.sleep(LOOK_S)
            self._trouble = self._look()
        self._end(self._trouble)

    def _look(self) -> Failure | None:
        """Return what is wrong now: a worker, or the scheduler, that is gone."""
        try:
            present = self._found.present()
        except (OSError, TimeoutError) as error:
            message = f"the Dask scheduler {self._found.name} died or answers no more ({error or type(error).__name__})"
            return Failure(
                outcome=Outcome.FAILED,
                reason=Reason.SCHEDULER,
                message=f"{message}; the same command measures it again",
            )
        gone = next((one for one in self._seen if one.address not in present), None)
        if gone is None:
            return None
        message = f"Dask worker {gone.address}, one of {len(self._seen)}, ended in the middle of its work"
        reason, why = self._found.cause(gone)
        return Failure(outcome=Outcome.FAILED, reason=reason, message=f"{message} ({why}); its log says more")


def unshared_peak_bytes() -> int:
    """Return this process's peak of memory without the part of shared pages that belongs to others."""
    return max(0, peak_memory_bytes() - shared_memory_bytes())


def redacted(worker: DaskWorker, number: int) -> DaskWorker:
    """Return what may be told of a worker whose host is not to be named."""
    return msgspec.structs.replace(worker, address=f"worker {number}", host=host_name(worker.host, redact=True))


def gather_workers(spec: Spec, folder: Path, end: Callable[[Failure], None]) -> Workers:
    """Return the workers that compute a case, ready.

    Parameters
    ----------
    spec
        The case, and the platform that says where the workers come from.
    folder
        Where workers on this node keep what they do not keep in memory, and jobs of workers their logs.
    end
        Told, from another thread, when a worker or the scheduler is gone.

    Raises
    ------
    Lacking
        The cluster is not there, has other versions, or not as many workers as the case asks.
    Unreachable, NoRoom, SubmitError
        The scheduler does not answer; the workers did not come in time; their jobs were refused.
    """
    import cloudpickle

    options = cluster_options(spec.platform)
    settings.settle(keep_encryption=bool(options.scheduler or options.scheduler_file))
    folder.mkdir(parents=True, exist_ok=True)
    found = source_of(options)(spec.case, options, folder.resolve(), spec.name, spec.wall_time_limit_s)
    for module in [one for name, one in sys.modules.items() if name.startswith(USER_MODULE)]:
        cloudpickle.register_pickle_by_value(module)  # a worker has no such file
    return Workers(found, spec, end, elsewhere=computes_elsewhere(options, spec.case))


def source_of(options: ClusterOptions) -> Source:
    """Return what brings the workers of a platform."""
    if options.scheduler or options.scheduler_file:
        return running
    if options.cluster == "slurm":
        from daasbench.measure.dask.slurm_workers import jobs

        return jobs
    if options.cluster == "mpi":
        from daasbench.measure.dask.mpi_workers import ranks

        return ranks
    return local
