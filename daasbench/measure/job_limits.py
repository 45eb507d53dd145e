"""The limits of this machine that the cases of a job are compared with: known ones, or measured before the cases.

The limits of a machine change slowly, and measuring them takes some seconds per number of threads. So a job uses
those that an earlier job of the same results folder measured, if nothing that can change them has changed.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import msgspec

from daasbench.host import machine
from daasbench.host.clock import utc_now
from daasbench.host.code_fingerprint import content_of, package_files
from daasbench.host.load_monitor import LoadMonitor
from daasbench.measure.messages import Command, Failure
from daasbench.measure.process import MeasuringProcess
from daasbench.measure.requirements import limits_do_not_apply
from daasbench.model import Job, Limits, Machine, Planned, digest
from daasbench.records.known_limits import chosen, is_reusable

LIMITS_TIMEOUT_S = 120.0
PROBES = ("daasbench/kernels/probes/", "daasbench/compute/", "daasbench/measure/limits.py")  # the code that measures
LIBRARIES = ("numpy", "numba", "llvmlite", "tbb", "mkl")  # whose versions can change a limit


def limits_of_job(
    job: Job, observed: Machine, log_file: IO[bytes], say: Callable[[str], None] = lambda _: None
) -> Iterator[Limits]:
    """Yield the limits of this machine for each number of threads of the job's cases: known, or measured now.

    A number of threads has none if the job may not measure limits and knows none.

    Parameters
    ----------
    say
        Receives what is being done, for the person who waits.
    """
    now = utc_now()
    reusable = [line for line in job.known_limits if is_reusable(line, job.limits, now)]
    if not (reusable or job.limits.measure):
        return
    cpus = machine.allowed_cpus(os.getpid())
    for threads in thread_counts(job):
        state = conditions(observed, cpus[:threads])
        known = chosen(reusable, threads, state)
        if known is not None:
            yield msgspec.structs.replace(known, machine=observed.id)
        elif job.limits.measure:
            whose = "this machine" if job.platform_name == "here" else f"the machine of {job.platform_name}"
            say(f"measuring the limits of {whose} ({threads} thread{'s' if threads > 1 else ''})")
            yield _measured(threads, cpus, observed, state, log_file)


def thread_counts(job: Job) -> list[int]:
    """Return the numbers of threads for which the machine's limits are needed: cases are compared with them."""
    compared = [planned for planned in job.planned if _is_compared_with_limits(planned, job)]
    counts = {planned.case.cores_per_node for planned in compared}
    return sorted(count for count in counts if count <= machine.usable_cores())


def conditions(observed: Machine, cpus: Sequence[int]) -> str:
    """Return a hash of everything known that can change the limits of a machine.

    These are its facts without GPUs and free memory, the processors in use, the libraries and the code that measures.
    Other commits of the suite with the same code for this have the same hash.
    """
    libraries = {name: version for name, version in observed.packages.items() if name in LIBRARIES}
    facts = msgspec.structs.replace(
        observed, id="", commit="", observed_at="", usable_memory_bytes=0, gpus=[], gpu=None, packages=libraries
    )
    return digest([facts, list(cpus), _content_of_probes()])


@functools.cache
def _content_of_probes() -> str:
    return content_of({name: text for name, text in package_files().items() if name.startswith(PROBES)})


def _is_compared_with_limits(planned: Planned, job: Job) -> bool:
    measures_no_science = planned.case.kernel == "probes" or planned.case.cache
    return not (measures_no_science or planned.skip or limits_do_not_apply(planned, job))


def _measured(threads: int, cpus: Sequence[int], observed: Machine, state: str, log_file: IO[bytes]) -> Limits:
    """Return the limits by the `probes` kernel, measured in a separate process."""
    now = utc_now()
    name = digest([observed.id, threads, now])
    prober = MeasuringProcess(threads, cpus[:threads], log_file)
    watch = LoadMonitor([prober.pid], cpus)
    try:
        command = Command(step="limits", repeats=threads, names=[name, observed.id, now])
        answer = prober.ask(command, Limits, timeout_s=LIMITS_TIMEOUT_S)
        foreign = round(watch.stop().foreign, 4)
    finally:
        prober.close()
    if isinstance(answer, Failure):
        failed = {"all": answer.message}
        answer = Limits(id=name, machine=observed.id, threads=threads, values={}, failed=failed, measured_at=now)
    return msgspec.structs.replace(answer, conditions=state, foreign=foreign)
