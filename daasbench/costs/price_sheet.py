"""Price sheets: tables of dated prices, one row per instance type, region and purchase model.

A sheet is a CSV file in ``prices/`` of a package that ships scenarios, or a user's own file with the same columns.
Age, basis and currency are properties of a row, not of a sheet.
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import get_args

import msgspec

from daasbench import registry
from daasbench.costs.money import Money, checked_currency, decimal_of
from daasbench.costs.price import Per
from daasbench.errors import UnknownName, UsageError, unknown, unknown_sentence

STALE_DAYS = 365  # an older price is named in the headline where it carries weight
WEIGHT = 0.2  # the share of a total above which ratios, estimates and stale prices are named in the headline


class Purchase(StrEnum):
    """How capacity is bought."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    COMMIT_1Y = "commit-1y"
    COMMIT_3Y = "commit-3y"


class Basis(StrEnum):
    """How a price is known."""

    LIST = "list"  # published by the provider
    QUOTE = "quote"  # offered to this customer
    RATIO = "ratio"  # another region's list price times a regional ratio
    ESTIMATE = "estimate"


class PriceRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One price, and what is bought with it. Empty cells are None."""

    provider: str
    region: str
    sku: str  # the instance type
    purchase: Purchase
    amount: Decimal
    currency: str
    per: Per
    date: datetime.date  # the day for which the price is known
    basis: Basis
    source: str
    vcpus: int | None = None
    cores: int | None = None  # physical
    memory_gib: float | None = None
    gpu: str | None = None
    gpus: float | None = None  # a fraction for a part of a GPU
    network_gbps: float | None = None
    interruption: str | None = None  # share of spot instances interrupted per month: "<5%", "5-10%", ..., ">20%"

    @property
    def money(self) -> Money:
        """Return the price of one unit."""
        return Money(self.amount, self.currency)

    @property
    def is_sure(self) -> bool:
        """Return whether the price was published or offered, and not derived from another one."""
        return self.basis in (Basis.LIST, Basis.QUOTE)

    def age_days(self, on: datetime.date) -> int:
        """Return how many days old the price is on a date; 0 for a later price."""
        return max((on - self.date).days, 0)

    def __str__(self) -> str:
        """Return for example ``"aws eu-north-1 g6e.xlarge on-demand"``."""
        return f"{self.provider} {self.region} {self.sku} {self.purchase}"


COLUMNS = PriceRow.__struct_fields__
REQUIRED = ("provider", "region", "sku", "purchase", "amount", "currency", "per", "date", "basis", "source")
UNITS: tuple[str, ...] = get_args(Per)


def shipped_sheets() -> dict[str, Path]:
    """Return the installed price sheets by name."""
    found: dict[str, Path] = {}
    for folder in registry.scenario_folders():
        for path in sorted((folder / "prices").glob("*.csv")):
            found.setdefault(path.stem, path)
    return found


def sheet_path(name: str) -> Path:
    """Return the file of a sheet: a shipped one by its name, or a path (with ``/`` or ending in ``.csv``)."""
    if "/" in name or name.endswith(".csv"):
        return Path(name)
    shipped = shipped_sheets()
    if name not in shipped:
        raise unknown("price sheet", name, shipped)
    return shipped[name]


def read_sheet(path: Path) -> list[PriceRow]:
    """Return the rows of a price sheet.

    Raises
    ------
    UsageError
        If the file cannot be read, a column is missing or unknown, a cell is wrong, or a price occurs twice; the
        message names file, line and column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            _check_columns(path, reader.fieldnames or ())
            rows = [_row(f"{path}:{reader.line_num}", cells) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a CSV file in UTF-8"
        raise UsageError(f"{path}: the price sheet cannot be read: {reason}") from error
    if not rows:
        raise UsageError(f"{path}: the price sheet has no rows; write one row per price")
    _check_once(path, rows)
    return rows


def find(rows: Iterable[PriceRow], *, sku: str, region: str, purchase: Purchase = Purchase.ON_DEMAND) -> PriceRow:
    """Return the price of an instance type in a region; raise UnknownName with what there is otherwise."""
    every = list(rows)
    for row in every:
        if (row.sku, row.region, row.purchase) == (sku, region, purchase):
            return row
    types = sorted({row.sku for row in every})
    if sku not in types:
        raise unknown("price of an instance type", sku, types)
    had = sorted({f"{row.region} {row.purchase}" for row in every if row.sku == sku})
    raise UnknownName(f"no price of {sku} in {region}, {purchase}; the sheet has: {', '.join(had)}")


class Age(msgspec.Struct, frozen=True, kw_only=True):
    """How old and how sure the prices behind a total are."""

    oldest: datetime.date
    median: datetime.date
    unsure_share: float  # of the total: on ratios, estimates or stale rows

    @property
    def must_be_said(self) -> bool:
        """Return whether the headline has to name it."""
        return self.unsure_share > WEIGHT


def age(parts: Sequence[tuple[PriceRow, Money]], on: datetime.date) -> Age:
    """Return age and certainty of a total.

    Parameters
    ----------
    parts
        Each price that was used, with its part of the total (in one currency).
    on
        The date to which ages are counted: that of the newest evidence, never today.
    """
    if not parts:
        raise UsageError("a total without prices has no age")
    dates = sorted(row.date for row, _ in parts)
    amounts = [abs(float(money.amount)) for _, money in parts]
    unsure = [
        amount
        for (row, _), amount in zip(parts, amounts, strict=True)
        if not row.is_sure or row.age_days(on) > STALE_DAYS
    ]
    whole = sum(amounts)
    return Age(
        oldest=dates[0],
        median=dates[(len(dates) - 1) // 2],
        unsure_share=sum(unsure) / whole if whole else 0.0,
    )


def one_currency(rows: Iterable[PriceRow]) -> str:
    """Return the currency of all rows; raise UsageError if there are several."""
    found = sorted({row.currency for row in rows})
    if len(found) != 1:
        raise UsageError(f"prices in {', '.join(found) or 'no currency'}; convert them to one currency first")
    return found[0]


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    missing = [name for name in REQUIRED if name not in columns]
    strange = [name for name in columns if name not in COLUMNS]
    if strange:
        raise UsageError(unknown_sentence("column", strange[0], COLUMNS, str(path)))
    if missing:
        raise UsageError(f"{path}: missing columns: {', '.join(missing)}")


def _row(where: str, cells: dict[str, str | None]) -> PriceRow:
    if None in cells or any(cell is None for cell in cells.values()):
        raise UsageError(f"{where}: the row has another number of cells than the header")
    given = {name: cell.strip() for name, cell in cells.items() if cell and cell.strip()}
    for name in REQUIRED:
        if name not in given:
            raise UsageError(f"{where}: {name} is empty; a price needs it")
    amount = decimal_of(given["amount"], f"{where}: amount")
    if amount < 0:
        raise UsageError(f"{where}: amount: {amount} is negative; write 0 or more")
    checked_currency(given["currency"], f"{where}: currency")
    if given["per"] not in UNITS:
        raise UsageError(f"{where}: per: {given['per']!r} is not a unit; write {', '.join(UNITS)}")
    try:
        return msgspec.convert(given, PriceRow, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {error}") from error


def _check_once(path: Path, rows: Sequence[PriceRow]) -> None:
    seen: dict[tuple[str, str, str, str, str], int] = {}
    for number, row in enumerate(rows, 2):
        key = (row.provider, row.region, row.sku, row.purchase, row.per)
        if key in seen:
            raise UsageError(f"{path}:{number}: {row} has a price in line {seen[key]} already; remove one of them")
        seen[key] = number
