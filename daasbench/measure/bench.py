"""What all measurements of one job use on this node: processors, clock, ledger, and how a process is started."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from daasbench.compute.backends import PARTITIONED
from daasbench.contracts import Implementation
from daasbench.errors import DaasbenchError
from daasbench.host.machine import DEVICES
from daasbench.measure.dask import most_wait_s
from daasbench.measure.inputs import find_kernel, problem_folder
from daasbench.measure.messages import Failure, Spec
from daasbench.measure.mpi_process import MpiMeasuringProcess
from daasbench.measure.process import MeasuringProcess
from daasbench.measure.requirements import implementation_of, limits_do_not_apply
from daasbench.model import SCHEMA, Case, Job, Machine, Planned, Record, Round


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The job, the machine that measures it, and the means to measure.

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
    scratch
        The folder for the inputs of all problems; it is removed when the job ends.
    log
        Receives what the measuring processes print.
    cpus
        The processors that the job may use.
    rng
        Draws every random order of the job.
    early
        By key of the measurement: processes of quick looks that have been started and wait for their case.
    """

    job: Job
    observed: Machine
    limits: Mapping[int, str]
    write: Callable[[Record | Round | Machine], None]
    now: Callable[[], str]
    scratch: Path
    log: IO[bytes]
    cpus: Sequence[int]
    rng: random.Random
    early: dict[str, MeasuringProcess | MpiMeasuringProcess] = field(default_factory=dict)

    def implementation(self, planned: Planned) -> Implementation:
        """Return the implementation that a planned case measures."""
        return implementation_of(planned, self.job)

    def spec(self, planned: Planned) -> Spec:
        """Return the description of a case that its processes receive."""
        job, case = self.job, planned.case
        return Spec(
            case=case,
            scratch=str(problem_folder(self.scratch, case.problem_id)),
            paths=job.inputs.get(case.input_hash or "", {}),
            source=job.sources.get(case.kernel),
            cache_bytes=self.observed.last_level_cache_bytes,
            platform=job.platform,
            name=f"daasbench-dask-{job.run}-",
            wall_time_limit_s=job.repeat.hard_limit_s,
            commit=job.commit,
            redact=job.redact,
        )

    def start_early(self, planned_cases: Sequence[Planned]) -> None:
        """Start the processes of quick looks, so that their interpreters start while the inputs are made."""
        for planned in planned_cases:
            case = planned.case
            if case.quick and not case.start and self.implementation(planned).backend not in PARTITIONED:
                self.early[planned.key] = self._start(planned, {})

    def end_early(self) -> None:
        """End the processes that were started early and have got no case."""
        while self.early:
            self.early.popitem()[1].close()

    def start(
        self, planned: Planned, variables: Mapping[str, str] | None = None
    ) -> MeasuringProcess | MpiMeasuringProcess:
        """Start the processes of a case, pinned to as many processors as it has threads, with more `variables`.

        Raises
        ------
        MissingRequirement
            This machine does not have the launcher of the ranks.
        """
        early = self.early.pop(planned.key, None)
        if early is None:
            return self._start(planned, variables or {})
        early.started = None  # it has waited since then, so the start of its interpreter has no duration
        return early

    def _start(self, planned: Planned, variables: Mapping[str, str]) -> MeasuringProcess | MpiMeasuringProcess:
        case = planned.case
        cpus = self.cpus[: case.threads * case.ranks]
        temporary = self.scratch / "tmp"  # files that a killed process leaves there are removed with the job's scratch
        temporary.mkdir(parents=True, exist_ok=True)
        known = [str(gpu["index"]) for gpu in self.observed.gpus if case.nodes == 1]  # not those of other nodes
        devices = visible_devices(case.gpus * case.ranks, known)  # each rank selects its own
        variables = {**devices, "TMPDIR": str(temporary), **variables}
        if self.implementation(planned).backend == "mpi":
            return MpiMeasuringProcess(case, self.job.platform.options, cpus, self.log, self.scratch, variables)
        return MeasuringProcess(case.threads, cpus, self.log, variables)

    def wait_s(self, planned: Planned) -> float:
        """Return how long its Dask workers may take to start; that time does not count toward its limit."""
        return most_wait_s(self.job.platform) if self.implementation(planned).backend == "dask" else 0.0

    def identity(self, planned: Planned, started_at: str) -> dict[str, Any]:
        """Return the fields of a record that do not depend on how the attempt ended."""
        case, job = planned.case, self.job
        return {
            "key": planned.key,
            "run": job.run,
            "job": job.id,
            "platform": job.platform_name,
            "process": planned.process,
            "attempt": planned.attempt,
            "case": case,
            "peer": self._is_peer(case),
            "interleaved_with": job.interleaved_with,
            "commit": job.commit,
            "machine": self.observed.id,
            "limits": None if limits_do_not_apply(planned, job) else self.limits.get(case.cores_per_node),
            "started_at": started_at,
            "schema": SCHEMA,
        }

    def write_failure(self, planned: Planned, started_at: str, failure: Failure) -> None:
        """Write the record of a case that was not measured."""
        identity = self.identity(planned, started_at)
        self.write(Record(**identity, outcome=failure.outcome, reason=failure.reason, message=failure.message))

    def _is_peer(self, case: Case) -> bool | None:
        try:
            kernel = find_kernel(case, self.job.sources.get(case.kernel))
            return kernel.implementations[case.implementation].peer
        except (DaasbenchError, KeyError):
            return None


def visible_devices(wanted: int, known: Sequence[str]) -> dict[str, str]:
    """Return the variable that makes the first `wanted` GPUs visible to a process; empty on a machine without GPUs.

    A variable that is set already is respected: the GPUs are taken from those that a scheduler chose.
    """
    if not known:
        return {}
    chosen = os.environ.get(DEVICES)
    devices = known if chosen is None else [device for device in chosen.split(",") if device]
    return {DEVICES: ",".join(devices[:wanted])}
