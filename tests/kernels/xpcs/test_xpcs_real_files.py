"""Measured series: the arithmetic on a camera's counts, and dynamics that were measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daasbench.kernels.xpcs import kernel
from daasbench.kernels.xpcs.definition import Schedule, level_averages


def test_a_long_camera_series_is_correlated_as_scikit_beam_does(
    real_file: Any, needs: Any, compute: Any, verdict: Any
) -> None:
    needs("skbeam")
    path, options = real_file("xpcs/k11_diad_3201frames.h5"), kernel.options(rings=4, first=100, frames=1000)
    parameters = kernel.survey(path, options)
    assert (parameters["ny"], parameters["nx"], parameters["in_file"]) == (22, 26, 3201)
    problem = kernel.read(path, parameters, options, 3)
    assert len(problem.blocks) == 3
    for name in ("numpy", "numba"):
        for block in range(3):
            found = verdict(problem, compute(problem, name, block), name, block)
            assert found.ok, found
            assert found.verified_by == ("peer" if name == "numpy" else "oracle")


def test_all_of_it_with_the_first_and_the_last_frames_is_right_too(real_file: Any, compute: Any) -> None:
    path, options = real_file("xpcs/k11_diad_3201frames.h5"), kernel.options(rings=3)
    problem = kernel.read(path, kernel.survey(path, options), options, 1)
    assert problem.frames == 3201
    np.testing.assert_allclose(compute(problem, "numba"), compute(problem, "numpy"), atol=1e-6)


def test_measured_dynamics_that_age_come_out_as_the_mean_over_the_age(
    real_file: Any, problem_of: Any, compute: Any
) -> None:
    two_time = np.load(real_file("xpcs/two_time_350x350.npy"))
    frames, pixels = len(two_time), 6000
    values, vectors = np.linalg.eigh(two_time - 1)
    memory = vectors * np.sqrt(np.maximum(values, 0))  # the nearest that intensities can have
    covariance = memory @ memory.T
    chance = np.random.default_rng(4).standard_normal((frames, pixels))
    intensity = np.maximum(1 + 0.5 * memory @ chance, 0)  # a quarter of the contrast: hardly any below 0
    problem = problem_of(np.rint(20_000 * intensity).reshape(frames, 60, 100))
    g2 = compute(problem, "numba")[:, 0]
    schedule = Schedule.of(frames)
    one_time = np.array([np.diagonal(covariance, lag).mean() for lag in range(frames)])
    expected = 1 + 0.25 * level_averages(one_time, schedule)
    few = schedule.lags < 100
    assert expected[1] - expected[few][-1] == pytest.approx(0.25 * (one_time[1] - one_time[96]), abs=0.003)
    np.testing.assert_allclose(g2[few], expected[few], atol=0.003)
