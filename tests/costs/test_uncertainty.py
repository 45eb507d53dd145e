"""Draws follow their priors, are reproducible, and agree with closed forms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from daasbench.costs.carbon import GRID_G_PER_KWH, Energy, EnergyBasis, carbon_per_result, modelled_energy
from daasbench.costs.on_site import OnSiteCosts, node_hour
from daasbench.costs.uncertainty import (
    Prior,
    Shape,
    bootstrap,
    draw_all,
    probability_cheaper,
    quantiles,
    tornado,
)
from daasbench.errors import UsageError


def test_a_log_normal_prior_has_its_range_as_p5_and_p95() -> None:
    prior = Prior(value=0.16, low=0.16 / 1.6, high=0.16 * 1.6, shape=Shape.LOG_NORMAL)
    found = quantiles(prior.draw(np.random.default_rng(0), 200_000))
    assert (found.p5, found.p50, found.p95) == pytest.approx((0.1, 0.16, 0.256), rel=0.01)


def test_a_triangle_stays_within_its_range_and_peaks_at_its_value() -> None:
    draws = Prior(value=0.65, low=0.4, high=0.9).draw(np.random.default_rng(0), 50_000)
    assert draws.min() >= 0.4
    assert draws.max() <= 0.9
    assert draws.mean() == pytest.approx((0.4 + 0.65 + 0.9) / 3, abs=0.002)


def test_a_log_uniform_prior_has_equal_shares_per_decade() -> None:
    draws = Prior(value=0.004, low=3e-4, high=0.05, shape=Shape.LOG_UNIFORM).draw(np.random.default_rng(0), 50_000)
    below = (draws < np.sqrt(3e-4 * 0.05)).mean()
    assert below == pytest.approx(0.5, abs=0.01)


def test_a_new_input_does_not_change_the_draws_of_the_others() -> None:
    first = {"pue": Prior(value=1.35, low=1.1, high=1.6)}
    more = {"life": Prior(value=5, low=4, high=7)} | first
    assert (draw_all(first, 7)["pue"] == draw_all(more, 7)["pue"]).all()
    assert (draw_all(more, 7)["life"] != draw_all(more, 8)["life"]).any()


def test_the_median_of_a_monte_carlo_agrees_with_the_closed_form() -> None:
    """Cost is monotone in one uncertain input: the P50 of the cost is the cost at the P50 of the input."""
    prior = Prior(value=0.16, low=0.09, high=0.26, shape=Shape.LOG_NORMAL)
    draws = draw_all({"electricity": prior}, 1, 100_000)["electricity"]
    costs = np.asarray(node_hour(OnSiteCosts(node_price=280e3, busy_kw=10.2, electricity=draws), 0.65))
    exact = float(node_hour(OnSiteCosts(node_price=280e3, busy_kw=10.2, electricity=0.16), 0.65))
    assert quantiles(costs).p50 == pytest.approx(exact, rel=0.002)


def test_benchmark_noise_enters_as_resampled_processes() -> None:
    medians = [1.0, 1.1, 0.9, 1.05, 0.97]
    draws = bootstrap(medians, 3)
    logs = np.log(medians)
    assert np.log(draws).mean() == pytest.approx(logs.mean(), abs=0.002)
    assert np.log(draws).std() == pytest.approx(logs.std() / np.sqrt(5), rel=0.05)
    assert (bootstrap([2.0], 3) == 2.0).all()  # one process shows no spread; its level says so


def test_a_tie_counts_half() -> None:
    assert probability_cheaper(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])) == 0.5


def test_the_input_that_moves_the_answer_most_comes_first() -> None:
    priors = {
        "small": Prior(value=1.0, low=0.9, high=1.1),
        "large": Prior(value=1.0, low=0.5, high=1.5),
        "known": Prior(value=3.0),
    }

    def answer(at: Mapping[str, float]) -> float:
        return at["small"] * at["large"] * at["known"]

    bars = tornado(answer, priors)
    assert [bar.name for bar in bars] == ["large", "small"]
    assert bars[0].swing > bars[1].swing > 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"value": 2.0, "low": 0.0, "high": 1.0}, "not within its range"),
        ({"value": 0.5, "low": 0.1}, "needs both ends"),
        ({"value": 0.5, "low": 0.0, "high": 1.0, "shape": Shape.LOG_NORMAL}, "must be above 0"),
    ],
)
def test_a_prior_that_cannot_be_is_refused(wrong: dict[str, float], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Prior(**wrong)


def test_a_simulated_value_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match="1 of 2 simulated values are not numbers"):
        quantiles(np.array([1.0, np.nan]))


def test_carbon_has_use_and_embodied_parts_and_none_without_energy() -> None:
    energy = modelled_energy(hours=2, cpu_w=200, gpu_w=400, memory_gb=100, moved_gb=50, pue=1.35)
    assert energy.kwh == pytest.approx((1.2 + 2 * 100 * 0.000392 + 0.05) * 1.35)
    grams = carbon_per_result(energy, GRID_G_PER_KWH["FR"], 30.0, 10)
    assert grams == pytest.approx((energy.kwh * 56 + 30) / 10 if energy.kwh else 0)
    assert carbon_per_result(Energy(kwh=None, basis=EnergyBasis.NONE), 56.0, 30.0, 10) is None
    with pytest.raises(UsageError, match="1 or more"):
        modelled_energy(hours=1, cpu_w=1, pue=0.5)
