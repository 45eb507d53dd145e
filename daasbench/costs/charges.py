"""The ledger: one row per charge, exact, in the columns of the FinOps specification FOCUS 1.2.

A charge of a site and a simulated charge have the same form as one that a provider billed; each says which it is.
Source: FinOps Open Cost and Usage Specification 1.2, https://focus.finops.org
"""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from daasbench.costs.money import ExchangeRate, Money, is_credit, total
from daasbench.errors import UsageError

if TYPE_CHECKING:
    import pandas


class Service(StrEnum):
    """What is charged for; the value is the service category of FOCUS."""

    COMPUTE = "Compute"
    STORAGE = "Storage"
    NETWORK = "Networking"
    MANAGEMENT = "Management and Governance"
    OTHER = "Other"


_SUBCATEGORIES = {
    Service.COMPUTE: "Virtual Machines",
    Service.STORAGE: "Object Storage",
    Service.NETWORK: "Network Connectivity",
    Service.MANAGEMENT: "Other (Management and Governance)",
    Service.OTHER: "Other (Other)",
}


class Kind(StrEnum):
    """The charge category of FOCUS."""

    USAGE = "Usage"
    PURCHASE = "Purchase"
    TAX = "Tax"
    CREDIT = "Credit"  # a waiver or a voucher: negative
    ADJUSTMENT = "Adjustment"


class Pricing(StrEnum):
    """The pricing category of FOCUS."""

    STANDARD = "Standard"  # a list or contract price
    DYNAMIC = "Dynamic"  # spot
    COMMITTED = "Committed"
    OTHER = "Other"


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """One charge. Prices are in the currency of the price sheet; `rate` converts them to the currency of the bill.

    Raises
    ------
    UsageError
        If the period ends before it starts, a time has no time zone, credits of an allocation are charged, or prices
        are in a currency that `rate` does not convert.
    """

    start: datetime.datetime  # UTC; the charge period includes it
    end: datetime.datetime  # UTC; excluded
    provider: str  # "aws", or "onsite:" and the name of the site
    account: str
    region: str
    service: Service
    description: str
    sku: str
    resource: str  # an instance, a bucket, a node
    kind: Kind = Kind.USAGE
    pricing: Pricing = Pricing.STANDARD
    quantity: Decimal
    unit: str  # Hours, GB, GB-Months, Requests, Months
    list_price: Money  # per unit
    price: Money  # per unit, with the discounts of the contract
    rate: ExchangeRate | None = None
    run: str  # the run that caused it, "" for none
    kernel: str = ""
    invoice: str = ""  # of the provider; simulated charges have none
    simulated: bool

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            if getattr(self, name).tzinfo is None:
                raise UsageError(f"charge {self.description!r}: {name} has no time zone; write it in UTC")
        if self.end <= self.start:
            raise UsageError(f"charge {self.description!r}: its period ends {self.end} and starts {self.start}")
        if is_credit(self.price.currency):
            raise UsageError(f"charge {self.description!r}: credits of an allocation are not money, and have no bill")
        self.list_price + self.price
        if self.rate is not None:
            self.rate.convert(self.price)

    @property
    def listed(self) -> Money:
        """Return what it costs at list prices, in the currency of the bill."""
        return self._billed(self.list_price)

    @property
    def billed(self) -> Money:
        """Return what is paid, in the currency of the bill."""
        return self._billed(self.price)

    def _billed(self, per_unit: Money) -> Money:
        money = per_unit * self.quantity
        return money if self.rate is None else self.rate.convert(money)


COLUMNS = (
    "AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType",
    "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "CapacityReservationId",
    "CapacityReservationStatus", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
    "ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountCategory", "CommitmentDiscountId",
    "CommitmentDiscountName", "CommitmentDiscountQuantity", "CommitmentDiscountStatus", "CommitmentDiscountType",
    "CommitmentDiscountUnit", "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice",
    "EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory",
    "PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "RegionId",
    "RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName",
    "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName",
    "SubAccountType", "Tags",
)  # fmt: skip
NEVER_EMPTY = (
    "BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory",
    "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
    "ProviderName", "PublisherName", "ServiceCategory", "ServiceName", "ServiceSubcategory",
)  # fmt: skip
OF_USAGE = (  # empty for tax, never for usage and purchases
    "PricingCategory", "PricingQuantity", "PricingUnit", "ListUnitPrice", "ContractedUnitPrice", "SkuId", "SkuPriceId",
)  # fmt: skip


