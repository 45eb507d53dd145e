r"""The cost of nodes that a site owns: what a year costs, and what an hour of a node costs at a utilisation.

With capital recovery factor :math:`\mathrm{CRF}(i, n) = i (1+i)^n / ((1+i)^n - 1)` (straight line :math:`1/n` for
:math:`i = 0`), a year costs

.. math::

    C = \left(K_\mathrm{nodes} + K_\mathrm{network} + K_\mathrm{storage} + K_\mathrm{install}
        - S / (1+i)^n\right) \mathrm{CRF} + m K_\mathrm{nodes} + \mathrm{staff} + \mathrm{space}
        + \mathrm{licences} + E

    E = 8760 N \left(P_\mathrm{idle} + (P_\mathrm{busy} - P_\mathrm{idle})\, u A (1 - d)\right)
        \mathrm{PUE} \cdot \mathrm{tariff}

and an hour of a busy node :math:`C / (u H)`, with :math:`H = 8760 N A (1 - d)` available node-hours a year.

Every function takes floats, or float64 arrays of equal shape with one element per draw of a Monte Carlo simulation.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from daasbench.errors import UsageError

HOURS_A_YEAR = 8760.0

Values: TypeAlias = float | NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class OnSiteCosts:
    """What a site pays for one class of nodes. All money is in one currency; shares are between 0 and 1.

    Raises
    ------
    UsageError
        If a value cannot be: a negative price, a life of 0 years, a utilisation or an availability above 1.
    """

    nodes: Values = 1.0
    node_price: Values  # of one node
    busy_kw: Values  # drawn by one busy node, without cooling
    idle_share: Values = 0.35  # power of an idle node as a share of `busy_kw`
    network_and_storage: Values = 0.15  # capital, as a share of the node price
    installation_per_kw: Values = 0.0  # data-centre extension, per kW of busy power
    residual_value: Values = 0.0  # of one node after `life_years`
    life_years: Values = 5.0
    interest: Values = 0.03  # per year
    maintenance: Values = 0.06  # per year, as a share of the node price
    staff_fte: Values = 0.02  # per node
    fte_price: Values = 90_000.0  # per year
    space: Values = 0.0  # per node and year
    licences: Values = 0.0  # per node and year
    pue: Values = 1.35  # power of the data centre per power of its computers
    electricity: Values = 0.16  # per kWh
    availability: Values = 0.97  # share of the year in which a node works
    drained: Values = 0.02  # share of that time in which it is reserved for maintenance

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))


_UP_TO_ONE = ("idle_share", "availability", "drained")
_ABOVE_ZERO = ("nodes", "node_price", "life_years", "availability")


def _check(name: str, value: Values) -> None:
    numbers = np.asarray(value, np.float64)
    if not np.isfinite(numbers).all():
        raise UsageError(f"{name}: {value} is not a finite number; write a number")
    if (numbers < 0).any():
        raise UsageError(f"{name}: {numbers.min():g} is negative; write 0 or more")
    if name in _ABOVE_ZERO and (numbers == 0).any():
        raise UsageError(f"{name}: 0 is not possible; write a number above 0")
    if name in _UP_TO_ONE and (numbers > 1).any():
        raise UsageError(f"{name}: {numbers.max():g} is above 1; write a share between 0 and 1")
    if name == "pue" and (numbers < 1).any():
        raise UsageError(f"pue: {numbers.min():g} is below 1; a data centre draws at least what its computers draw")


def capital_recovery_factor(interest: Values, years: Values) -> Values:
    """Return the share of a capital that is paid each year, so that it is paid back with interest after `years`."""
    rate = np.asarray(interest, np.float64)
    growth = np.expm1(np.asarray(years, np.float64) * np.log1p(rate))  # (1 + i)**n - 1 without cancellation
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = rate * (growth + 1) / growth
    straight = 1 / np.asarray(years, np.float64)
    return _plain(np.where(rate == 0, straight, factor))


def available_hours(costs: OnSiteCosts) -> Values:
    """Return the node-hours per year that jobs can use."""
    return HOURS_A_YEAR * costs.nodes * costs.availability * (1 - costs.drained)


def fixed_cost(costs: OnSiteCosts) -> Values:
    """Return what a year costs if no node computes: capital, maintenance, staff, space, licences, idle power."""
    share = costs.installation_per_kw * costs.busy_kw + costs.node_price * (1 + costs.network_and_storage)
    capital = share - costs.residual_value / (1 + costs.interest) ** costs.life_years
    per_node = (
        capital * capital_recovery_factor(costs.interest, costs.life_years)
        + costs.maintenance * costs.node_price
        + costs.staff_fte * costs.fte_price
        + costs.space
        + costs.licences
        + HOURS_A_YEAR * costs.idle_share * costs.busy_kw * costs.pue * costs.electricity
    )
    return costs.nodes * per_node


def marginal_node_hour(costs: OnSiteCosts) -> Values:
    """Return what one more hour of computing costs on a node that is owned and idle: the additional electricity."""
    return (1 - costs.idle_share) * costs.busy_kw * costs.pue * costs.electricity


def annual_cost(costs: OnSiteCosts, utilisation: Values) -> Values:
    """Return what a year costs, in the currency of `costs`.

    Parameters
    ----------
    utilisation
        Share of the available node-hours in which a node computes, 0 to 1.
    """
    _utilisation(utilisation)
    return fixed_cost(costs) + marginal_node_hour(costs) * utilisation * available_hours(costs)


def node_hour(costs: OnSiteCosts, utilisation: Values) -> Values:
    """Return what an hour of a computing node costs at a utilisation above 0, in the currency of `costs`."""
    if (np.asarray(_utilisation(utilisation)) == 0).any():
        raise UsageError("utilisation: an unused node has no cost per used hour; write a share above 0, up to 1")
    return annual_cost(costs, utilisation) / (utilisation * available_hours(costs))


def _utilisation(value: Values) -> Values:
    numbers = np.asarray(value, np.float64)
    if not ((numbers >= 0) & (numbers <= 1)).all():
        raise UsageError(
            f"utilisation: {value} is not a share of the available hours; write a number between 0 and 1 (0.65)"
        )
    return value


def _plain(values: NDArray[np.float64]) -> Values:
    return float(values) if values.ndim == 0 else values
