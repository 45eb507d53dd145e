"""The cost of resources for a time, at a dated price.

A charge and a ceiling are ``Decimal``; the cost of a measured repeat is an estimate and float64.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Literal

from daasbench.model import Price

HOUR_S = 3600
CENT = Decimal("0.01")

Per = Literal["node-hour", "core-hour", "gpu-hour"]


def charged_units(per: Per, nodes: int, ranks: int, threads: int, gpus: int) -> int:
    """Return how many units of a price a case occupies: nodes, cores (ranks x threads) or GPUs.

    0 GPUs is 0 units: where only GPUs have a price, the cost of a case without a GPU is unknown, not zero.
    """
    return {"node-hour": nodes, "core-hour": ranks * threads, "gpu-hour": gpus}[per]


def per_second(price: Price) -> float:
    """Return the cost of one unit (node, core or GPU) per second, in the currency of `price`; an estimate."""
    return float(Decimal(price.amount) / HOUR_S)


def worst_case(seconds: float, nodes: int, ranks: int, threads: int, gpus: int, price: Price) -> Decimal:
    """Return the highest possible cost of these resources for `seconds`, rounded up to whole cents.

    Parameters
    ----------
    seconds
        The longest time that they can be held: time limit x processes, and the set-up.
    nodes, ranks, threads, gpus
        The resources of the allocation, used or not; see :func:`charged_units`.
    """
    units = charged_units(price.per, nodes, ranks, threads, gpus)
    exact = Decimal(price.amount) * units * Decimal(seconds) / HOUR_S
    return exact.quantize(CENT, rounding=ROUND_CEILING)
