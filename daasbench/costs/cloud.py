"""The bill of a cloud provider: seconds of instances, storage, addresses, egress, waivers, discounts and tax.

A bill is exact (``Decimal``); the bill of an instance starts when it is ``running``, not when it is ready.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from daasbench.costs.money import Money
from daasbench.errors import UsageError

HOUR_S = 3600
MINIMUM_S = 60  # the shortest time that a provider bills
WAIVER_SHARE = Decimal("0.15")  # of the bill: the most egress that the research waiver takes off


class EgressTier(msgspec.Struct, frozen=True, kw_only=True):
    """A price of egress up to a volume per month."""

    gb: Decimal | None  # how many GB this tier has (1 GB = 10**9 bytes); None: all that follow
    per_gb: Decimal


class EgressPrices(msgspec.Struct, frozen=True, kw_only=True):
    """The tiers of a provider, in the order in which they apply within a month, and their currency."""

    tiers: tuple[EgressTier, ...]
    currency: str
    source: str


AWS_EGRESS = EgressPrices(
    tiers=(
        EgressTier(gb=Decimal(100), per_gb=Decimal(0)),  # comes before the first tier that costs
        EgressTier(gb=Decimal(10_000), per_gb=Decimal("0.09")),
        EgressTier(gb=Decimal(40_000), per_gb=Decimal("0.085")),
        EgressTier(gb=Decimal(100_000), per_gb=Decimal("0.07")),
        EgressTier(gb=None, per_gb=Decimal("0.05")),
    ),
    currency="USD",
    source="AWS, from Europe to the internet; the first rates read in 2026, the upper ones to be verified",
)


class InstanceTime(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance was billed for, in seconds; the time of a failed or aborted job is billed too."""

    boot_s: float = 0.0
    stage_in_s: float = 0.0
    run_s: float = 0.0
    stage_out_s: float = 0.0
    teardown_s: float = 0.0
    idle_s: float = 0.0

    @property
    def billed_s(self) -> int:
        """Return the whole seconds that are billed, at least 60; 0 if the instance never ran."""
        parts = [getattr(self, name) for name in self.__struct_fields__]
        if not all(math.isfinite(part) and part >= 0 for part in parts):
            raise UsageError(f"times of an instance: {parts} s; each must be a finite number of seconds, 0 or more")
        seconds = math.ceil(math.fsum(parts))
        return max(seconds, MINIMUM_S) if seconds else 0


def instance_charge(times: Sequence[InstanceTime], per_hour: Money) -> Money:
    """Return the charge of instances at a price per hour: each second is billed, and at least 60 s per instance."""
    seconds = sum(time.billed_s for time in times)
    return Money(per_hour.amount * seconds / HOUR_S, per_hour.currency)


def egress_charge(gb: Decimal, already_gb: Decimal = Decimal(0), prices: EgressPrices = AWS_EGRESS) -> Money:
    """Return the charge of moving `gb` out, after `already_gb` of the same account in the same month.

    Parameters
    ----------
    gb, already_gb
        In units of 10**9 bytes.
    prices
        The default is AWS to the internet.
    """
    if not (gb >= 0 and already_gb >= 0):
        raise UsageError(f"egress: {gb} GB after {already_gb} GB; write 0 or more")
    charge, start, end = Decimal(0), Decimal(0), already_gb + gb
    for tier in prices.tiers:
        stop = end if tier.gb is None else min(end, start + tier.gb)
        charge += max(stop - max(start, already_gb), Decimal(0)) * tier.per_gb
        start = end if tier.gb is None else start + tier.gb
        if start >= end:
            return Money(charge, prices.currency)
    raise UsageError(f"egress: the tiers end at {start} GB, and {end} GB were moved; give the last tier no limit")


def research_waiver(bill: Money, egress: Money) -> Money:
    """Return what a research customer pays: the bill without its egress, of which at most 15 % of the bill is waived.

    Parameters
    ----------
    bill
        The whole bill of the month, egress included.
    """
    waived = min(egress.amount, WAIVER_SHARE * bill.amount)
    return bill - Money(waived, egress.currency)


class BillTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What changes the sum of the charges: discount, waiver, support and tax, applied in this order."""

    discount: Decimal = Decimal(0)  # share of the list prices
    waiver: bool = False  # the research waiver of egress
    support: Decimal = Decimal(0)  # share of what is billed
    tax: Decimal = Decimal(0)  # share of everything

    def __post_init__(self) -> None:
        for name in ("discount", "support", "tax"):
            share: Decimal = getattr(self, name)
            if not 0 <= share <= 1:
                raise UsageError(f"{name}: {share} is not a share; write a number between 0 and 1")


def bill(charges: Sequence[Money], egress: Money, terms: BillTerms) -> Money:
    """Return what is paid for `charges` (without egress) and `egress`.

    Raises
    ------
    UsageError
        If the currencies differ.
    """
    left = 1 - terms.discount
    moved = egress * left
    total = moved
    for charge in charges:
        total = total + charge * left
    if terms.waiver:
        total = research_waiver(total, moved)
    return total * (1 + terms.support) * (1 + terms.tax)


def commitment_covers(hours_used: Decimal, committed_hours: Decimal, per_hour: Money, on_demand: Money) -> Money:
    """Return the cost of hours under a commitment: the committed hours are paid, used or not; the rest on demand."""
    if not (hours_used >= 0 and committed_hours >= 0):
        raise UsageError(f"hours: {hours_used} used, {committed_hours} committed; write 0 or more")
    return per_hour * committed_hours + on_demand * max(hours_used - committed_hours, Decimal(0))
