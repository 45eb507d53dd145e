"""The worst-case price of what is not done yet, and whether a budget allows it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from daasbench.costs.price import worst_case
from daasbench.errors import BudgetError
from daasbench.jobs.time_limits import wall_time_limit_s
from daasbench.model import Job


def ceiling(job: Job) -> tuple[Decimal, str] | None:
    """Return the worst-case price of a job and its currency; None where the platform declares no price."""
    price = job.platform.price
    if price is None:
        return None
    widest = max(job.planned, key=lambda one: one.case.ranks * one.case.threads).case
    nodes = max(one.case.nodes for one in job.planned)
    gpus = max(one.case.ranks * one.case.gpus for one in job.planned)
    return worst_case(wall_time_limit_s(job), nodes, widest.ranks, widest.threads, gpus, price), price.currency


def check_budget(jobs: Sequence[Job], budget: tuple[Decimal, str | None] | None) -> list[str]:
    """Raise BudgetError if the worst case of everything that is not done costs more than `budget`, or has no price.

    Return a sentence where only some of it has: the budget says nothing of the rest.
    """
    if budget is None or not jobs:
        return []
    amount, currency = budget
    worst: dict[str, Decimal] = {}
    unpriced: dict[str, None] = {}
    for job in jobs:
        if found := ceiling(job):
            worst[found[1]] = worst.get(found[1], Decimal(0)) + found[0]
        else:
            unpriced[job.platform_name] = None
    free = f"platform{'s' if len(unpriced) > 1 else ''} {', '.join(unpriced)}"
    if not worst:
        raise BudgetError(
            f"--budget: {free} declare{'' if len(unpriced) > 1 else 's'} no price, so nothing would be held back;"
            " nothing was started: declare a price (daasbench list platforms names an example), or leave out --budget"
        )
    for unit, total in worst.items():
        if currency is not None and unit != currency:
            raise BudgetError(
                f"the budget is in {currency} and the platform's price in {unit}; give --budget in {unit}"
            )
        if total > amount:
            raise BudgetError(
                f"the worst case of what is not done costs {total} {unit}, more than the budget of {amount} {unit};"
                " nothing was started: raise --budget, or lower repeat.limit_s or repeat.processes"
            )
    if len(worst) > 1:
        raise BudgetError(f"the platforms' prices are in {', '.join(sorted(worst))}; a budget needs one currency")
    return [f"--budget says nothing of {free}: no price is declared there"] if unpriced else []
