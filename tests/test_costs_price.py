"""What a resource costs: worst cases in whole cents, estimates a second."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daasbench.costs.price import Per, charged_units, per_second, worst_case
from daasbench.model import Price


def price(per: Per = "node-hour", amount: str = "1.85") -> Price:
    return Price(amount=amount, currency="EUR", per=per, date=datetime.date(2026, 11, 1), source="own books")


@pytest.mark.parametrize(("per", "units"), [("node-hour", 2), ("core-hour", 24), ("gpu-hour", 4)])
def test_a_price_counts_nodes_cores_or_gpus(per: Per, units: int) -> None:
    assert charged_units(per, nodes=2, ranks=3, threads=8, gpus=4) == units
    assert worst_case(3600, 2, 3, 8, 4, price(per)) == Decimal("1.85") * units


def test_a_worst_case_is_rounded_up_to_whole_cents() -> None:
    assert worst_case(1, 1, 1, 1, 0, price()) == Decimal("0.01")
    assert worst_case(3600, 1, 1, 1, 0, price(amount="1.8501")) == Decimal("1.86")
    assert worst_case(0, 1, 1, 1, 0, price()) == Decimal("0.00")


@given(st.integers(0, 10**6), st.integers(1, 100), st.decimals("0.01", "1000", places=4))
def test_a_worst_case_is_never_below_the_exact_price_and_less_than_a_cent_above(
    seconds: int, nodes: int, amount: Decimal
) -> None:
    exact = amount * nodes * seconds / 3600
    found = worst_case(seconds, nodes, 1, 1, 0, price(amount=f"{amount:f}"))
    assert Decimal(0) <= found - exact + Decimal("1e-15") < Decimal("0.01") + Decimal("1e-14")


def test_a_large_worst_case_loses_no_cent() -> None:
    assert worst_case(3600, 10**9, 1, 1, 0, price(amount="12345678901234.56")) == Decimal("12345678901234560000000.00")


def test_a_second_costs_a_3600th_of_an_hour() -> None:
    assert per_second(price(amount="3.60")) == pytest.approx(0.001)
