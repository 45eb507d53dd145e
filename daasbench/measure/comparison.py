"""One comparison in one fresh set of processes: who has the word, for how long, and what is written down.

Each implementation is prepared in a process of its own. Then the processes are given the word in randomised
order, a turn at a time, so that drift hits all alike; those that wait are stopped (SIGSTOP), because spinning
thread pools would slow the one that runs. Ranks, Dask clusters and users of a GPU run as whole blocks instead,
before or after the others in random order, and nobody waits beside them. A turn in which others used more than
5 % of the usable processors is repeated, twice at most; its samples are kept, marked as disturbed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import msgspec

from daasbench.compute.backends import PARTITIONED
from daasbench.contracts import Implementation
from daasbench.errors import DaasbenchError
from daasbench.host import machine
from daasbench.host.launchers import cores_of
from daasbench.measure.dask import most_wait_s
from daasbench.measure.failures import guarded
from daasbench.measure.input_process import InputProcess, limit_s
from daasbench.measure.inputs import find_kernel, predicted_bytes
from daasbench.measure.messages import Failure, Spec
from daasbench.measure.mpi_process import MpiMeasuringProcess
from daasbench.measure.process import MeasuringProcess
from daasbench.measure.requirements import (
    RUNTIME_BYTES,
    _implementation_of,
    _too_much,
    counts_elsewhere,
    missing_requirement,
    runs_elsewhere,
)
from daasbench.measure.rounds import Interleaving
from daasbench.measure.start_state import StartStates
from daasbench.model import SCHEMA, Case, Job, Machine, Outcome, Planned, Reason, Record, Round

MEMORY_SHARE = 0.8  # of the usable memory that contenders may be predicted to need together
DEVICES = "CUDA_VISIBLE_DEVICES"


class ComparisonRunner:
    """Runs the sets of one job on this machine.

    Parameters
    ----------
    job, observed
        The job, and the machine as it was observed.
    limits
        By number of threads, the id of the line with the machine's limits.
    write
        Appends a line to the ledger.
    now
        The clock: UTC, ISO 8601.
    """

    def __init__(  # noqa: PLR0913  (its surroundings, each by its name)
        self,
        job: Job,
        observed: Machine,
        limits: dict[int, str],
        *,
        write: Callable[[Record | Round | Machine], None],
        now: Callable[[], str],
        scratch: Path,
        log: IO[bytes],
    ) -> None:
        self.job, self.observed, self.limits = job, observed, limits
        self.write, self.now, self.log = write, now, log
        self.cpus = machine.allowed_cpus(os.getpid())[: machine.usable_cores()]
        self.rng = random.Random(job.order_seed)
        self.input_process = InputProcess(scratch, self.cpus, log, limit_s(job.repeat.limit_s))
        self.starts = StartStates(scratch / "starts", self.start, self.spec, self.input_process.dismiss)

    def run_set(self, planned: Sequence[Planned]) -> None:
        """Measure the cases of one comparison in fresh processes; write one record for each."""
        able = []
        gpus, platform = len(self.observed.gpus), self.job.platform
        for one in planned:
            source = self.job.sources.get(one.case.kernel)
            missing = one.skip or guarded(partial(missing_requirement, one.case, source, gpus=gpus, platform=platform))
            if isinstance(missing, Failure):  # the plug-in's own code, asked what it needs
                self.write(self._record(one, self.now(), missing))
            elif missing:
                failure = Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=missing)
                self.write(self._record(one, self.now(), failure))
            else:
                able.append(one)
        if not able:
            return
        self._run_able(able)

    def _run_able(self, able: Sequence[Planned]) -> None:
        started_at = self.now()
        made = self.input_process.make(able[0].case.problem_id, self.spec(able[0]))
        if isinstance(made, Failure):
            message = msgspec.structs.replace(made, message=f"no inputs: {made.message}")
            for one in able:
                self.write(self._record(one, started_at, message))
            return
        fitting: list[Planned] = []
        needs: dict[str, float] = {}
        usable = machine.usable_memory_bytes()
        for one in able:
            kernel = find_kernel(one.case, self.job.sources.get(one.case.kernel))
            predicted = predicted_bytes(kernel, one.case, made.work, self.observed.last_level_cache_bytes)
            needs[one.key] = predicted + RUNTIME_BYTES * self._runtimes(one)
            if needs[one.key] > usable and not self._elsewhere(one):
                missing = _too_much(needs[one.key], usable, one.case)
                failure = Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=missing)
                self.write(self._record(one, started_at, failure))
            else:
                fitting.append(one)
        whole = [one for one in fitting if self._runs_whole(one)]
        interleaved = [one for one in fitting if one not in whole]
        together = sum(needs[one.key] for one in interleaved) <= MEMORY_SHARE * usable
        groups = [[one] for one in (whole if together else fitting)]
        if together and interleaved:
            groups.append(interleaved)
        self.rng.shuffle(groups)
        for group in groups:
            if len(fitting) == 1:
                order = "alone"
            elif len(group) > 1:
                order = "interleaved"
            else:
                order = "blocks" if together else "serial"
            Interleaving(self, group, made, order).run()

    def _implementation(self, one: Planned) -> Implementation:
        return _implementation_of(one, self.job)

    def _runs_whole(self, one: Planned) -> bool:
        """Return whether its processes can neither be stopped nor wait beside others."""
        return bool(one.case.gpus or one.case.start) or self._implementation(one).backend in PARTITIONED

    def _runtimes(self, one: Planned) -> int:
        """Return how many interpreters with their libraries it needs."""
        return {"mpi": one.case.ranks, "dask": one.case.ranks + 1}.get(self._implementation(one).backend, 1)

    def _elsewhere(self, one: Planned) -> bool:
        return runs_elsewhere(self._implementation(one), one.case, self.job.platform)

    def close(self) -> None:
        """End the process that makes inputs, and remove what it made."""
        self.input_process.close()

    def spec(self, one: Planned) -> Spec:
        """Return what a process is told about a case."""
        return Spec(
            case=one.case,
            scratch=str(self.input_process.folder(one.case.problem_id)),
            paths=self.job.inputs.get(one.case.input_hash or "", {}),
            source=self.job.sources.get(one.case.kernel),
            cache_bytes=self.observed.last_level_cache_bytes,
            platform=self.job.platform,
            name=f"daasbench-dask-{self.job.run}-",
            wall_time_limit_s=self.job.repeat.hard_limit_s,
            commit=self.job.commit,
            redact=self.job.redact,
        )

    def wait_s(self, one: Planned) -> float:
        """Return how long its workers may take to come; that is not part of its limit."""
        return most_wait_s(self.job.platform) if self._implementation(one).backend == "dask" else 0.0

    def start(self, one: Planned, more: Mapping[str, str] | None = None) -> MeasuringProcess | MpiMeasuringProcess:
        """Start the processes of a contender, pinned to as many processors as it has threads; `more` variables.

        Raises
        ------
        Lacking
            What starts its ranks is not here.
        """
        case = one.case
        cpus = self.cpus[: case.threads * case.ranks]
        temporary = self.input_process.scratch / "tmp"  # what a process that is killed leaves there goes with the job
        temporary.mkdir(parents=True, exist_ok=True)
        known = [str(gpu["index"]) for gpu in self.observed.gpus if case.nodes == 1]  # not those of other nodes
        devices = visible_devices(case.gpus * case.ranks, known)  # each rank takes its own
        variables = {**devices, "TMPDIR": str(temporary), **(more or {})}
        if self._implementation(one).backend == "mpi":
            return MpiMeasuringProcess(
                case, self.job.platform.options, cpus, self.log, self.input_process.scratch, variables
            )
        return MeasuringProcess(case.threads, cpus, self.log, variables)

    def _record(self, one: Planned, started_at: str, failure: Failure) -> Record:
        return Record(
            **self.identity(one, started_at),
            outcome=failure.outcome,
            reason=failure.reason,
            message=failure.message,
        )

    def _is_peer(self, case: Case) -> bool | None:
        try:
            kernel = find_kernel(case, self.job.sources.get(case.kernel))
            return kernel.implementations[case.implementation].peer
        except (DaasbenchError, KeyError):
            return None

    def identity(self, one: Planned, started_at: str) -> dict[str, Any]:
        """Return the fields of a record that do not depend on how the attempt ended."""
        return {
            "key": one.key,
            "run": self.job.run,
            "job": self.job.id,
            "platform": self.job.platform_name,
            "process": one.process,
            "attempt": one.attempt,
            "case": one.case,
            "peer": self._is_peer(one.case),
            "interleaved_with": self.job.interleaved_with,
            "commit": self.job.commit,
            "machine": self.observed.id,
            "limits": None if counts_elsewhere(one, self.job) else self.limits.get(cores_of(one.case)),
            "started_at": started_at,
            "schema": SCHEMA,
        }


def visible_devices(wanted: int, known: Sequence[str]) -> dict[str, str]:
    """Return the variable that leaves a contender the first `wanted` of the GPUs; empty where there is none.

    What the variable says already counts, so that a scheduler's choice is kept.
    """
    if not known:
        return {}
    left = os.environ.get(DEVICES)
    devices = known if left is None else [one for one in left.split(",") if one]
    return {DEVICES: ",".join(devices[:wanted])}
