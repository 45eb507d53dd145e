"""Transforms of sixteen signals at once are those of numpy, in both directions and whatever else lies in the array."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daasbench.compute.simd import LANES, aligned_zeros, compiled
from daasbench.compute.transforms import Plan, forward, forward_sorted, inverse, make_plan

WAVE = 2 * LANES
LENGTHS = [2**bits for bits in range(2, 14)]
every_length = pytest.mark.parametrize("length", LENGTHS)


def random_waves(length: int, seed: int = 0) -> Any:
    rng = np.random.default_rng([length, seed])
    return rng.standard_normal((length, LANES)) + 1j * rng.standard_normal((length, LANES))


def as_signals(waves: Any) -> Any:
    signals = aligned_zeros((len(waves), 2, LANES))
    signals[:, 0], signals[:, 1] = waves.real, waves.imag
    return signals.reshape(-1)


def as_waves(signals: Any) -> Any:
    parts = signals.reshape(-1, 2, LANES).astype(np.float64)
    return parts[:, 0] + 1j * parts[:, 1]


def transformed(waves: Any) -> Any:
    """Return the transform in natural order, in place and reordered by the plan."""
    plan, signals = make_plan(len(waves)), as_signals(waves)
    forward(signals, 0, plan)
    return as_waves(signals)[plan.places]


def assert_close(found: Any, expected: Any) -> None:
    """Rounding errors are some float32 units of the whole, in norm, and nowhere much more than the others."""
    length = len(expected)
    epsilon = float(np.finfo(np.float32).eps)
    assert np.linalg.norm(found - expected) < epsilon * np.log2(length) * np.linalg.norm(expected)
    assert np.abs(found - expected).max() < 4 * epsilon * np.abs(expected).max()


@every_length
def test_the_transform_is_that_of_numpy(length: int) -> None:
    waves = random_waves(length)
    assert_close(transformed(waves), np.fft.fft(waves, axis=0))


@every_length
def test_the_inverse_is_that_of_numpy_times_the_length(length: int) -> None:
    spectra, plan = random_waves(length), make_plan(length)
    signals = as_signals(spectra[plan.frequencies])
    inverse(signals, 0, plan)
    assert_close(as_waves(signals), np.fft.ifft(spectra, axis=0) * length)


@every_length
def test_there_and_back_is_the_signal_times_the_length(length: int) -> None:
    waves, plan = random_waves(length), make_plan(length)
    signals = as_signals(waves)
    forward(signals, 0, plan)
    inverse(signals, 0, plan)
    assert_close(as_waves(signals) / length, waves)


@every_length
def test_the_sorted_transform_is_that_of_numpy_and_leaves_its_input(length: int) -> None:
    waves = random_waves(length)
    signals = as_signals(waves)
    before, spectra, work = signals.copy(), np.full_like(signals, np.nan), np.full_like(signals, np.nan)
    forward_sorted(signals, spectra, work, make_plan(length))
    assert_close(as_waves(spectra), np.fft.fft(waves, axis=0))
    np.testing.assert_array_equal(signals, before)


@every_length
def test_the_transform_of_a_sum_is_the_sum_of_the_transforms(length: int) -> None:
    one, other = random_waves(length), random_waves(length, seed=1)
    weighted = (2 - 1j) * one - 0.25j * other
    assert_close(transformed(weighted), (2 - 1j) * transformed(one) - 0.25j * transformed(other))


@every_length
def test_the_energy_of_a_spectrum_is_that_of_its_signal_times_the_length(length: int) -> None:
    waves = random_waves(length)
    energies = np.square(np.abs(transformed(waves))).sum(axis=0)
    np.testing.assert_allclose(energies, length * np.square(np.abs(waves)).sum(axis=0), rtol=3e-6)


@every_length
def test_each_signal_is_transformed_alone(length: int) -> None:
    frequencies = np.arange(LANES) % length
    waves = np.exp(2j * np.pi * np.outer(np.arange(length), frequencies) / length)
    expected = np.zeros((length, LANES))
    expected[frequencies, np.arange(LANES)] = length
    assert_close(transformed(waves), expected)


@every_length
def test_nothing_is_written_beside_the_signals_wherever_they_begin(length: int) -> None:
    waves, plan = random_waves(length), make_plan(length)
    for start in (0, 1, WAVE):
        memory = np.full(start + WAVE * (length + 1), 7, np.float32)
        memory[start : start + WAVE * length] = as_signals(waves)
        for step in (forward, inverse):
            step(memory, start, plan)
            assert (memory[:start] == 7).all()
            assert (memory[start + WAVE * length :] == 7).all()
        assert_close(as_waves(memory[start : start + WAVE * length]) / length, waves)


@every_length
def test_places_and_frequencies_are_each_others_inverse(length: int) -> None:
    plan = make_plan(length)
    np.testing.assert_array_equal(plan.places[plan.frequencies], np.arange(length))
    np.testing.assert_array_equal(plan.frequencies[plan.places], np.arange(length))


@every_length
def test_the_steps_of_a_plan_touch_every_place_as_often_as_there_are_passes(length: int) -> None:
    plan, touched = make_plan(length), np.zeros(length, np.int64)
    for radix, first, blocks, span, _ in plan.steps:
        touched[first : first + blocks * span * abs(radix)] += 1
    assert touched.min() == touched.max() <= np.ceil(np.log2(length) / 2)


@pytest.mark.parametrize("length", [-4, 0, 1, 2, 3, 6, 12, 100, 1023])
def test_a_length_that_is_no_power_of_two_from_four_on_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"the length of the signals is {length}; .* power of two, at least 4"):
        make_plan(length)


def test_compiled_code_calls_a_transform_with_its_plan() -> None:
    @compiled(inline=True)
    def both(signals: Any, groups: int, plan: Plan) -> None:
        for group in range(groups):
            forward(signals, group * plan.length * WAVE, plan)
            inverse(signals, group * plan.length * WAVE, plan)

    waves = random_waves(3 * 64)
    signals = as_signals(waves)
    both(signals, 3, make_plan(64))
    assert_close(as_waves(signals) / 64, waves)


def test_a_nan_stays_in_its_signal() -> None:
    waves = random_waves(64)
    waves[5, 3] = np.nan
    found = transformed(waves)
    assert np.isnan(found[:, 3]).all()
    assert_close(np.delete(found, 3, axis=1), np.fft.fft(np.delete(waves, 3, axis=1), axis=0))


@pytest.mark.parametrize(("cpu", "features"), [("generic", ""), ("generic", "+avx,+avx2,+fma")])
def test_a_processor_without_wide_registers_computes_the_same(cpu: str, features: str, tmp_path: Path) -> None:
    code = """
