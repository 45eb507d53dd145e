"""One comparison in one fresh set of processes: who has the word, for how long, and what is written down.

Each implementation is prepared in a process of its own. Then the processes are given the word in randomised
order, a turn at a time, so that drift hits all alike; those that wait are stopped (SIGSTOP), because spinning
thread pools would slow the one that runs. A turn in which others used more than 5 % of the usable processors
is repeated, twice at most; its samples are kept, marked as disturbed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import msgspec

from daasbench import machine, measure
from daasbench.backends import require
from daasbench.contender import Contender
from daasbench.errors import DaasbenchError, Lacking
from daasbench.maker import Maker, limit_s
from daasbench.measure import Failure, Spec
from daasbench.model import SCHEMA, Case, Job, Machine, Outcome, Planned, Reason, Record, Turn
from daasbench.turns import Round

MEMORY_SHARE = 0.8  # of the usable memory that contenders may be predicted to need together
RUNTIME_BYTES = 400e6  # interpreter, libraries and compiler of one contender


class Referee:
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

    def __init__(
        self,
        job: Job,
        observed: Machine,
        limits: dict[int, str],
        *,
        write: Callable[[Record | Turn], None],
        now: Callable[[], str],
        scratch: Path,
        log: IO[bytes],
    ) -> None:
        self.job, self.observed, self.limits = job, observed, limits
        self.write, self.now, self.log = write, now, log
        self.cpus = machine.allowed_cpus(os.getpid())[: machine.usable_cores()]
        self.chance = random.Random(job.order_seed)
        self.maker = Maker(scratch, self.cpus, log, limit_s(job.repeat.limit_s))

    def run_set(self, planned: Sequence[Planned]) -> None:
        """Measure the cases of one comparison in fresh processes; write one record for each."""
        able = []
        for one in planned:
            source = self.job.sources.get(one.case.kernel)
            lack = measure.guarded(partial(lack_of, one.case, source, gpus=len(self.observed.gpus)))
            if isinstance(lack, Failure):  # the plug-in's own code, asked what it needs
                self.write(self._record(one, self.now(), lack))
            elif lack:
                failure = Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=lack)
                self.write(self._record(one, self.now(), failure))
            else:
                able.append(one)
        if not able:
            return
        self._run_able(able)

    def _run_able(self, able: Sequence[Planned]) -> None:
        started_at = self.now()
        made = self.maker.make(able[0].case.problem_id, self.spec(able[0]))
        if isinstance(made, Failure):
            told = msgspec.structs.replace(made, message=f"no inputs: {made.message}")
            for one in able:
                self.write(self._record(one, started_at, told))
            return
        fitting: list[Planned] = []
        needs: dict[str, float] = {}
        usable = machine.usable_memory_bytes()
        for one in able:
            kernel = measure.find_kernel(one.case, self.job.sources.get(one.case.kernel))
            predicted = measure.predicted_bytes(kernel, one.case, made.work, self.observed.last_level_cache_bytes)
            needs[one.key] = predicted + RUNTIME_BYTES
            if needs[one.key] > usable:
                lack = _too_much(needs[one.key], usable, one.case)
                failure = Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=lack)
                self.write(self._record(one, started_at, failure))
            else:
                fitting.append(one)
        together = sum(needs[one.key] for one in fitting) <= MEMORY_SHARE * usable
        whole = [one for one in fitting if one.case.gpus or one.case.ranks > 1]
        groups = [[one] for one in fitting] if not together or whole else [list(fitting)]
        self.chance.shuffle(groups)
        order = "interleaved" if together and not whole else "blocks" if together else "serial"
        for group in groups:
            Round(self, group, made, order if len(fitting) > 1 else "alone").run()

    def close(self) -> None:
        """End the process that makes inputs, and remove what it made."""
        self.maker.close()

    def spec(self, one: Planned) -> Spec:
        """Return what a process is told about a case."""
        return Spec(
            case=one.case,
            scratch=str(self.maker.folder(one.case.problem_id)),
            paths=self.job.inputs.get(one.case.input_hash or "", {}),
            source=self.job.sources.get(one.case.kernel),
            cache_bytes=self.observed.last_level_cache_bytes,
        )

    def start(self, one: Planned) -> Contender:
        """Start the process of a contender, pinned to as many processors as it has threads."""
        needed = one.case.threads
        cpus = self.cpus[:needed]
        return Contender(one.case.threads, cpus, self.log)

    def _record(self, one: Planned, started_at: str, failure: Failure) -> Record:
        return Record(
            **self.identity(one, started_at),
            outcome=failure.outcome,
            reason=failure.reason,
            message=failure.message,
        )

    def _is_peer(self, case: Case) -> bool | None:
        try:
            kernel = measure.find_kernel(case, self.job.sources.get(case.kernel))
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
            "commit": self.job.commit,
            "machine": self.observed.id,
            "limits": self.limits.get(one.case.threads),
            "started_at": started_at,
            "schema": SCHEMA,
        }


def lack_of(case: Case, source: str | None, *, gpus: int) -> str | None:
    """Return what this machine lacks for a case, with the cure; None if it has everything."""
    cores = machine.usable_cores()
    if case.threads * case.ranks > cores:
        asked = f"{case.threads} threads" if case.ranks == 1 else f"{case.ranks} ranks of {case.threads} threads"
        return f'{asked} asked, {cores} cores usable here; write threads = "max" or use a larger machine'
    if case.gpus > max(gpus, 1):
        return f"{case.gpus} GPUs asked, {gpus} usable here; run on a machine that has them"
    try:
        kernel = measure.find_kernel(case, source)
        require(kernel.implementations[case.implementation])
        if case.size is None:
            return None  # a file's size is known when it is read
        work = kernel.work(kernel.sizes[case.size], measure.case_options(kernel, case, {}))
    except Lacking as lack:
        return str(lack)
    predicted = measure.predicted_bytes(kernel, case, work, machine.last_level_cache_bytes())
    usable = machine.usable_memory_bytes()
    if predicted and predicted + RUNTIME_BYTES > usable:
        return _too_much(predicted + RUNTIME_BYTES, usable, case)
    return None


def sets_of(job: Job) -> Iterator[list[Planned]]:
    """Yield the sets of a job in its order: the contenders of one comparison in one set of processes."""
    sets: dict[tuple[int, str], list[Planned]] = {}
    for one in job.planned:
        sets.setdefault((one.process, one.case.problem_id), []).append(one)
    yield from sets.values()


def _too_much(predicted: float, usable: float, case: Case) -> str:
    what = f"size {case.size!r}" if case.size else f"file {case.input}"
    return (
        f"{what} is predicted to need {predicted / 2**30:.1f} GiB of memory, {usable / 2**30:.1f} GiB are usable here;"
        " choose a smaller size or a larger machine"
    )
