"""The inputs that the processes of a comparison share: made or read, how many blocks, and how much memory."""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from daasbench import registry
from daasbench.authoring.growth import grown_parameters
from daasbench.compute.backends import PARTITIONED
from daasbench.contracts import Kernel, Options
from daasbench.errors import (
    LedgerError,
    MissingRequirement,
    PluginError,
    Unfinished,
)
from daasbench.host import machine
from daasbench.host.output_files import fix_of
from daasbench.measure.messages import Made, Spec
from daasbench.model import Case, Work
from daasbench.model.sizes import binary_size, size_of_unit

MOST_BLOCKS = 512  # of small inputs, which would need more to exceed the cache


class Inputs(NamedTuple):
    """What the maker of the inputs leaves in the scratch folder."""

    problem: Any  # its blocks are all different
    expectation: Any
    blocks: int  # that repeats rotate over; where the problem has fewer, they are repeated


def make_inputs(spec: Spec) -> Made:
    """Make or read the inputs of a comparison and what its oracle needs; write both to the scratch folder."""
    from daasbench.measure import scratch

    case, kernel = spec.case, find_kernel(spec.case, spec.source)
    options = case_options(kernel, case, spec.paths)
    file = Path(spec.paths["input"]) if "input" in spec.paths else None
    parameters = kernel.survey(file, options) if file else grown_parameters(kernel, case.size or "", case.grown)

    def make(blocks: int) -> Any:
        if file:
            return kernel.read(file, parameters, options, blocks)
        return kernel.make(parameters, options, case.seed or 0, blocks)

    started = time.perf_counter()
    problem, work, blocks = _problem(spec, kernel.work(parameters, options), make)
    work = msgspec.structs.replace(work, unit_size=work.unit_size or size_of_unit(parameters))
    make_s = time.perf_counter() - started
    if not len(problem.blocks):
        raise PluginError(f"kernel {kernel.name}: its problem has no blocks; it must have one at least")
    if file:
        _check_disk(spec, work, len(problem.blocks))
    started = time.perf_counter()
    expectation = kernel.expect(problem, options)
    expect_s = time.perf_counter() - started
    try:
        size = scratch.save(Path(spec.scratch), Inputs(problem, expectation, max(blocks, len(problem.blocks))))
        if case.start and not file:
            size += scratch.save(inputs_alone(spec), problem)
    except OSError as error:  # a failure of the disk, not of the kernel
        message = f"{spec.scratch}: the inputs cannot be written: {error.strerror or error}"
        raise LedgerError(f"{message}; {fix_of(error, '--results')} and run the same command again") from error
    _, exceeds = block_count(case, work.input_bytes, spec.cache_bytes)
    return Made(make_s=make_s, work=work, blocks=blocks, exceeds_cache=exceeds, expect_s=expect_s, bytes=size)


def _problem(spec: Spec, work: Work, make: Callable[[int], Any]) -> tuple[Any, Work, int]:
    """Return the problem, the work of a block, and how many blocks repeats rotate over."""
    blocks = _blocks_with_room(spec, work)
    problem = make(blocks)
    own_work = getattr(problem, "work", None)
    if not isinstance(own_work, Work):
        return problem, work, blocks
    made, blocks = blocks, _blocks_with_room(spec, own_work)  # a kernel that knows its inputs only when they are made
    return problem if blocks == made else make(blocks), own_work, blocks


def _blocks_with_room(spec: Spec, work: Work) -> int:
    """Return how many blocks repeats rotate over; raise MissingRequirement if there is no room for them.

    How many of the blocks of a file are different, and so lie on the disk, is not known before it is read.
    """
    blocks, _ = block_count(spec.case, work.input_bytes, spec.cache_bytes)
    _check_memory(work, blocks)
    if "input" not in spec.paths:
        _check_disk(spec, work, blocks)
    return blocks


def inputs_alone(spec: Spec) -> Path:
    """Return the folder of the inputs alone, without the oracle's data: what a measured start reads."""
    return Path(spec.scratch) / "inputs"


