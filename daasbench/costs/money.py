"""Amounts of money: a decimal and its currency; amounts of different currencies are never added."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

import msgspec

from daasbench.errors import UsageError

CENT = Decimal("0.01")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_CREDIT = re.compile(r"credit:[a-z0-9][a-z0-9._-]*\Z")


class Money(msgspec.Struct, frozen=True):
    """An exact amount.

    Parameters
    ----------
    amount
        The amount; negative for a discount or a waiver.
    currency
        Three capital letters (ISO 4217, ``"EUR"``), or ``"credit:NAME"`` for the credits of an allocation, which are
        a currency of their own.
    """

    amount: Decimal
    currency: str

    def __add__(self, other: Money) -> Money:
        """Return the sum; raise UsageError if the currencies differ."""
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        """Return the difference; raise UsageError if the currencies differ."""
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        """Return the amount times an exact number."""
        return Money(self.amount * factor, self.currency)

    def __neg__(self) -> Money:
        """Return the amount with the other sign."""
        return Money(-self.amount, self.currency)

    def rounded(self) -> Money:
        """Return the amount in whole cents, half to even."""
        return Money(self.amount.quantize(CENT, rounding=ROUND_HALF_EVEN), self.currency)

    def __str__(self) -> str:
        """Return for example ``"4291.50 USD"``."""
        return f"{self.rounded().amount} {self.currency}"

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise UsageError(
                f"{self} and {other} cannot be added: the currencies differ; convert one of them with a dated"
                " exchange rate first"
                if not (is_credit(self.currency) or is_credit(other.currency))
                else f"{self} and {other} cannot be added: credits of an allocation are not money"
            )


class ExchangeRate(msgspec.Struct, frozen=True, kw_only=True):
    """The price of one unit of a currency in another, on a date."""

    base: str  # one unit of this currency
    quote: str  # costs this much of that currency
    rate: Decimal
    date: datetime.date
    source: str

    def convert(self, money: Money) -> Money:
        """Return the amount in the other currency.

        Raises
        ------
        UsageError
            If the amount is in neither of the two currencies, or if it is in credits.
        """
        if is_credit(money.currency):
            raise UsageError(f"{money}: credits of an allocation cannot be converted to money")
        if money.currency == self.base:
            return Money(money.amount * self.rate, self.quote)
        if money.currency == self.quote:
            return Money(money.amount / self.rate, self.base)
        raise UsageError(
            f"{money}: the exchange rate of {self.date} is between {self.base} and {self.quote}; declare a rate for"
            f" {money.currency}"
        )


def is_credit(currency: str) -> bool:
    """Return whether a currency is that of an allocation of credits."""
    return bool(_CREDIT.match(currency))


def checked_currency(currency: str, where: str) -> str:
    """Return the currency; raise UsageError if it is neither three capital letters nor ``credit:NAME``."""
    if _CURRENCY.match(currency) or is_credit(currency):
        return currency
    raise UsageError(
        f'{where}: unknown currency {currency!r}; write three capital letters such as "EUR", or "credit:NAME" for the'
        " credits of an allocation"
    )


def decimal_of(text: str, where: str) -> Decimal:
    """Return the decimal number that `text` says; raise UsageError if it is none, or not finite."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise UsageError(f"{where}: {text!r} is not a number; write digits with a point, such as 1.85")
    return value


def total(amounts: Iterable[Money]) -> Money | None:
    """Return the sum of amounts of one currency; None for no amounts; raise UsageError if the currencies differ."""
    result: Money | None = None
    for money in amounts:
        result = money if result is None else result + money
    return result
