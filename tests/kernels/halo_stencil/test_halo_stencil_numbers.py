"""The stencil's numbers: laws, edges, and mutants that must be caught."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import msgspec
import numpy as np
import pytest
from daasbench.kernels.halo_stencil import kernel, with_numba
from daasbench.kernels.halo_stencil.box import Box
from daasbench.kernels.halo_stencil.problem import messages_bytes
from daasbench.kernels.halo_stencil.waves import Waves

from daasbench.testing.ranks import results_on_ranks


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 9, 16, 23, 40])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_compiled_rows_equal_the_reference_bit_for_bit(generated: Any, compute: Any, size: int, steps: int) -> None:
    problem = generated(size, steps)
    assert np.array_equal(compute(problem, "numba"), compute(problem, "numpy"))


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("cache", [None, 10**9])
def test_two_steps_at_once_equal_two_steps(
    generated: Any, compute: Any, monkeypatch: pytest.MonkeyPatch, cache: int | None, steps: int
) -> None:
    monkeypatch.setattr(with_numba, "last_level_cache_bytes", lambda: cache)
    problem = generated(21, steps)
    assert (with_numba._planes_between(Box(cells=(21, 21, 21)), 2) is None) == (cache is None)
    assert np.array_equal(compute(problem, "numba"), compute(problem, "numpy"))


@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_threads_gives_the_same_bits(generated: Any, compute: Any, threads: int) -> None:
    problem = generated(17, 3)
    assert np.array_equal(compute(problem, "numba", threads=threads), compute(problem, "numpy"))


@pytest.mark.parametrize("name", ["numpy", "numba", "scipy"])
def test_one_plane_wave_decays_by_its_factor(compute: Any, generated: Any, name: str) -> None:
    problem, periods = generated(20, 1), np.array([[1, 2, 0]])
    wave = Waves(size=20, mean=1.0, periods=periods, amplitudes=np.ones(1), phases=np.zeros(1))
    problem = dataclasses.replace(problem, blocks=[wave.field()], fields=[wave])
    factor = 1 - 2 * problem.diffusion * np.sum(1 - np.cos(2 * np.pi * periods / 20))
    assert np.abs(compute(problem, name) - (1 + factor * (wave.field() - 1))).max() < 1e-14


@pytest.mark.parametrize("name", ["numpy", "numba", "scipy"])
def test_nothing_is_lost_and_no_extreme_grows(generated: Any, compute: Any, name: str) -> None:
    problem = generated(18, 6)
    noise = np.random.default_rng(0).standard_normal((18, 18, 18))
    after = compute(dataclasses.replace(problem, blocks=[noise]), name)
    assert after.sum() == pytest.approx(noise.sum(), rel=1e-12)
    assert noise.min() < after.min() < after.max() < noise.max()


def test_a_shifted_field_has_a_shifted_later_state(generated: Any, compute: Any) -> None:
    problem = generated(16, 4)
    noise = np.random.default_rng(0).standard_normal((16, 16, 16))
    moved = np.roll(noise, (3, -5, 7), axis=(0, 1, 2))
    fixed, rolled = (compute(dataclasses.replace(problem, blocks=[field]), "numba").copy() for field in (noise, moved))
    assert np.abs(np.roll(fixed, (3, -5, 7), axis=(0, 1, 2)) - rolled).max() < 1e-14


def test_the_truth_does_not_come_from_the_reference(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated(24, 7, diffusion=0.1)
    found = verdict(problem, compute(problem, "numba"), "numba")
    assert found.ok
    assert found.error < 1e-14
    assert found.verified_by == "truth"


@pytest.mark.parametrize("mutant", ["sign", "one step less", "stale face", "one cell"])
def test_mutants_are_caught(generated: Any, compute: Any, verdict: Any, mutant: str) -> None:
    problem = generated(19, 5)
    if mutant == "sign":
        wrong = compute(dataclasses.replace(problem, diffusion=-problem.diffusion), "numpy")
    elif mutant == "one step less":
        wrong = compute(dataclasses.replace(problem, steps=4), "numpy")
    elif mutant == "stale face":
        wrong = _without_the_second_exchange(problem)
    else:
        wrong = compute(problem, "numpy")
        wrong[3, 4, 5] *= 1 + 1e-9
    assert not verdict(problem, wrong).ok


def _without_the_second_exchange(problem: Any) -> Any:
    """Return what a rank that owns the whole block gives if, in the second step, it reads the first step's z face."""
    size = problem.size
    box = Box(cells=(size, size, size))
    source, whole = box.laid(problem.blocks[0]), np.array([0, size, 0, size])
    first = source
    for step in range(problem.steps):
        target, around = box.empty(), box.around(source)
        if step == 1:
            around[0] = box.around(first)[0]
        with_numba.sweep(target, source, around, box.shape, whole, *problem.weights, 1, 4)
        source = target
    return box.view(source)


def test_the_harness_of_that_mutant_is_right_without_it(generated: Any, verdict: Any) -> None:
    assert verdict(generated(19, 1), _without_the_second_exchange(generated(19, 1))).ok


def test_a_result_of_another_shape_or_type_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated(8, 1)
    right = compute(problem, "numpy")
    assert ", not float64[8, 8, 8]" in verdict(problem, right[:-1]).message
    assert not verdict(problem, right.astype(np.float32)).ok


def test_an_unstable_step_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="diffusion"):
        msgspec.convert({"diffusion": 0.2}, kernel.options)


def test_messages_are_counted_for_the_axes_that_are_divided() -> None:
    assert messages_bytes(64, 10, (1, 1, 1)) == 0
    assert messages_bytes(64, 10, (2, 1, 1)) == 10 * 2 * 64 * 64 * 8
    assert messages_bytes(64, 10, (2, 2, 2)) == 10 * 6 * 32 * 32 * 8


@pytest.mark.slow  # eight interpreters; the four ranks of the contract divide two of the axes
def test_eight_ranks_divide_every_axis_and_give_the_same_bits(generated: Any, compute: Any, needs: Any) -> None:
    needs("mpi4py")
    problem = generated(11, 3, blocks=2)
    for ranks, results in results_on_ranks("halo_stencil", "mpi", problem, ranks=(2, 8)).items():
        for index, result in enumerate(results):
            assert np.array_equal(result, compute(problem, "numpy", block=index % 2)), ranks


def test_a_problem_travels_between_processes(generated: Any) -> None:
    problem = generated(8, 1)
    assert np.array_equal(pickle.loads(pickle.dumps(problem)).blocks[0], problem.blocks[0])
