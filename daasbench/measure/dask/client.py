"""The Dask client of one case and its workers, and the thread that supervises them.

Dask restarts dead workers and waits for the results that they held; a measurement must not. Instead, a thread
supervises the workers, and ends the measurement with a failure when a worker or the scheduler has ended.
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

POLL_S = 0.3  # between checks whether all workers are alive
USER_MODULE = "daasbench_user_"  # prefix of the names of modules that are users' files (daasbench.authoring.user_file)
DEATH_S = 3.0  # most time until a dead worker is noticed


class Workers(SingleProcess):
    """A Dask client and exactly the workers of its cluster."""

    def __init__(self, found: ConnectedWorkers, spec: Spec, end: Callable[[Failure], None], *, elsewhere: bool) -> None:
        super().__init__()
        self.client, self._found, self._end = found.client, found, end
        self._configure(spec, elsewhere=elsewhere)
        self._failure: Failure | None = None
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="worker watch")
        self._watcher.start()

    def resources(self, case: Case) -> Resources:
        """Return what the implementation may use, with the client."""
        return Resources(threads=case.threads, ranks=case.ranks, gpus=case.gpus, client=self.client)

    def cpu_s(self) -> float:
        """Return the processor seconds of client and workers."""
        return time.process_time() + float(sum(self.client.run(time.process_time).values()))

    def reset_peak(self) -> None:
        """Reset the peaks of memory."""
        reset_peak_memory()
        self.client.run(reset_peak_memory)

    def peak_bytes(self) -> int:
        """Return the sum of the peaks of client and workers; pages that they share count once."""
        return unshared_peak_bytes() + int(sum(self.client.run(unshared_peak_bytes).values()))

    def lost(self) -> str | None:
        """Return a message on the worker that has ended; waits until it is noticed, as an error may come before."""
        self._watcher.join(DEATH_S)
        return self._failure.message if self._failure else None

    def _configure(self, spec: Spec, *, elsewhere: bool) -> None:
        """Check and configure the workers; record them and their machines, redacted if requested."""
        found, case = self._found, spec.case
        worker_checks.compare_versions(self.client, found.name)
        worker_checks.compare_commits(self.client)
        if elsewhere:
            self.machines = worker_checks.machines(self.client, spec.commit, redact=spec.redact)
        self._seen, began = worker_checks.configure_workers(self.client, case, ours=found.ours)
        if began is not None and found.asked_at is not None:
            self.queued_s = max(0.0, began - found.asked_at)
        self.settings = {"cluster": found.kind, **settings.seen(self.client, self._seen[0].address)}
        self.workers = (
            [redacted(worker, number) for number, worker in enumerate(self._seen)] if spec.redact else self._seen
        )

    def _watch(self) -> None:
        while self._failure is None:
            time.sleep(POLL_S)
            self._failure = self._check()
        self._end(self._failure)

    def _check(self) -> Failure | None:
        """Return a failure if a worker or the scheduler has ended; None if all are alive."""
        try:
            present = self._found.present()
        except (OSError, TimeoutError) as error:
            message = f"the Dask scheduler {self._found.name} died or does not answer ({error or type(error).__name__})"
            return Failure(
                outcome=Outcome.FAILED,
                reason=Reason.SCHEDULER,
                message=f"{message}; run the same command again to measure the case",
            )
        gone = next((worker for worker in self._seen if worker.address not in present), None)
        if gone is None:
            return None
        message = f"Dask worker {gone.address}, one of {len(self._seen)}, ended in the middle of its work"
        reason, why = self._found.cause(gone)
        return Failure(outcome=Outcome.FAILED, reason=reason, message=f"{message} ({why}); see its log")


def unshared_peak_bytes() -> int:
    """Return this process's peak of memory without the part of shared pages that belongs to others."""
    return max(0, peak_memory_bytes() - shared_memory_bytes())


def redacted(worker: DaskWorker, number: int) -> DaskWorker:
    """Return a worker without the name of its host."""
    return msgspec.structs.replace(worker, address=f"worker {number}", host=host_name(worker.host, redact=True))


def gather_workers(spec: Spec, folder: Path, end: Callable[[Failure], None]) -> Workers:
    """Return the configured workers that compute a case.

    Parameters
    ----------
    spec
        The case, and the platform, whose options name the source of the workers.
    folder
        For the files of workers on this node, and the logs of workers' jobs.
    end
        Called, from another thread, when a worker or the scheduler has ended.

    Raises
    ------
    MissingRequirement
        There is no such cluster, or it has other versions, or another number of workers than the case requests.
    Unreachable, NoRoom, SubmitError
        The scheduler does not answer; the workers did not start in time; their jobs were refused.
    """
    import cloudpickle

    options = cluster_options(spec.platform)
    settings.apply_settings(keep_encryption=bool(options.scheduler or options.scheduler_file))
    folder.mkdir(parents=True, exist_ok=True)
    found = source_of(options)(spec.case, options, folder.resolve(), spec.name, spec.wall_time_limit_s)
    for module in [module for name, module in sys.modules.items() if name.startswith(USER_MODULE)]:
        cloudpickle.register_pickle_by_value(module)  # a worker has no such file
    return Workers(found, spec, end, elsewhere=computes_elsewhere(options, spec.case))


def source_of(options: ClusterOptions) -> Source:
    """Return the function that starts or finds the workers of a platform."""
    if options.scheduler or options.scheduler_file:
        return running
    if options.cluster == "slurm":
        from daasbench.measure.dask.slurm_workers import jobs

        return jobs
    if options.cluster == "mpi":
        from daasbench.measure.dask.mpi_workers import ranks

        return ranks
    return local
