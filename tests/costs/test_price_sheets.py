"""Price sheets: what is shipped reads, ages are those of rows, and a wrong cell is named."""

from __future__ import annotations

import datetime
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from daasbench.costs.money import Money
from daasbench.costs.price_sheet import (
    Basis,
    PriceRow,
    Purchase,
    age,
    find,
    one_currency,
    read_sheet,
    sheet_path,
    shipped_sheets,
)
from daasbench.errors import UnknownName, UsageError

from ..conftest import CHECKOUT, DATA

HEADER = "provider,region,sku,purchase,amount,currency,per,date,basis,source"
GOOD = "otc,eu-de,p2s.2xlarge,on-demand,2.10,EUR,node-hour,2026-10-01,list,price list of the provider"
JULY = datetime.date(2026, 7, 20)


def sheet(folder: Path, *lines: str) -> Path:
    path = folder / "own.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def row(**changes: object) -> PriceRow:
    facts: dict[str, object] = {
        "provider": "aws", "region": "eu-north-1", "sku": "g6e.xlarge", "purchase": Purchase.ON_DEMAND,
        "amount": Decimal(1), "currency": "USD", "per": "node-hour", "date": JULY, "basis": Basis.LIST, "source": "s",
    }  # fmt: skip
    return PriceRow(**(facts | changes))  # type: ignore[arg-type]  # the changes are of the right types


@pytest.mark.parametrize("name", ["aws", "azure", "gcp"])
def test_a_shipped_sheet_reads_and_has_one_currency(name: str) -> None:
    rows = read_sheet(sheet_path(name))
    assert len(rows) > 200
    assert one_currency(rows) == "USD"
    assert {row.provider for row in rows} == {name}
    assert all(row.amount > 0 and row.source for row in rows)


def test_the_prices_of_the_worked_example_are_in_the_sheet() -> None:
    rows = read_sheet(sheet_path("aws"))
    found = [
        find(rows, sku=sku, region="eu-north-1").amount for sku in ("p5.48xlarge", "g6e.12xlarge", "hpc7a.96xlarge")
    ]
    assert [round(float(one), 2) for one in found] == [58.89, 11.13, 7.73]
    assert not [one for one in rows if one.sku.startswith("hpc") and one.purchase is Purchase.SPOT]


def test_a_price_that_was_derived_is_dated_by_the_older_part() -> None:
    """Of the AWS sheet only the rows of us-east-1 have the date of the table."""
    rows = [row for row in read_sheet(sheet_path("aws")) if row.purchase is Purchase.ON_DEMAND]
    assert {row.region for row in rows if row.date == JULY} == {"us-east-1"}
    europe = [row for row in rows if row.region != "us-east-1"]
    assert len(europe) == 623
    assert all(row.date < JULY for row in europe)
    assert sum(row.basis is Basis.RATIO for row in europe) == 175
    assert sum(row.basis is Basis.ESTIMATE for row in europe) == 62


def test_the_sheets_are_what_their_script_writes(tmp_path: Path) -> None:
    if not (DATA.parent / "prices").is_dir():
        pytest.skip("absent: the tables of prices beside DAASBENCH_DATA")
    subprocess.run([sys.executable, CHECKOUT / "ci" / "prices" / "make_sheets", tmp_path], check=True)
    for name, path in shipped_sheets().items():
        assert (tmp_path / f"{name}.csv").read_bytes() == path.read_bytes()


def test_a_user_has_a_sheet_of_another_provider(tmp_path: Path) -> None:
    (found,) = read_sheet(sheet(tmp_path, HEADER, GOOD))
    assert (found.money, found.vcpus) == (Money(Decimal("2.10"), "EUR"), None)
    assert sheet_path(str(tmp_path / "own.csv")) == tmp_path / "own.csv"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (("2.10", "two"), r"own.csv:2: amount: 'two' is not a number"),
        (("2.10", "NaN"), r"own.csv:2: amount: 'NaN' is not a number"),
        (("2.10", "-1"), r"own.csv:2: amount: -1 is negative"),
        (("EUR", "Euro"), r"own.csv:2: currency: unknown currency 'Euro'"),
        (("node-hour", "hour"), r"own.csv:2: per: 'hour' is not a unit; write node-hour"),
        (("2026-10-01", "last year"), r"own.csv:2: .*date"),
        (("on-demand", "rent"), r"own.csv:2: .*rent"),
        ((",price list of the provider", ","), r"own.csv:2: source is empty"),
        ((",price list of the provider", ""), r"own.csv:2: the row has another number of cells"),
    ],
)
def test_a_wrong_cell_is_named_by_file_line_and_column(tmp_path: Path, wrong: tuple[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_sheet(sheet(tmp_path, HEADER, GOOD.replace(*wrong)))


def test_a_sheet_with_wrong_columns_twice_a_price_or_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing columns: source"):
        read_sheet(sheet(tmp_path, HEADER.removesuffix(",source"), GOOD.rsplit(",", 1)[0]))
    with pytest.raises(UsageError, match="currencyy"):
        read_sheet(sheet(tmp_path, HEADER.replace("currency", "currencyy"), GOOD))
    with pytest.raises(UsageError, match="has a price in line 2 already"):
        read_sheet(sheet(tmp_path, HEADER, GOOD, GOOD.replace("2.10", "2.20")))
    with pytest.raises(UsageError, match="has no rows"):
        read_sheet(sheet(tmp_path, HEADER))
    with pytest.raises(UsageError, match="No such file"):
        read_sheet(tmp_path / "none.csv")


def test_a_price_that_is_not_there_says_what_is() -> None:
    rows = [row(), row(region="eu-west-1"), row(purchase=Purchase.SPOT)]
    with pytest.raises(UnknownName, match=r"did you mean .g6e\.xlarge"):
        find(rows, sku="g6e.xlrge", region="eu-north-1")
    with pytest.raises(UnknownName, match="the sheet has: eu-north-1 on-demand, eu-north-1 spot, eu-west-1 on-demand"):
        find(rows, sku="g6e.xlarge", region="eu-west-9")
    with pytest.raises(UnknownName, match="aws"):
        sheet_path("asw")
    with pytest.raises(UsageError, match="EUR, USD"):
        one_currency([row(), row(currency="EUR")])


def test_a_total_says_how_old_and_how_sure_its_prices_are() -> None:
    """A fifth of the total on ratios, estimates or prices older than a year must be said."""

    def part(amount: int, **changes: object) -> tuple[PriceRow, Money]:
        return row(**changes), Money(Decimal(amount), "USD")

    sure = age([part(90), part(10, basis=Basis.RATIO)], JULY)
    assert (sure.unsure_share, sure.must_be_said) == (0.1, False)
    old = age([part(70), part(30, date=datetime.date(2024, 2, 21))], JULY)
    assert (old.oldest, old.median, old.must_be_said) == (datetime.date(2024, 2, 21), datetime.date(2024, 2, 21), True)


def test_every_european_total_of_the_aws_sheet_must_say_its_age() -> None:
    rows = [r for r in read_sheet(sheet_path("aws")) if r.region.startswith("eu-") and r.purchase is Purchase.ON_DEMAND]
    sure = [str(r) for r in rows if not age([(r, r.money)], datetime.date(2026, 11, 30)).must_be_said]
    assert not sure
