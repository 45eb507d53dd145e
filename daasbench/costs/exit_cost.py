"""What leaving a provider costs: egress of all that is stored, and the work of moving.

In the European Union switching providers is free of charges, egress included, from 2027-01-12; until then at cost
(Regulation (EU) 2023/2854, Data Act, article 29). Parallel use of several providers stays chargeable.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from daasbench.costs.cloud import AWS_EGRESS, EgressPrices, egress_charge
from daasbench.costs.money import Money, total
from daasbench.errors import UsageError

FREE_FROM = datetime.date(2027, 1, 12)


class Move(StrEnum):
    """Why data leave a provider."""

    SWITCH = "switch"  # to another provider or to the own site, for good
    PARALLEL = "parallel"  # use beside another provider: bursting


class ExitCost(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an exit cost, and the rule that holds for its egress."""

    egress: Money  # an upper bound where `rule` says "at cost"
    work: Money
    rule: str

    @property
    def sum(self) -> Money:
        """Return the sum of both parts."""
        return self.egress + self.work


def exit_cost(  # noqa: PLR0913  (each a term of the contract)
    *,
    stored_gb: Decimal,
    on: datetime.date,
    move: Move,
    in_eu: bool,
    work_days: Decimal,
    day_rate: Money,
    prices: EgressPrices = AWS_EGRESS,
) -> ExitCost:
    """Return what it costs to move `stored_gb` and the work on them away from a provider on a date.

    Parameters
    ----------
    stored_gb
        All stored data, in units of 10**9 bytes.
    in_eu
        Whether the customer's contract falls under the law of the European Union.
    day_rate
        The price of a day of work, in the currency of `prices`.

    Raises
    ------
    UsageError
        If an amount is negative, or `day_rate` is in another currency: convert it first.
    """
    if stored_gb < 0 or work_days < 0:
        raise UsageError(f"exit cost: {stored_gb} GB and {work_days} days; write 0 or more")
    listed = egress_charge(stored_gb, prices=prices)
    work = day_rate * work_days
    total([listed, work])  # raises UsageError here if the currencies differ
    if move is Move.PARALLEL:
        return ExitCost(egress=listed, work=work, rule="list price: parallel use stays chargeable")
    if not in_eu:
        return ExitCost(egress=listed, work=work, rule="list price: outside of the European Union")
    if on >= FREE_FROM:
        free = Money(Decimal(0), prices.currency)
        return ExitCost(egress=free, work=work, rule=f"free of charges from {FREE_FROM} (Data Act, art. 29)")
    rule = f"at cost until {FREE_FROM}; the list price is its upper bound (Data Act, art. 29)"
    return ExitCost(egress=listed, work=work, rule=rule)
