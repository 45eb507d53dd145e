"""The ledger of charges: exact, in the columns of FOCUS 1.2, over months and years."""

from __future__ import annotations

import csv
import datetime
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from daasbench.costs.charges import (
    COLUMNS,
    Charge,
    Kind,
    Service,
    csv_text,
    focus_row,
    next_month,
    number,
    sum_of,
    table,
    violations,
    write_parquet,
)
from daasbench.costs.money import ExchangeRate, Money
from daasbench.errors import UsageError

RATE = ExchangeRate(base="USD", quote="EUR", rate=Decimal("0.88"), date=datetime.date(2026, 7, 20), source="assumed")


def utc(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


def charge(**changes: Any) -> Charge:
    facts: dict[str, Any] = {
        "start": utc("2026-07-31T23:30:00"), "end": utc("2026-08-01T00:30:00"), "provider": "aws", "account": "id16",
        "region": "eu-north-1", "service": Service.COMPUTE, "description": "g6e.xlarge on demand", "sku": "g6e.xlarge",
        "resource": "i-0ab", "quantity": Decimal("1.5"), "unit": "Hours",
        "list_price": Money(Decimal("2.00"), "USD"), "price": Money(Decimal("1.80"), "USD"), "rate": RATE,
        "run": "20260731-id16", "kernel": "tomography", "simulated": True,
    }  # fmt: skip
    return Charge(**(facts | changes))


def test_a_charge_is_a_row_of_57_columns_without_violations() -> None:
    row = focus_row(charge())
    assert len(COLUMNS) == len(set(COLUMNS)) == 57
    assert list(COLUMNS) == sorted(COLUMNS)
    assert violations([row]) == []
    assert (row["BilledCost"], row["ListCost"], row["BillingCurrency"]) == ("2.376", "2.64", "EUR")
    assert (row["PricingCurrency"], row["PricingCurrencyListUnitPrice"]) == ("USD", "2.0")
    assert row["InvoiceId"] == "simulated:20260731-id16"


def test_a_tax_row_has_no_unit_price() -> None:
    row = focus_row(charge(kind=Kind.TAX, description="VAT"))
    assert violations([row]) == []
    assert row["ListUnitPrice"] is None
    assert row["BilledCost"] == "2.376"


def test_a_charge_belongs_to_the_month_in_which_it_starts() -> None:
    row = focus_row(charge())
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == ("2026-07-01T00:00:00Z", "2026-08-01T00:00:00Z")
    december = focus_row(charge(start=utc("2027-12-31T23:59:59"), end=utc("2028-01-01T00:00:01")))
    assert december["BillingPeriodEnd"] == "2028-01-01T00:00:00Z"
    assert next_month(utc("2028-02-29T12:00:00")) == utc("2028-03-01T12:00:00")  # a leap year


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    start = datetime.datetime(2026, 8, 1, 0, 30, tzinfo=zone)
    row = focus_row(charge(start=start, end=start + datetime.timedelta(hours=1)))
    assert (row["ChargePeriodStart"], row["BillingPeriodStart"]) == ("2026-07-31T22:30:00Z", "2026-07-01T00:00:00Z")


def test_the_csv_and_the_table_hold_the_same_rows(tmp_path: Path) -> None:
    charges = [charge(), charge(kind=Kind.CREDIT, price=Money(Decimal("-1"), "USD"), description="egress waiver")]
    rows = list(csv.DictReader(io.StringIO(csv_text(charges))))
    frame = table(charges)
    assert list(frame.columns) == list(COLUMNS) == list(rows[0])
    assert frame["BilledCost"].tolist() == [float(row["BilledCost"]) for row in rows] == [2.376, -1.32]
    pytest.importorskip("pyarrow", reason="absent: Python package pyarrow")
    write_parquet(charges, tmp_path / "charges.parquet")
    import pandas as pd

    assert pd.read_parquet(tmp_path / "charges.parquet")["BilledCost"].tolist() == [2.376, -1.32]


def test_a_sum_is_exact_and_of_one_currency() -> None:
    thousand = [charge(quantity=Decimal("0.1"), rate=None)] * 1000
    assert sum_of(thousand) == Money(Decimal("180"), "USD")
    assert sum_of([]) is None
    with pytest.raises(UsageError, match="currencies differ"):
        sum_of([charge(), charge(rate=None)])


@pytest.mark.parametrize(
    ("value", "text"), [("1E+2", "100.0"), ("0.0000001", "0.0000001"), ("-2.50", "-2.5"), ("0", "0.0")]
)
def test_numbers_have_a_point_and_no_exponent(value: str, text: str) -> None:
    assert number(Decimal(value)) == text


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"end": utc("2026-07-31T23:30:00")}, "its period ends"),
        ({"start": datetime.datetime(2026, 7, 31)}, "start has no time zone"),
        ({"price": Money(Decimal(1), "EUR")}, "currencies differ"),
        ({"price": Money(Decimal(1), "credit:eosc")}, "credits of an allocation are not money"),
        (
            {"price": Money(Decimal(1), "CHF"), "list_price": Money(Decimal(1), "CHF")},
            "declare a rate for CHF",
        ),
    ],
)
def test_a_charge_that_cannot_be_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        charge(**wrong)


def test_the_check_finds_what_is_wrong() -> None:
    row: dict[str, Any] = focus_row(charge())
    assert violations([row | {"BilledCost": None}]) == ["row 1: BilledCost is empty"]
    assert "is not ListUnitPrice" in violations([row | {"ListCost": "9.0"}])[0]
    assert "must be empty" in violations([row | {"ChargeCategory": "Tax"}])[0]
    assert "not allowed" in violations([row | {"ChargeCategory": "Fun"}])[-1]
    assert "columns" in violations([{"BilledCost": "1.0"}])[0]