import numpy as np
from daasbench.compute.transforms import forward, forward_sorted, inverse, make_plan
plan, signals = make_plan(128), np.random.default_rng(0).standard_normal(128 * 32).astype(np.float32)
parts = signals.reshape(128, 2, 16)
expected = np.fft.fft(parts[:, 0] + 1j * parts[:, 1], axis=0)
spectra, work, there = np.empty_like(signals), np.empty_like(signals), signals.copy()
forward_sorted(signals, spectra, work, plan)
parts = spectra.reshape(128, 2, 16)
assert np.abs(parts[:, 0] + 1j * parts[:, 1] - expected).max() < 1e-6 * np.abs(expected).max()
forward(there, 0, plan)
inverse(there, 0, plan)
assert np.abs(there / 128 - signals).max() < 3e-6
assert not any("zmm" in text for one in (forward, inverse, forward_sorted) for text in one.inspect_asm().values())
"""
    settings = {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **settings}, check=True)


def test_compiled_code_is_kept_for_the_next_process(tmp_path: Path) -> None:
    code = """
import numpy as np
from daasbench.compute.transforms import forward, make_plan
forward(np.zeros(64 * 32, np.float32), 0, make_plan(64))
print(sum(forward.stats.cache_hits.values()), sum(forward.stats.cache_misses.values()))
"""
    settings = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    said = [subprocess.check_output([sys.executable, "-c", code], env=settings, text=True).split() for _ in range(2)]
    assert said == [["0", "1"], ["1", "0"]]
