"""One comparison in one fresh set of processes: what can be measured here, and in which groups.

Each implementation is prepared in a process of its own. The processes then measure in rounds, in random order, so
that a drift of the machine affects all alike; those that wait are stopped (SIGSTOP), because their spinning thread
pools would slow the one that measures. Ranks, Dask clusters and users of a GPU run as a block instead, before or
after the others in random order, while no other process waits. A round in which other processes used more than 5 %
of the usable processors is repeated, twice at most; its samples are kept and marked as disturbed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import msgspec

from daasbench.compute.backends import PARTITIONED
from daasbench.host import machine
from daasbench.measure.bench import Bench
from daasbench.measure.failures import guarded
from daasbench.measure.input_process import InputProcess, limit_s
from daasbench.measure.inputs import find_kernel, predicted_bytes
from daasbench.measure.messages import Failure, Made
from daasbench.measure.requirements import RUNTIME_BYTES, missing_memory, missing_requirement, runs_elsewhere
from daasbench.measure.rounds import Interleaving
from daasbench.measure.start_state import StartStates
from daasbench.model import Job, Machine, Outcome, Planned, Reason, Record, Round

MEMORY_SHARE = 0.8  # of the usable memory: most that interleaved processes may be predicted to need together


class ComparisonRunner:
    """Runs the comparisons of one job on this machine; the parameters are those of a :class:`Bench`."""

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
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        cpus = machine.allowed_cpus(os.getpid())[: machine.usable_cores()]
        self.bench = Bench(
            job=job,
            observed=observed,
            limits=limits,
            write=write,
            now=now,
            scratch=scratch,
            log=log,
            cpus=cpus,
            rng=random.Random(job.order_seed),
        )
        self.input_process = InputProcess(scratch, cpus, log, limit_s(job.repeat.limit_s))
        self._say = say
        self.start_states = StartStates(
            scratch / "starts", self.bench.start, self.bench.spec, self.input_process.dismiss
        )

    def run_set(self, planned_cases: Sequence[Planned]) -> None:
        """Measure the cases of one comparison in fresh processes; write one record per case."""
        measurable = [planned for planned in planned_cases if not self._skipped(planned)]
        if not measurable:
            return
        started_at = self.bench.now()
        first = measurable[0]
        self._say(f"making the inputs of {first.case.kernel}")
        try:
            if first.case.quick:
                self.input_process.start()
                self.bench.start_early(measurable)
            made = self.input_process.make(first.case.problem_id, self.bench.spec(first))
            if isinstance(made, Failure):
                failure = msgspec.structs.replace(made, message=f"no inputs: {made.message}")
                for planned in measurable:
                    self.bench.write_failure(planned, started_at, failure)
                return
            self._measure(measurable, made, started_at)
        finally:
            self.bench.end_early()

    def close(self) -> None:
        """End the process that makes inputs, and remove what it made."""
        self.input_process.close()

    def _skipped(self, planned: Planned) -> bool:
        """Return whether this machine cannot measure a case; if so, its record is written."""
        job = self.bench.job
        source, gpus = job.sources.get(planned.case.kernel), len(self.bench.observed.gpus)
        ask = partial(missing_requirement, planned.case, source, gpus=gpus, platform=job.platform)
        missing = planned.skip or guarded(ask)
        if not missing:
            return False
        failure = missing if isinstance(missing, Failure) else _lacks_capacity(missing)  # a plug-in may have raised
        self.bench.write_failure(planned, self.bench.now(), failure)
        return True

    def _measure(self, measurable: Sequence[Planned], made: Made, started_at: str) -> None:
        """Measure the cases that fit into memory, in groups of random order."""
        usable = machine.usable_memory_bytes()
        needed: dict[str, float] = {}
        for planned in measurable:
            predicted = self._predicted_bytes(planned, made)
            if predicted > usable and not self._runs_elsewhere(planned):
                failure = _lacks_capacity(missing_memory(predicted, usable, planned.case))
                self.bench.write_failure(planned, started_at, failure)
            else:
                needed[planned.key] = predicted
        fitting = [planned for planned in measurable if planned.key in needed]
        interleaved = [planned for planned in fitting if not self._runs_as_a_block(planned)]
        together = sum(needed[planned.key] for planned in interleaved) <= MEMORY_SHARE * usable
        groups = [[planned] for planned in fitting if not together or planned not in interleaved]
        if together and interleaved:
            groups.append(interleaved)
        self.bench.rng.shuffle(groups)
        for group in groups:
            if len(fitting) == 1:
                order = "alone"
            elif len(group) > 1:
                order = "interleaved"
            else:
                order = "blocks" if together else "serial"
            self._say(_measuring(group))
            Interleaving(self.bench, self.start_states, group, made, order).run()

    def _predicted_bytes(self, planned: Planned, made: Made) -> float:
        """Return the memory that the processes of a case are predicted to need, interpreters included."""
        case, job = planned.case, self.bench.job
        kernel = find_kernel(case, job.sources.get(case.kernel))
        predicted = predicted_bytes(kernel, case, made.work, self.bench.observed.last_level_cache_bytes)
        backend = self.bench.implementation(planned).backend
        interpreters = {"mpi": case.ranks, "dask": case.ranks + 1}.get(backend, 1)
        return predicted + RUNTIME_BYTES * interpreters

    def _runs_as_a_block(self, planned: Planned) -> bool:
        """Return whether its processes can neither be stopped nor run while others wait."""
        case = planned.case
        return bool(case.gpus or case.start) or self.bench.implementation(planned).backend in PARTITIONED

    def _runs_elsewhere(self, planned: Planned) -> bool:
        return runs_elsewhere(self.bench.implementation(planned), planned.case, self.bench.job.platform)


def _measuring(group: Sequence[Planned]) -> str:
    """Return what is being measured: ``"measuring numba, numpy: tomography, small, process 2"``."""
    names = ", ".join(sorted({planned.case.implementation for planned in group}))
    case = group[0].case
    inputs = case.size or (case.input or "").rpartition("/")[2]
    return f"measuring {names}: {case.kernel}, {inputs}, process {group[0].process + 1}"


def _lacks_capacity(message: str) -> Failure:
    return Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=message)
