"""The limits of this machine, by which the throughput of every kernel is divided.

Each limit is the best of several repeats of the fastest known implementation, so that no kernel exceeds it:

===================  ==========================================================================================
``triad``            STREAM triad with stores past the cache: 24 bytes per element, nothing else is moved
``read``             sum of an array
``matmul_float32``   the better of BLAS and of fused multiply-adds in registers (what no product can exceed)
``matmul_float64``   the same
``fft_float32``      transforms of 64 points, sixteen side by side, in the first-level cache; 5 n log2 n
===================  ==========================================================================================

Reading alone can be faster than the triad: a kernel that writes little is bound by ``read``.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numba
import numpy as np

from daasbench.authoring import Limit, MissingRequirement
from daasbench.compute.simd import aligned_zeros
from daasbench.compute.transforms import make_plan
from daasbench.host.machine import last_level_cache_bytes, thread_times, threads_at_work, usable_memory_bytes

from . import with_numba
from .problem import SIGNALS, transform_flop
from .with_llvm import STEP

MIN_REPEATS = 5
_REPEAT_S = 0.01  # of a repeat of free length: much longer than the start of threads, shorter than disturbances
_UNDISTURBED = 0.97  # share of the processors' time in a repeat that counts as undisturbed
_POINTS = 64
_UNKNOWN_CACHE_BYTES = 64 * 2**20

_log = logging.getLogger(__name__)


def measure_limits(threads: int, *, seconds: float = 0.4) -> tuple[dict[str, Limit], dict[str, str]]:
    """Return the limits for `threads` threads, and, for each probe without a value, the reason.

    The process must have been started with ``NUMBA_NUM_THREADS`` of at least, and with
    ``OPENBLAS_NUM_THREADS`` of exactly `threads`.

    Parameters
    ----------
    seconds
        Time for each of the seven loops; each is repeated at least five times.
    """
    probes: Mapping[tuple[str, ...], Callable[[int, float], dict[str, Limit]]] = {
        ("triad", "read"): _memory,
        ("matmul_float32",): lambda threads, seconds: {"matmul_float32": _product(np.float32, threads, seconds)},
        ("matmul_float64",): lambda threads, seconds: {"matmul_float64": _product(np.float64, threads, seconds)},
        ("fft_float32",): _transform,
    }
    values: dict[str, Limit] = {}
    failed: dict[str, str] = {}
    before = numba.get_num_threads()
    try:
        for names, measure in probes.items():
            try:
                with_numba.use_threads(threads)
                values.update(measure(threads, seconds))
            except (MissingRequirement, MemoryError) as error:
                failed.update(dict.fromkeys(names, str(error) or "not enough memory"))
    finally:
        numba.set_num_threads(before)
    return values, failed


def _best(work: float, unit: str, run: Callable[[], Any], threads: int, seconds: float) -> Limit:
    """Return the best of the repeats of `run`, each doing `work`, after one warm-up.

    Repeats continue for `seconds`, and for up to twice as long until one repeat had `threads` processors for itself. If
    other processes made a limit too low, a kernel would seem to exceed it.
    """
    run()
    speeds: list[float] = []
    most = 0.0  # share of the processors' time
    started = time.perf_counter()
    while len(speeds) < MIN_REPEATS or _goes_on(time.perf_counter() - started, most, seconds):
        cpu, began = time.process_time(), time.perf_counter()
        run()
        elapsed_s = time.perf_counter() - began
        speeds.append(work / elapsed_s)
        most = max(most, (time.process_time() - cpu) / (threads * elapsed_s))
    if most < _UNDISTURBED:
        _log.warning(
            "a limit was measured while other processes were running: it got at most %.0f %% of its processors",
            100 * most,
        )
    return Limit(value=max(speeds), unit=unit, low=min(speeds), high=max(speeds), repeats=len(speeds))


def _goes_on(elapsed_s: float, most: float, seconds: float) -> bool:
    return elapsed_s < seconds or (most < _UNDISTURBED and elapsed_s < 2 * seconds)


def _rounds(run: Callable[[int], Any]) -> int:
    """Return how many rounds take about `_REPEAT_S` without disturbance; the first call compiles or loads."""
    run(1)
    rounds, shortest_s = 1, 0.0
    while shortest_s < _REPEAT_S / 10:
        rounds *= 8
        shortest_s = min(_seconds(run, rounds) for _ in range(3))
    return max(1, math.ceil(rounds * _REPEAT_S / shortest_s))


def _seconds(run: Callable[[int], Any], rounds: int) -> float:
    started = time.perf_counter()
    run(rounds)
    return time.perf_counter() - started


def _memory(threads: int, seconds: float) -> dict[str, Limit]:
    elements = _elements()
    a, b, c = (aligned_zeros((elements,), np.float64) for _ in range(3))
    for memory in (b, c):  # written first by the threads that will read it, so that its pages are in their local memory
        with_numba.triad(memory, a, a, 0.0, threads)
    sums = aligned_zeros((threads, STEP), np.float64)
    return {
        "triad": _best(24.0 * elements, "B/s", lambda: with_numba.triad(a, b, c, 3.0, threads), threads, seconds),
        "read": _best(8.0 * elements, "B/s", lambda: with_numba.read(b, sums, threads), threads, seconds),
    }


def _elements() -> int:
    """Return the elements of each of three arrays: four times the last-level cache each, as STREAM requires.

    If memory is short, the arrays take a quarter of the free memory. Raise MissingRequirement if an array would then
    be hardly larger than the cache.
    """
    cache = last_level_cache_bytes() or _UNKNOWN_CACHE_BYTES
    size = min(4 * cache, usable_memory_bytes() // 12)
    if size < cache:
        raise MissingRequirement("too little memory is free to measure outside the cache", f"free {12 * cache:,} bytes")
    return size // 8


def _product(kind: Any, threads: int, seconds: float) -> Limit:
    fused = _fused(kind, threads, seconds)
    blas = _blas(kind, threads, seconds)
    return fused if blas is None or fused.value >= blas.value else blas


def _fused(kind: Any, threads: int, seconds: float) -> Limit:
    double = kind is np.float64
    loop = with_numba.fused_float64 if double else with_numba.fused_float32
    flop = with_numba.FUSED_FLOAT64_FLOP if double else with_numba.FUSED_FLOAT32_FLOP
    sums, x, y = np.zeros((threads, 16), kind), kind(0.5), kind(0.25)
    rounds = _rounds(lambda rounds: loop(sums, rounds, x, y, threads))
    work = float(flop) * rounds * threads
    return _best(work, "flop/s", lambda: loop(sums, rounds, x, y, threads), threads, seconds)


def _blas(kind: Any, threads: int, seconds: float) -> Limit | None:
    """Return the limit by numpy's matrix product; None if it did not use `threads` threads."""
    side = min(8192, 512 * math.ceil(2 * math.sqrt(threads)))
    a, b, product = (np.full((side, side), 0.5, kind) for _ in range(3))
    before = thread_times(os.getpid())
    limit = _best(2.0 * side**3, "flop/s", lambda: np.matmul(a, b, out=product), threads, seconds / 2)
    used = threads_at_work(before, thread_times(os.getpid()))
    if before and used != threads:
        _log.warning("numpy's matrix product used %d threads, not %d: it is not used as a limit", used, threads)
        return None
    return limit


def _transform(threads: int, seconds: float) -> dict[str, Limit]:
    floats = 2 * SIGNALS * _POINTS
    # whole pages apart: otherwise loads may wait for stores to addresses with equal low bits, a third of the time
    signal, spectrum, scratch = aligned_zeros((3, threads, floats))
    signal[...] = np.random.default_rng(0).standard_normal(floats, dtype=np.float32)
    plan = make_plan(_POINTS)

    def run(rounds: int) -> None:
        with_numba.transform(signal, spectrum, scratch, plan, rounds, threads)

    rounds = _rounds(run)
    flop = transform_flop(_POINTS) * SIGNALS * rounds * threads
    return {"fft_float32": _best(flop, "flop/s", lambda: run(rounds), threads, seconds)}
