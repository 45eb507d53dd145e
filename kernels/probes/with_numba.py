"""The fastest known implementation: compiled loops over threads, and the BLAS library of numpy.

Results are in memory that the next call uses again: with new memory, the operating system would have to provide
pages, which takes longer than the computation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

from daasbench.authoring import MissingRequirement, Resources
from daasbench.compute.addresses import fence
from daasbench.compute.simd import aligned_zeros, compiled
from daasbench.compute.transforms import Plan, forward_sorted, make_plan

from .options import require_implementation
from .problem import POINTS, SCALE, SIGNALS, ProbesProblem
from .with_llvm import READ_STEP, STEP, fused_loop, sum_lines, triad_lines

_fused_float32, FUSED_FLOAT32_FLOP = fused_loop(types.float32)
_fused_float64, FUSED_FLOAT64_FLOP = fused_loop(types.float64)


def use_threads(threads: int) -> int:
    """Set the threads of compiled loops; raise MissingRequirement if this process was started with fewer."""
    most = numba.config.NUMBA_NUM_THREADS
    if threads > most:
        raise MissingRequirement(
            f"numba was started with {most} threads, but {threads} are requested",
            "set NUMBA_NUM_THREADS before Python starts",
        )
    numba.set_num_threads(threads)
    return threads


def prepare(problem: ProbesProblem, resources: Resources) -> Callable[[Any], Any]:
    """Return the probe's computation; its output array and plan are already made."""
    require_implementation(problem.probe, "numba")
    threads = use_threads(resources.threads)
    block = problem.blocks[0]
    if problem.probe == "triad":
        a = aligned_zeros(block["b"].shape, np.float64)

        def compute_triad(block: Any) -> Any:
            triad(a, block["b"], block["c"], SCALE, threads)
            return a

        return compute_triad
    if problem.probe == "read":
        return _prepare_read(threads)
    if problem.probe == "fft_float32":
        return _prepare_transform(block["signal"].shape[0], threads)
    product = np.empty((block["a"].shape[0], block["b"].shape[1]), block["a"].dtype)
    return lambda block: np.matmul(block["a"], block["b"], out=product)


def _prepare_read(threads: int) -> Callable[[Any], Any]:
    sums = aligned_zeros((threads, STEP), np.float64)

    def compute(block: Any) -> Any:
        read(block["b"], sums, threads)
        return sums[:, 0].sum(keepdims=True)

    return compute


def _prepare_transform(groups: int, threads: int) -> Callable[[Any], Any]:
    floats = 2 * SIGNALS * POINTS
    spectrum, scratch = aligned_zeros((groups, floats)), aligned_zeros((threads, floats))
    plan = make_plan(POINTS)

    def compute(block: Any) -> Any:
        transform(block["signal"].reshape(groups, floats), spectrum, scratch, plan, 1, threads)
        return spectrum.reshape(groups, POINTS, 2, SIGNALS)

    return compute


@compiled(parallel=True)
def triad(a: Any, b: Any, c: Any, scale: float, parts: int) -> None:
    """Write ``b + scale * c`` to `a`, which begins on a cache line, in `parts` equal parts."""
    lines = a.size // STEP
    for part in numba.prange(parts):
        triad_lines(a, b, c, scale, lines * part // parts * STEP, lines * (part + 1) // parts * STEP)
        fence()
    for index in range(lines * STEP, a.size):
        a[index] = b[index] + scale * c[index]


@compiled(parallel=True)
def read(b: Any, sums: Any, parts: int) -> None:
    """Add `b` in `parts` equal parts, each to its own row (one cache line) of `sums`, f64[parts, STEP]."""
    steps = b.size // READ_STEP
    for part in numba.prange(parts):
        sums[part, 0] = sum_lines(b, steps * part // parts * READ_STEP, steps * (part + 1) // parts * READ_STEP)
    for index in range(steps * READ_STEP, b.size):
        sums[0, 0] += b[index]


@compiled(parallel=True)
def transform(signal: Any, spectrum: Any, scratch: Any, plan: Plan, rounds: int, parts: int) -> None:
    """Transform every group, `rounds` times.

    `signal` and `spectrum` are f32[groups, 32 points], `scratch` is f32[parts, 32 points].
    """
    groups = signal.shape[0]
    for part in numba.prange(parts):
        for _ in range(rounds):
            for group in range(groups * part // parts, groups * (part + 1) // parts):
                forward_sorted(signal[group], spectrum[group], scratch[part], plan)


# --- used by the limits only: work that stays in a core's registers -------------------------------------------


@compiled(parallel=True)
def fused_float32(sums: Any, rounds: int, x: Any, y: Any, parts: int) -> None:
    """Multiply and add in registers: `FUSED_FLOAT32_FLOP` flop per round and part; `sums` f32[parts, 16]."""
    for part in numba.prange(parts):
        sums[part, 0] = _fused_float32(rounds, x, y)


@compiled(parallel=True)
def fused_float64(sums: Any, rounds: int, x: Any, y: Any, parts: int) -> None:
    """Multiply and add in registers: `FUSED_FLOAT64_FLOP` flop per round and part; `sums` f64[parts, 16]."""
    for part in numba.prange(parts):
        sums[part, 0] = _fused_float64(rounds, x, y)
