"""Allocations of credits: what is granted, when it is refilled, and what fits. Credits are never money."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

import msgspec

from daasbench.costs.money import Money, is_credit
from daasbench.errors import UsageError


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that are granted to a user or a group, and granted anew after each period."""

    name: str  # of the currency, without "credit:"
    granted: Decimal
    refill_days: int | None  # None: granted once
    source: str

    @property
    def currency(self) -> str:
        """Return the currency of these credits."""
        return f"credit:{self.name}"

    def available(self, days: int) -> Money:
        """Return all credits that can be used within `days`, the first grant at their start included."""
        if days < 0:
            raise UsageError(f"days: {days} is negative; write 0 or more")
        grants = 1 if self.refill_days is None else 1 + max(days - 1, 0) // self.refill_days
        return Money(self.granted * grants, self.currency)

    def fits(self, per_unit: Money, days: int) -> int:
        """Return how many units of work fit within `days`; unused credits of a period are not carried over.

        Raises
        ------
        UsageError
            If a unit does not cost credits of this allocation, or costs nothing.
        """
        if per_unit.currency != self.currency:
            what = "other credits" if is_credit(per_unit.currency) else "money"
            raise UsageError(f"{per_unit}: {what}; the allocation {self.name} pays in {self.currency} only")
        if per_unit.amount <= 0:
            raise UsageError(f"{per_unit}: a unit that costs nothing cannot be counted in credits")
        grants = self.available(days).amount / self.granted if self.granted else Decimal(0)
        each = (self.granted / per_unit.amount).to_integral_value(ROUND_FLOOR)
        return int(each * grants)


EOSC_GRANTS = {  # credits per 90 days of the EOSC EU Node (2025), by the kind of its users
    "collaborator": Decimal(500),
    "user": Decimal(1500),
    "group": Decimal(3000),
}
EOSC_REFILL_DAYS = 90


def eosc(kind: str) -> Allocation:
    """Return the allocation of the EOSC EU Node for a collaborator, a user or a group."""
    if kind not in EOSC_GRANTS:
        raise UsageError(f"EOSC EU Node: no allocation {kind!r}; it has: {', '.join(EOSC_GRANTS)}")
    return Allocation(name="eosc", granted=EOSC_GRANTS[kind], refill_days=EOSC_REFILL_DAYS, source="EOSC EU Node, 2025")
