"""`daasbench.price`: the same records at the prices of other tariffs."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pandas as pd
import pytest

import daasbench
from daasbench.costs.price_sheet import Purchase, find, read_sheet, sheet_path
from daasbench.costs.priced_table import price_of_site
from daasbench.costs.site_tariff import read_tariff
from daasbench.errors import UnknownName, UsageError
from daasbench.model import Price

from .test_site_tariff import EXAMPLE


def rows(**changes: Any) -> pd.DataFrame:
    facts: dict[str, Any] = {
        "platform": ["here", "here", "aws", "here"], "outcome": ["ok", "wrong", "ok", "ok"],
        "median_s": [3.6, 3.6, 1.8, 3.6], "nodes": [1, 1, 2, 1], "ranks": [1, 1, 2, 1], "threads": [2, 2, 4, 2],
        "gpus": [0, 0, 0, 1], "units": [10.0, 10.0, 10.0, float("nan")],
    }  # fmt: skip
    return pd.DataFrame(facts | changes)


def flat(amount: str, per: Any = "node-hour", currency: str = "USD") -> Price:
    return Price(amount=amount, currency=currency, per=per, date=datetime.date(2026, 7, 20), source="s", basis="list")


def test_a_repeat_costs_its_time_times_the_price_and_a_unit_its_share() -> None:
    table = daasbench.price(rows(), {"here": flat("1.00"), "aws": flat("2.00")})
    assert table["cost"].tolist()[::2] == pytest.approx([0.001, 0.002])
    assert table["cost_per_unit"].tolist()[::2] == pytest.approx([0.0001, 0.0002])
    assert set(table["currency"].dropna()) == {"USD"}


def test_what_is_not_ok_has_no_cost_and_unknown_units_no_cost_per_unit() -> None:
    table = daasbench.price(rows(), {"here": flat("1.00"), "aws": flat("2.00")})
    assert math.isnan(table["cost"][1])
    assert pd.isna(table["currency"][1])
    assert table["cost"][3] == pytest.approx(0.001)
    assert math.isnan(table["cost_per_unit"][3])


def test_a_price_of_gpus_alone_says_nothing_of_a_case_without_one() -> None:
    table = daasbench.price(rows(), {"here": flat("1.00", "gpu-hour"), "aws": flat("2.00")})
    assert math.isnan(table["cost"][0])
    assert table["cost"][3] == pytest.approx(0.001)


def test_core_hours_are_charged_by_ranks_and_threads() -> None:
    table = daasbench.price(rows(), {"here": flat("1.00"), "aws": flat("2.00", "core-hour")})
    assert table["cost"][2] == pytest.approx(1.8 * 8 * 2 / 3600)


def test_the_table_that_was_given_is_not_changed() -> None:
    table = rows()
    daasbench.price(table, {"here": flat("1.00"), "aws": flat("2.00")})
    assert "cost" not in table.columns


def test_prices_come_from_a_sheet_and_from_a_site() -> None:
    """Both in one currency: the example site is in EUR, the sheet in USD, which is refused."""
    row = find(read_sheet(sheet_path("aws")), sku="hpc7a.96xlarge", region="eu-north-1", purchase=Purchase.ON_DEMAND)
    site = price_of_site(read_tariff(EXAMPLE), "cpu-2x96")
    assert 1.5 < float(site.amount) < 1.7
    assert site.basis == "estimate"
    with pytest.raises(UsageError, match="tariffs in EUR, USD; convert them to one currency first"):
        daasbench.price(rows(), {"here": site, "aws": row})
    only = rows()[lambda table: table["platform"] == "aws"]
    assert daasbench.price(only, {"aws": row})["cost"].tolist() == pytest.approx([1.8 * 2 * 7.7252 / 3600])


def test_a_platform_without_a_tariff_and_a_tariff_without_a_platform_are_named() -> None:
    with pytest.raises(UsageError, match="no tariff for platform aws"):
        daasbench.price(rows(), {"here": flat("1.00")})
    with pytest.raises(UnknownName, match="did you mean 'aws'"):
        daasbench.price(rows(), {"here": flat("1.00"), "asw": flat("1.00")})
    with pytest.raises(UsageError, match="no columns median_s"):
        daasbench.price(rows().drop(columns="median_s"), {"here": flat("1.00"), "aws": flat("1.00")})
