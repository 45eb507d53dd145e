"""The tidy table with the prices of other tariffs: what the same records cost elsewhere, or at another price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from daasbench.costs.on_site import node_hour
from daasbench.costs.price import charged_units, per_second
from daasbench.costs.price_sheet import PriceRow
from daasbench.costs.site_tariff import SiteTariff
from daasbench.errors import UsageError, unknown
from daasbench.model import Price

if TYPE_CHECKING:
    import pandas

MONEY = ("cost", "currency", "cost_per_unit", "price_date", "price_basis")
_NEEDED = ("platform", "outcome", "median_s", "nodes", "ranks", "threads", "gpus", "units")


def price(table: pandas.DataFrame, tariffs: Mapping[str, Price | PriceRow]) -> pandas.DataFrame:
    """Return the tidy table with its five columns of money computed from `tariffs`.

    Parameters
    ----------
    table
        As :func:`daasbench.load` returns it, or any rows of it with the columns platform, outcome, median_s [s],
        nodes, ranks, threads, gpus, units [per repeat].
    tariffs
        The price of each platform of the table, by its name: a row of a price sheet, or what
        :func:`price_of_site` returns for a site.

    Returns
    -------
    A copy. ``cost`` is that of one repeat (median) and ``cost_per_unit`` that of one unit of scientific work, both in
    ``currency``; empty where the outcome is not ok, and where only GPUs have a price and the case has none.

    Raises
    ------
    UsageError
        If a platform of the table has no tariff, a tariff names a platform that the table lacks, the prices are in
        several currencies, or a column is missing.
    """
    if missing := [name for name in _NEEDED if name not in table.columns]:
        raise UsageError(f"the table has no columns {', '.join(missing)}; use the table of daasbench.load")
    platforms = sorted(set(table["platform"].dropna()))
    for name in tariffs:
        if name not in platforms:
            raise unknown("platform in the table", name, platforms, "tariffs")
    if without := [name for name in platforms if name not in tariffs]:
        raise UsageError(f"no tariff for platform {', '.join(without)}; give each platform a price, or remove its rows")
    prices = {name: as_price(tariff) for name, tariff in tariffs.items()}
    currencies = sorted({one.currency for one in prices.values()})
    if len(currencies) > 1:
        raise UsageError(f"tariffs in {', '.join(currencies)}; convert them to one currency first")
    return _priced(table, prices)


def _priced(table: pandas.DataFrame, prices: Mapping[str, Price]) -> pandas.DataFrame:
    rows = zip(*(table[name] for name in ("platform", "nodes", "ranks", "threads", "gpus")), strict=True)
    rates = []
    for platform, *resources in rows:
        found = prices[platform]
        nodes, ranks, threads, gpus = (int(count) if count == count else 0 for count in resources)
        charged = charged_units(found.per, nodes, ranks, threads, gpus)
        rates.append(per_second(found) * charged if charged else np.nan)
    seconds = np.where(table["outcome"] == "ok", table["median_s"].to_numpy(np.float64), np.nan)
    cost = seconds * np.array(rates, np.float64)
    units = table["units"].to_numpy(np.float64)
    known = ~np.isnan(cost)
    result = table.copy()
    result["cost"] = cost
    result["cost_per_unit"] = np.divide(cost, units, out=np.full(len(table), np.nan), where=units > 0)
    texts: dict[str, dict[str, str]] = {
        "currency": {name: one.currency for name, one in prices.items()},
        "price_date": {name: one.date.isoformat() for name, one in prices.items()},
        "price_basis": {name: one.basis for name, one in prices.items()},
    }
    for column, by_platform in texts.items():
        result[column] = table["platform"].map(by_platform).where(known)
    return result


def as_price(tariff: Price | PriceRow) -> Price:
    """Return a row of a price sheet as the price of a platform."""
    if isinstance(tariff, Price):
        return tariff
    return Price(
        amount=_text(float(tariff.amount)),
        currency=tariff.currency,
        per=tariff.per,
        date=tariff.date,
        source=tariff.source,
        basis=str(tariff.basis),  # type: ignore[arg-type]  # the same four words
    )


def price_of_site(tariff: SiteTariff, kind: str, utilisation: float | None = None) -> Price:
    """Return the price of a node-hour of a site at a utilisation (default: that of the tariff); an estimate."""
    costs, usual = tariff.costs(kind)
    share = usual if utilisation is None else utilisation
    return Price(
        amount=_text(float(node_hour(costs, share))),
        currency=tariff.currency,
        per="node-hour",
        date=tariff.date,
        source=f"{tariff.site}, {kind}, busy {100 * share:g} % of its hours ({tariff.source or 'own tariff'})",
        basis="estimate",
    )


def _text(amount: float) -> str:
    return f"{amount:.9f}".rstrip("0").rstrip(".")
