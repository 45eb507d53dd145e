"""What a case requires that this machine does not have, and whether the case computes on other nodes."""

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
from daasbench.model.sizes import binary_size

THIS_MACHINE = Platform(runner="local")
RUNTIME_BYTES = 400e6  # interpreter, libraries and compiler of one measuring process


def missing_requirement(case: Case, source: str | None, *, gpus: int, platform: Platform = THIS_MACHINE) -> str | None:
    """Return what a case requires that this machine does not have, with the fix; None if it has everything."""
    options = platform.options
    wanted = case.gpus * -(-case.ranks // case.nodes)
    if wanted > max(gpus, 1):
        return f"{wanted} GPUs requested, {gpus} usable on this machine; use a machine that has them"
    try:
        kernel = find_kernel(case, source)
        implementation = kernel.implementations[case.implementation]
        elsewhere = runs_elsewhere(implementation, case, platform)
        if missing := _missing_workers(implementation, platform) or (
            None if elsewhere else _missing_cores(case, platform)
        ):
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
        return missing_memory(predicted + RUNTIME_BYTES, usable, case)
    return None


@cache
def _cache_bytes() -> int | None:
    """Return the size of the machine's last-level caches; read once, because many cores have many files on them."""
    return machine.last_level_cache_bytes()


def _missing_workers(implementation: Implementation, platform: Platform) -> str | None:
    if platform.runner != "dask" or implementation.backend == "dask":
        return None
    return (
        f'a platform with runner = "dask" runs only implementations for Dask, and {implementation.name} is not one;'
        " add a platform with another runner, such as here"
    )


def _missing_cores(case: Case, platform: Platform) -> str | None:
    """Return the sentence on cores that this node does not have; the fix depends on who asked for so many."""
    cores = machine.usable_cores()
    if case.nodes > 1:
        fix = "name a launcher that starts ranks on several nodes in the platform's option launcher: srun -N {nodes}"
        return f"{case.nodes} nodes requested, this is one node; {fix}"
    if case.threads * case.ranks <= cores:
        return None
    requested = f"{case.threads} threads" if case.ranks == 1 else f"{case.ranks} ranks of {case.threads} threads"
    declared = platform.cores_per_node
    if declared and declared > cores:  # "max" was read from the declaration
        fix = f"correct the platform file, which declares cores_per_node = {declared}: cores_per_node = {cores}"
    else:
        fix = f'write {"threads" if case.ranks <= cores else "ranks"} = "max", or use a larger machine'
    return f"{requested} requested, {cores} cores usable on this machine; {fix}"


def implementation_of(planned: Planned, job: Job) -> Implementation:
    """Return the implementation that a planned case of a job measures."""
    kernel = find_kernel(planned.case, job.sources.get(planned.case.kernel))
    return kernel.implementations[planned.case.implementation]


def limits_do_not_apply(planned: Planned, job: Job) -> bool:
    """Return whether the limits of this node do not apply to a case: Dask workers on other nodes compute it."""
    implementation = guarded(lambda: implementation_of(planned, job))
    dask = isinstance(implementation, Implementation) and implementation.backend == "dask"
    return dask and runs_elsewhere(implementation, planned.case, job.platform)


def runs_elsewhere(implementation: Implementation, case: Case, platform: Platform) -> bool:
    """Return whether a case computes on other nodes, so that this node's cores and memory do not limit it."""
    if implementation.backend == "dask":
        return computes_elsewhere(cluster_options(platform), case)
    return implementation.backend == "mpi" and case.nodes > 1 and "launcher" in platform.options


def missing_memory(predicted: float, usable: float, case: Case) -> str:
    """Return the message on a case that needs `predicted` bytes where `usable` are available."""
    what = f"size {case.size!r}" if case.size else f"file {case.input}"
    return (
        f"{what} is predicted to need {binary_size(predicted)} of memory, {binary_size(usable)} are usable on"
        " this machine; choose a smaller size or a larger machine"
    )
