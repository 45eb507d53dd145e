"""What this machine lacks for a case, and where a case really computes."""

from __future__ import annotations

from functools import cache

from daasbench.authoring.growth import grown_parameters
from daasbench.compute.backends import require
from daasbench.contracts import Implementation
from daasbench.errors import MissingRequirement
from daasbench.host import machine
from daasbench.host.launchers import require_launcher
from daasbench.measure.dask import cluster_options, computes_elsewhere
from daasbench.measure.failures import guarded
from daasbench.measure.inputs import case_options, find_kernel, predicted_bytes
from daasbench.model import Case, Job, Planned, Platform

HERE = Platform(runner="local")
RUNTIME_BYTES = 400e6  # interpreter, libraries and compiler of one contender


def missing_requirement(case: Case, source: str | None, *, gpus: int, platform: Platform = HERE) -> str | None:
    """Return what this machine lacks for a case, with the cure; None if it has everything."""
    options = platform.options
    wanted = case.gpus * -(-case.ranks // case.nodes)
    if wanted > max(gpus, 1):
        return f"{wanted} GPUs asked, {gpus} usable here; run on a machine that has them"
    try:
        kernel = find_kernel(case, source)
        implementation = kernel.implementations[case.implementation]
        elsewhere = runs_elsewhere(implementation, case, platform)
        if missing := _missing_workers(implementation, platform) or (None if elsewhere else _missing_cores(case)):
            return missing
        require(implementation)
        if implementation.backend == "mpi":
            require_launcher(options)
        if case.size is None:
            return None  # a file's size is known when it is read
        parameters = grown_parameters(kernel, case.size, case.grown)
        work = kernel.work(parameters, case_options(kernel, case, {}))
    except MissingRequirement as missing:
        return str(missing)
    predicted = predicted_bytes(kernel, case, work, _cache_bytes())
    usable = machine.usable_memory_bytes()
    if predicted and predicted + RUNTIME_BYTES > usable and not elsewhere:
        return _too_much(predicted + RUNTIME_BYTES, usable, case)
    return None


@cache
def _cache_bytes() -> int | None:
    """Return the machine's last-level caches, looked at once: many cores have many files about them."""
    return machine.last_level_cache_bytes()


def _missing_workers(implementation: Implementation, platform: Platform) -> str | None:
    if platform.runner != "dask" or implementation.backend == "dask":
        return None
    return (
        f'a platform with runner = "dask" runs only implementations for Dask, and {implementation.name} is not one;'
        " add a platform with another runner, such as here"
    )


def _missing_cores(case: Case) -> str | None:
    cores = machine.usable_cores()
    if case.nodes > 1:
        message = f"{case.nodes} nodes asked, one is here"
        return f"{message}; name what starts ranks on several in the platform's option launcher: srun -N {{nodes}}"
    if case.threads * case.ranks <= cores:
        return None
    asked = f"{case.threads} threads" if case.ranks == 1 else f"{case.ranks} ranks of {case.threads} threads"
    word = 'threads = "max"' if case.ranks <= cores else 'ranks = "max"'
    return f"{asked} asked, {cores} cores usable here; write {word} or use a larger machine"


def _implementation_of(one: Planned, job: Job) -> Implementation:
    kernel = find_kernel(one.case, job.sources.get(one.case.kernel))
    return kernel.implementations[one.case.implementation]


def counts_elsewhere(one: Planned, job: Job) -> bool:
    """Return whether the limits of this node say nothing of what computes a case: Dask workers that are not here."""
    implementation = guarded(lambda: _implementation_of(one, job))
    dask = isinstance(implementation, Implementation) and implementation.backend == "dask"
    return dask and runs_elsewhere(implementation, one.case, job.platform)


def runs_elsewhere(implementation: Implementation, case: Case, platform: Platform) -> bool:
    """Return whether this node's cores and memory say nothing of what the case may use."""
    if implementation.backend == "dask":
        return computes_elsewhere(cluster_options(platform), case)
    return implementation.backend == "mpi" and case.nodes > 1 and "launcher" in platform.options


def _too_much(predicted: float, usable: float, case: Case) -> str:
    what = f"size {case.size!r}" if case.size else f"file {case.input}"
    return (
        f"{what} is predicted to need {predicted / 2**30:.1f} GiB of memory, {usable / 2**30:.1f} GiB are usable here;"
        " choose a smaller size or a larger machine"
    )
