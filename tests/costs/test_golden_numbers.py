"""The golden numbers of the cost model, each from a published source or recomputed independently."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal

import numpy as np
import pytest

from daasbench.costs.break_even import break_even_utilisation, nodes_to_own
from daasbench.costs.cloud import (
    AWS_EGRESS,
    BillTerms,
    EgressPrices,
    EgressTier,
    InstanceTime,
    bill,
    commitment_covers,
    egress_charge,
    instance_charge,
    research_waiver,
)
from daasbench.costs.credits import Allocation, eosc
from daasbench.costs.exit_cost import Move, exit_cost
from daasbench.costs.money import ExchangeRate, Money, total
from daasbench.costs.on_site import (
    OnSiteCosts,
    annual_cost,
    available_hours,
    capital_recovery_factor,
    marginal_node_hour,
    node_hour,
)
from daasbench.costs.shared_facility import mean_wait, pooled_load, probability_of_waiting
from daasbench.costs.spot import SpotWork, best_interval_h, expected_hours, hazard_from_bucket, simulated_hours
from daasbench.errors import UsageError

# A (1 - d) = 0.95, as in the worked example
NODES = {
    "8xH100": OnSiteCosts(node_price=280e3, busy_kw=10.2, staff_fte=0.15, availability=0.95, drained=0.0),
    "4xL40S": OnSiteCosts(node_price=55e3, busy_kw=2.4, staff_fte=0.075, availability=0.95, drained=0.0),
    "2xEPYC": OnSiteCosts(node_price=18e3, busy_kw=0.9, staff_fte=0.02, availability=0.95, drained=0.0),
}


def usd(text: str) -> Money:
    return Money(Decimal(text), "USD")


@pytest.mark.parametrize(
    ("node", "at_65", "at_50", "at_85"),
    [
        ("8xH100", 21.2803, 27.2348, 16.6102),
        ("4xL40S", 5.0419, 6.4534, 3.9348),
        ("2xEPYC", 1.6045, 2.0480, 1.2567),
    ],
)
def test_a_node_hour_costs_what_the_worked_example_says(node: str, at_65: float, at_50: float, at_85: float) -> None:
    found = [float(node_hour(NODES[node], utilisation)) for utilisation in (0.65, 0.5, 0.85)]
    assert [round(one, 4) for one in found] == [at_65, at_50, at_85]


@pytest.mark.parametrize(
    ("node", "usd_h", "share"),
    [("8xH100", 58.89, 0.2560), ("4xL40S", 11.13, 0.3234), ("2xEPYC", 7.7252, 0.1440)],
)
def test_break_even_utilisation_is_that_of_the_worked_example(node: str, usd_h: float, share: float) -> None:
    assert round(float(break_even_utilisation(NODES[node], usd_h * 0.88)), 4) == share


def test_at_the_break_even_utilisation_both_cost_the_same() -> None:
    """An independent route: the cost of the cloud for the used hours is the annual cost."""
    share = break_even_utilisation(NODES["8xH100"], 50.0, 1.3)
    hours = available_hours(NODES["8xH100"]) * share
    assert annual_cost(NODES["8xH100"], share) == pytest.approx(50.0 * 1.3 * hours)


def test_renting_for_less_than_the_electricity_never_breaks_even() -> None:
    costs = NODES["2xEPYC"]
    assert break_even_utilisation(costs, float(marginal_node_hour(costs)) / 2) == np.inf


def test_capital_is_paid_back_by_the_recovery_factor() -> None:
    assert round(float(capital_recovery_factor(0.03, 5.0)), 6) == 0.218355
    assert capital_recovery_factor(0.0, 4.0) == 0.25
    rest = 1.0
    for _ in range(5):
        rest = rest * 1.03 - float(capital_recovery_factor(0.03, 5.0))
    assert rest == pytest.approx(0, abs=1e-12)


def test_magellan_core_hours_cost_what_its_table_says() -> None:
    """Table 12.2: 52 M$ over 4 years, maintenance 5.2, power and cooling 2.6, staff 0.3 M$ a year; 85 % used."""
    costs = OnSiteCosts(
        node_price=52e6, busy_kw=2.6e6 / 8760, idle_share=1.0, network_and_storage=0.0, life_years=4.0, interest=0.0,
        maintenance=0.1, staff_fte=1.0, fte_price=0.3e6, pue=1.0, electricity=1.0, availability=1.0, drained=0.0,
    )  # fmt: skip
    assert float(annual_cost(costs, 0.85)) == pytest.approx(21.1e6)
    core_hours = 153_408 * 8760 * 0.85
    assert round(core_hours) == 1_142_275_968
    assert round(float(annual_cost(costs, 0.85)) / core_hours, 6) == 0.018472


@pytest.mark.parametrize(("gb", "charge"), [(100, "0"), (10_000, "891.00"), (50_000, "4291.50"), (200_000, "13795.00")])
def test_egress_is_charged_by_marginal_tiers(gb: int, charge: str) -> None:
    assert egress_charge(Decimal(gb)).amount == Decimal(charge)


def test_egress_with_binary_terabytes_has_other_tiers() -> None:
    sizes = (100, 10 * 1024, 40 * 1024, 100 * 1024, None)
    tiers = tuple(
        EgressTier(gb=None if size is None else Decimal(size), per_gb=tier.per_gb)
        for size, tier in zip(sizes, AWS_EGRESS.tiers, strict=True)
    )
    binary = EgressPrices(tiers=tiers, currency="USD", source="as billed")
    assert egress_charge(Decimal(50_000), prices=binary).amount == Decimal("4292.70")
    assert egress_charge(Decimal(200_000), prices=binary).amount == Decimal("13886.20")


def test_egress_in_parts_costs_what_it_costs_at_once() -> None:
    parts, moved = Decimal(0), Decimal(0)
    for gb in (60, 70, 9_000, 30_000, 200_000):
        parts += egress_charge(Decimal(gb), moved).amount
        moved += gb
    assert parts == egress_charge(moved).amount


@pytest.mark.parametrize(("egress", "paid"), [("50", 950), ("150", 850), ("250", 850)])
def test_the_research_waiver_takes_off_at_most_15_percent(egress: str, paid: int) -> None:
    assert research_waiver(usd("1000"), usd(egress)).amount == paid


@pytest.mark.parametrize(
    ("seconds", "billed"), [(0.0, 0), (0.2, 60), (59.9, 60), (60.0, 60), (60.1, 61), (3600.0, 3600)]
)
def test_each_second_is_billed_and_at_least_a_minute(seconds: float, billed: int) -> None:
    assert InstanceTime(run_s=seconds).billed_s == billed


def test_boot_idle_and_teardown_are_billed() -> None:
    time = InstanceTime(boot_s=90, stage_in_s=30, run_s=600, stage_out_s=10, teardown_s=20, idle_s=150)
    assert instance_charge([time], usd("3.60")) == usd("0.9")


def test_a_bill_has_discount_waiver_support_and_tax_in_this_order() -> None:
    terms = BillTerms(discount=Decimal("0.1"), waiver=True, support=Decimal("0.05"), tax=Decimal("0.2"))
    # (900 + 100) x 0.9 = 900; egress 90 < 135 is waived; 810 x 1.05 x 1.2
    assert bill([usd("900")], usd("100"), terms) == usd("1020.60")


def test_a_commitment_is_paid_used_or_not() -> None:
    assert commitment_covers(Decimal(10), Decimal(100), usd("1"), usd("3")).amount == 100
    assert commitment_covers(Decimal(110), Decimal(100), usd("1"), usd("3")).amount == 130


def test_spot_without_checkpoints_takes_13_04_hours() -> None:
    assert round(expected_hours(SpotWork(work_h=10, hazard_per_h=0.05, restart_h=0.1)), 2) == 13.04


@pytest.mark.parametrize("every", [None, 0.5, 2.0])
def test_simulated_interruptions_agree_with_the_closed_form(every: float | None) -> None:
    """Within 4 standard errors of the mean of 40 000 jobs."""
    spot = SpotWork(work_h=10, hazard_per_h=0.05, restart_h=0.1, checkpoint_every_h=every, checkpoint_h=0.02)
    hours = simulated_hours(spot, 40_000, seed=1)
    assert abs(hours.mean() - expected_hours(spot)) < 4 * hours.std() / 200
    assert hours.min() >= spot.segments * spot.segment_h * (1 - 1e-12)


def test_the_best_checkpoint_interval_is_near_the_minimum() -> None:
    best = best_interval_h(0.05, 0.02)
    around = [
        expected_hours(SpotWork(work_h=10, hazard_per_h=0.05, checkpoint_every_h=best * f, checkpoint_h=0.02))
        for f in (0.5, 1.0, 2.0)
    ]
    assert around[1] == min(around)


def test_a_bucket_of_the_spot_advisor_gives_a_hazard() -> None:
    assert hazard_from_bucket(0.2) == pytest.approx(0.000305676, rel=1e-5)
    with pytest.raises(UsageError, match="interruption share"):
        hazard_from_bucket(1.0)


def test_a_pool_of_16_waits_less_than_two_of_8() -> None:
    """Erlang C at 85 % use; the values of M/M/1 and M/M/2 are textbook formulas."""
    assert probability_of_waiting(1, 0.85) == pytest.approx(0.85)
    assert probability_of_waiting(2, 1.0) == pytest.approx(1 / 3)
    apart, together = mean_wait(8, 6.8, 1.0), mean_wait(16, 13.6, 1.0)
    terms = [6.8**k / math.factorial(k) for k in range(9)]  # Erlang C as a sum
    waiting = terms[8] * 8 / 1.2 / (sum(terms[:8]) + terms[8] * 8 / 1.2)
    assert apart == pytest.approx(waiting / 1.2)
    assert together < apart / 2
    assert mean_wait(16, pooled_load(16, 1.0, apart), 1.0) == pytest.approx(apart)
    with pytest.raises(UsageError, match="finite only below"):
        probability_of_waiting(8, 8.0)


@pytest.mark.parametrize(
    ("on", "move", "in_eu", "egress"),
    [
        (datetime.date(2027, 1, 11), Move.SWITCH, True, "4291.50"),
        (datetime.date(2027, 1, 12), Move.SWITCH, True, "0"),
        (datetime.date(2027, 1, 12), Move.SWITCH, False, "4291.50"),
        (datetime.date(2027, 1, 12), Move.PARALLEL, True, "4291.50"),
    ],
)
def test_switching_is_free_in_the_union_from_2027_01_12(
    on: datetime.date, move: Move, in_eu: bool, egress: str
) -> None:
    found = exit_cost(
        stored_gb=Decimal(50_000), on=on, move=move, in_eu=in_eu, work_days=Decimal(3), day_rate=usd("600")
    )
    assert (found.egress.amount, found.work.amount) == (Decimal(egress), 1800)
    assert ("at cost" in found.rule) == (egress != "0" and in_eu and move is Move.SWITCH)


def test_an_exit_in_two_currencies_is_refused() -> None:
    with pytest.raises(UsageError, match="currencies differ"):
        exit_cost(
            stored_gb=Decimal(50_000), on=datetime.date(2026, 1, 1), move=Move.SWITCH, in_eu=True,
            work_days=Decimal(3), day_rate=Money(Decimal(600), "EUR"),
        )  # fmt: skip


def test_currencies_and_credits_are_never_added() -> None:
    rate = ExchangeRate(base="EUR", quote="USD", rate=Decimal("1.25"), date=datetime.date(2026, 7, 20), source="ECB")
    euros = Money(Decimal(8), "EUR")
    with pytest.raises(UsageError, match="currencies differ"):
        total([euros, usd("1")])
    with pytest.raises(UsageError, match="credits of an allocation are not money"):
        total([euros, Money(Decimal(1), "credit:eosc")])
    assert rate.convert(euros) == usd("10")
    assert rate.convert(usd("10")) == euros
    with pytest.raises(UsageError, match="cannot be converted"):
        rate.convert(Money(Decimal(1), "credit:eosc"))
    with pytest.raises(UsageError, match="declare a rate for CHF"):
        rate.convert(Money(Decimal(1), "CHF"))


def test_credits_are_granted_anew_each_period_and_say_what_fits() -> None:
    user = eosc("user")
    assert [int(user.available(days).amount) for days in (1, 90, 91, 365)] == [1500, 1500, 3000, 7500]
    assert user.fits(Money(Decimal(400), "credit:eosc"), 91) == 6  # 3 in each period; what is unused expires
    with pytest.raises(UsageError, match="pays in credit:eosc only"):
        user.fits(usd("1"), 90)
    once = Allocation(name="ocre", granted=Decimal(10), refill_days=None, source="voucher")
    assert once.fits(Money(Decimal(3), "credit:ocre"), 1000) == 3


def test_the_nth_node_is_owned_where_demand_reaches_it_often_enough() -> None:
    demand = [0, 1, 1, 2, 2, 2, 3, 3, 3, 8]  # at least 1: .9, 2: .7, 3: .4, 4 to 8: .1
    assert [nodes_to_own(demand, share) for share in (0.95, 0.9, 0.5, 0.3, 0.1, 1.2)] == [0, 1, 2, 3, 8, 0]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"life_years": -1.0}, "life_years: -1 is negative"),
        ({"life_years": 0.0}, "life_years: 0 is not possible"),
        ({"availability": 1.2}, "availability: 1.2 is above 1"),
        ({"pue": 0.9}, "pue: 0.9 is below 1"),
        ({"electricity": float("nan")}, "electricity: nan is not a finite number"),
    ],
)
def test_a_cost_that_cannot_be_is_refused(wrong: dict[str, float], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        OnSiteCosts(**({"node_price": 1.0, "busy_kw": 1.0} | wrong))


@pytest.mark.parametrize("utilisation", [-0.1, 1.01, float("nan")])
def test_a_utilisation_that_is_no_share_is_refused(utilisation: float) -> None:
    with pytest.raises(UsageError, match="utilisation"):
        annual_cost(NODES["8xH100"], utilisation)


def test_an_unused_node_has_no_cost_per_used_hour() -> None:
    with pytest.raises(UsageError, match="no cost per used hour"):
        node_hour(NODES["8xH100"], 0.0)


def test_arrays_of_draws_give_what_single_numbers_give() -> None:
    prices, shares = np.array([200e3, 280e3]), np.array([0.5, 0.65])
    costs = OnSiteCosts(node_price=prices, busy_kw=10.2, staff_fte=0.15, availability=0.95, drained=0.0)
    found = np.asarray(node_hour(costs, shares))
    assert found[1] == pytest.approx(21.2803, abs=5e-5)
    assert np.asarray(break_even_utilisation(costs, 58.89 * 0.88)).shape == (2,)
