"""Sixteen numbers at once give what sixteen numbers one by one give."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daasbench.compute.simd import LANES, Threads, aligned_zeros, compiled, fma, load, splat, store

from .waiting import PATIENCE_S


@compiled()
def polynomial(numbers: Any, out: Any) -> None:
    for start in range(0, numbers.size, LANES):
        x = load(numbers, start)
        store(out, start, fma(x, x, splat(0.5)) * x - (x + splat(2)))


@compiled()
def sum_columns(numbers: Any, out: Any) -> None:
    total = splat(0.0)
    for start in range(0, numbers.size, LANES):
        total = fma(splat(1.0), load(numbers, start), total)
    store(out, 0, total)


def test_arithmetic_is_that_of_the_single_numbers() -> None:
    x = np.random.default_rng(1).normal(size=5 * LANES).astype(np.float32)
    out = np.empty_like(x)
    polynomial(x, out)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(out, (exact**2 + 0.5) * exact - (exact + 2), rtol=1e-6, atol=1e-6)


def test_a_loop_carries_a_vector() -> None:
    x = np.arange(7 * LANES, dtype=np.float32)
    out = np.empty(LANES, np.float32)
    sum_columns(x, out)
    np.testing.assert_array_equal(out, x.reshape(7, LANES).sum(axis=0))


def test_nothing_beside_the_sixteen_is_written_wherever_they_begin() -> None:
    @compiled(inline=True)
    def ones_at(out: Any, start: int) -> None:
        store(out, start, splat(1))

    for start in range(5):
        out = np.zeros(3 * LANES, np.float32)
        ones_at(out, start)
        assert out.nonzero()[0].tolist() == list(range(start, start + LANES))


def test_what_is_no_flat_float32_array_is_refused_when_compiled() -> None:
    import numba

    with pytest.raises(numba.TypingError):
        polynomial(np.zeros(LANES), np.zeros(LANES))
    with pytest.raises(numba.TypingError):
        sum_columns(np.zeros((2, LANES), np.float32), np.zeros(LANES, np.float32))


def test_zeros_begin_on_a_cache_line() -> None:
    for size in (1, 17, 1000):
        zeros = aligned_zeros((3, size))
        assert zeros.ctypes.data % 64 == 0
        assert zeros.shape == (3, size)
        assert zeros.flags.c_contiguous
        assert not zeros.any()


@pytest.mark.parametrize(("cpu", "features"), [("generic", ""), ("generic", "+avx,+avx2,+fma")])
def test_a_processor_without_wide_registers_computes_the_same(cpu: str, features: str, tmp_path: Path) -> None:
    code = """
import numpy as np
from daasbench.compute.simd import LANES, compiled, fma, load, splat, store
@compiled(inline=True)
def polynomial(numbers, out):
    for start in range(0, numbers.size, LANES):
        x = load(numbers, start)
        store(out, start, fma(x, x, splat(0.5)) * x)
x = np.arange(48, dtype=np.float32) / 8
out = np.empty_like(x)
polynomial(x, out)
assert (out == (x * x + np.float32(0.5)) * x).all()
assert "zmm" not in "".join(polynomial.inspect_asm().values())
"""
    settings = {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **settings}, check=True)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("tasks", [0, 1, 2, 7, 8, 100])
def test_threads_do_each_task_once(count: int, tasks: int) -> None:
    done = np.zeros(tasks, np.int64)

    def step(first: int, end: int, amount: int) -> None:
        done[first:end] += amount

    Threads(count)(step, tasks, 3)
    assert (done == 3).all()


def test_what_goes_wrong_in_another_thread_is_not_lost() -> None:
    def step(first: int, end: int) -> None:
        if first:
            raise ValueError(f"{end} is wrong")

    with pytest.raises(ValueError, match="10 is wrong"):
        Threads(2)(step, 10)


def test_threads_end_with_what_they_were_made_for() -> None:
    before = set(threading.enumerate())
    share = Threads(3)
    share(lambda first, end: None, 3)
    mine = set(threading.enumerate()) - before
    assert len(mine) == 2
    del share
    for one in mine:
        one.join(timeout=PATIENCE_S)
        assert not one.is_alive()
