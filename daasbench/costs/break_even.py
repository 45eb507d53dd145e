"""Own or rent: from which utilisation on a node of one's own is cheaper, and how many nodes to own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from daasbench.costs.on_site import OnSiteCosts, Values, available_hours, fixed_cost, marginal_node_hour
from daasbench.errors import UsageError


def break_even_utilisation(costs: OnSiteCosts, cloud_node_hour: Values, speed: Values = 1.0) -> Values:
    """Return the utilisation above which owning is cheaper than renting.

    ``F / (H (p g - v))``: fixed yearly cost, available hours, cloud price, node-hours in the cloud per node-hour on
    site, marginal cost of a node-hour on site.

    Parameters
    ----------
    cloud_node_hour
        The price of an hour of the cloud node, in the currency of `costs`.
    speed
        Node-hours in the cloud per node-hour on site, for the same kernel, measured (g).

    Returns
    -------
    A share of the available hours. Above 1: renting is cheaper at every utilisation. Infinite: an hour of the cloud
    costs no more than the electricity of the owned node.
    """
    if (np.asarray(cloud_node_hour) < 0).any() or (np.asarray(speed) <= 0).any():
        raise UsageError("a price of a node-hour is 0 or more, and a ratio of node-hours above 0")
    saved = np.asarray(cloud_node_hour * speed - marginal_node_hour(costs), np.float64)
    with np.errstate(divide="ignore"):
        share = np.where(saved > 0, fixed_cost(costs) / (available_hours(costs) * np.maximum(saved, 0)), np.inf)
    return float(share) if share.ndim == 0 else share


def nodes_to_own(demand: Sequence[float], threshold: float) -> int:
    """Return how many nodes to own: the n-th one if demand reaches n nodes for at least `threshold` of the time.

    Parameters
    ----------
    demand
        Nodes in use, at equally spaced times (the load-duration curve is their sorted list).
    threshold
        The break-even utilisation, 0 to 1; above 1 nothing is owned.
    """
    loads = np.asarray(demand, np.float64)
    if not loads.size or not np.isfinite(loads).all() or (loads < 0).any():
        raise UsageError("demand: at least one number of nodes is needed, and none may be negative or not finite")
    if not threshold > 0:
        raise UsageError(f"threshold: {threshold} is not a utilisation; write a share above 0")
    count = 0
    while (loads >= count + 1).mean() >= threshold:
        count += 1
    return count