def focus_row(charge: Charge) -> dict[str, str | None]:
    """Return the row of a charge in the 57 columns of FOCUS 1.2; None for an empty cell."""
    bill, pricing = charge.billed.currency, charge.price.currency
    usage = charge.kind in (Kind.USAGE, Kind.PURCHASE)
    month = charge.start.astimezone(datetime.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    facts: dict[str, str | None] = {
        "BilledCost": number(charge.billed.amount),
        "BillingAccountId": charge.account,
        "BillingAccountName": charge.account,
        "BillingAccountType": "Account",
        "BillingCurrency": bill,
        "BillingPeriodStart": stamp(month),
        "BillingPeriodEnd": stamp(next_month(month)),
        "ChargeCategory": str(charge.kind),
        "ChargeDescription": charge.description,
        "ChargeFrequency": "One-Time" if charge.kind is Kind.PURCHASE else "Usage-Based",
        "ChargePeriodStart": stamp(charge.start),
        "ChargePeriodEnd": stamp(charge.end),
        "ContractedCost": number(charge.billed.amount),
        "EffectiveCost": number(charge.billed.amount),
        "InvoiceId": f"simulated:{charge.run}" if charge.simulated else charge.invoice or None,
        "InvoiceIssuerName": charge.provider,
        "ListCost": number(charge.listed.amount),
        "PricingCurrency": pricing,
        "ProviderName": charge.provider,
        "PublisherName": charge.provider,
        "RegionId": charge.region or None,
        "RegionName": charge.region or None,
        "ResourceId": charge.resource or None,
        "ResourceName": charge.resource or None,
        "ResourceType": str(charge.service) if charge.resource else None,
        "ServiceCategory": str(charge.service),
        "ServiceName": f"{charge.provider} {charge.service}",
        "ServiceSubcategory": _SUBCATEGORIES[charge.service],
        "Tags": json.dumps({"kernel": charge.kernel, "run": charge.run, "simulated": charge.simulated}),
    }
    if usage:
        facts |= _of_usage(charge, pricing)
    return {name: facts.get(name) for name in COLUMNS}


def _of_usage(charge: Charge, pricing: str) -> dict[str, str | None]:
    """Return the cells that only usage and purchases have: prices, quantities, what is bought."""
    contracted = charge.price * charge.quantity
    return {
        "ConsumedQuantity": number(charge.quantity) if charge.kind is Kind.USAGE else None,
        "ConsumedUnit": charge.unit if charge.kind is Kind.USAGE else None,
        "ContractedUnitPrice": number(_unit_price(charge, charge.price)),
        "ListUnitPrice": number(_unit_price(charge, charge.list_price)),
        "PricingCategory": str(charge.pricing),
        "PricingCurrencyContractedUnitPrice": number(charge.price.amount),
        "PricingCurrencyEffectiveCost": number(contracted.amount),
        "PricingCurrencyListUnitPrice": number(charge.list_price.amount),
        "PricingQuantity": number(charge.quantity),
        "PricingUnit": charge.unit,
        "SkuId": charge.sku,
        "SkuMeter": charge.description,
        "SkuPriceId": f"{charge.sku} {charge.region} {pricing}",
    }


def _unit_price(charge: Charge, per_unit: Money) -> Decimal:
    return (per_unit if charge.rate is None else charge.rate.convert(per_unit)).amount


def stamp(time: datetime.datetime) -> str:
    """Return a time as FOCUS writes it: UTC, whole seconds."""
    return time.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def next_month(start: datetime.datetime) -> datetime.datetime:
    """Return the first instant of the month after that of `start`."""
    first = start.replace(day=1)
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)


def number(value: Decimal) -> str:
    """Return a number with a decimal point and without an exponent."""
    text = format(value.normalize(), "f")
    return text if "." in text else f"{text}.0"


def table(charges: Iterable[Charge]) -> pandas.DataFrame:
    """Return the ledger as a DataFrame of the 57 columns, with numbers as float64; empty cells are missing."""
    import pandas as pd

    frame = pd.DataFrame([focus_row(charge) for charge in charges], columns=list(COLUMNS), dtype=object)
    for name in COLUMNS:
        if name.endswith(("Cost", "Quantity", "UnitPrice")):
            frame[name] = pd.to_numeric(frame[name])
    return frame


def csv_text(charges: Iterable[Charge]) -> str:
    """Return the ledger as CSV."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell or "" for name, cell in focus_row(charge).items()} for charge in charges)
    return text.getvalue()


def write_parquet(charges: Iterable[Charge], path: Path) -> None:
    """Write the ledger as a Parquet file (needs pyarrow)."""
    table(charges).to_parquet(path, index=False)


def sum_of(charges: Sequence[Charge]) -> Money | None:
    """Return the sum that is billed; None without charges; raise UsageError if the bills are in several currencies."""
    return total(charge.billed for charge in charges)


def violations(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return what breaks the rules of FOCUS that can be checked here: columns, empty cells, allowed words, sums.

    The validator of the standard (focus-validator, Python 3.12) checks more.
    """
    found = []
    for line, row in enumerate(rows, 1):
        if tuple(row) != COLUMNS:
            found.append(f"row {line}: the columns are not those of FOCUS 1.2")
            continue
        usage = row["ChargeCategory"] in (Kind.USAGE, Kind.PURCHASE)
        for name in NEVER_EMPTY + (OF_USAGE if usage else ()):
            if not row[name]:
                found.append(f"row {line}: {name} is empty")
        if not usage:
            found += [f"row {line}: {name} must be empty" for name in OF_USAGE if row[name]]
        if row["ChargeCategory"] not in set(Kind):
            found.append(f"row {line}: ChargeCategory {row['ChargeCategory']!r} is not allowed")
        if usage and not found and not _adds_up(row):
            found.append(f"row {line}: ListCost is not ListUnitPrice x PricingQuantity")
    return found


def _adds_up(row: dict[str, Any]) -> bool:
    product = Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"])
    return abs(product - Decimal(row["ListCost"])) <= Decimal("1e-9") * max(abs(product), Decimal(1))