def with_blocks(problem: Any, blocks: Sequence[Any]) -> Any:
    """Return `problem` with other blocks, and everything that its blocks share as it is.

    A problem whose `blocks` cannot be set is returned itself.
    """
    changed = copy.copy(problem)
    try:
        object.__setattr__(changed, "blocks", blocks)  # problems are frozen
    except AttributeError:
        return problem
    return changed


def _check_memory(work: Work, blocks: int) -> None:
    """Raise MissingRequirement if the blocks do not fit into memory."""
    needed, usable = blocks * work.input_bytes + work.shared_bytes, machine.usable_memory_bytes()
    if needed > usable:
        message = f"the inputs take {binary_size(needed)} of memory, {binary_size(usable)} are usable"
        raise MissingRequirement(message, "choose a smaller size or a larger machine")


def _check_disk(spec: Spec, work: Work, blocks: int) -> None:
    """Raise MissingRequirement if the different blocks do not fit on the disk of the scratch folder."""
    existing = next(folder for folder in Path(spec.scratch).resolve().parents if folder.is_dir())
    needed, free = blocks * work.input_bytes + work.shared_bytes, shutil.disk_usage(existing).free
    if needed > free:
        message = f"the inputs take {binary_size(needed)} of disk, {binary_size(free)} are free in {existing}"
        raise MissingRequirement(message, "free some space, or choose another folder with --results")


def problem_folder(scratch: Path, problem: str) -> Path:
    """Return the folder of the inputs of a problem, below the scratch folder of its job."""
    return scratch / problem


def block_count(case: Case, input_bytes: float, cache_bytes: int | None) -> tuple[int, bool | None]:
    """Return how many input blocks the repeats rotate over, and whether they exceed the cache four times.

    Where the start of a process is measured there is one block: the process reads it and computes a first result.
    """
    if case.cache or case.start or case.size == "tiny" or not input_bytes or not cache_bytes:
        return 1, None if not (input_bytes and cache_bytes) else input_bytes >= 4 * cache_bytes
    needed = max(1, -int(-4 * cache_bytes // input_bytes))
    return min(needed, MOST_BLOCKS), needed <= MOST_BLOCKS


def predicted_bytes(kernel: Kernel, case: Case, work: Work, cache_bytes: int | None) -> float:
    """Return the memory that the processes of a case will need, by the kernel's byte count (0: unknown).

    Ranks and workers hold their parts of the blocks, and each holds the shared inputs. A result is gathered, so it
    exists twice. The client of a Dask cluster maps the inputs from the scratch files, as ranks do.
    """
    if not work.input_bytes:
        return 0.0
    blocks, _ = block_count(case, work.input_bytes, cache_bytes)
    implementation = kernel.implementations[case.implementation]
    kept = work.output_bytes if kernel.repeat_tolerance is not None else 0.0
    block_bytes = work.input_bytes + work.output_bytes
    computing = case.ranks if implementation.backend in PARTITIONED else 1
    gathered = 2.0 * work.output_bytes if implementation.backend in PARTITIONED else 0.0
    held = blocks * (work.input_bytes + kept) + computing * work.shared_bytes + gathered
    return held + (1.0 + implementation.memory_factor) * block_bytes


def find_kernel(case: Case, source: str | None) -> Kernel:
    """Return the kernel of a case: an installed one, or that of the user's file `source`."""
    if source is None:
        return registry.kernel(case.kernel)
    kernel = registry.kernel_from_file(Path(f"{source}:{case.kernel}"))
    if registry.version_of(kernel.implementations[case.implementation], Path(source)) != case.version:
        raise Unfinished(f"{source}: has changed since this run was planned; run the same command again")
    return kernel


def case_options(kernel: Kernel, case: Case, paths: dict[str, str]) -> Options:
    """Return the kernel's options of a case, including those that name files."""
    files = {key: path for key, path in paths.items() if key != "input"}
    return msgspec.convert({**case.options, **files}, kernel.options)
