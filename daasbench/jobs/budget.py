"""The worst-case price of the measurements that remain, and whether a budget allows it."""

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
    cases = [planned.case for planned in job.planned]
    widest = max(cases, key=lambda case: case.ranks * case.threads)
    nodes = max(case.nodes for case in cases)
    gpus = max(case.ranks * case.gpus for case in cases)
    return worst_case(wall_time_limit_s(job), nodes, widest.ranks, widest.threads, gpus, price), price.currency


def check_budget(jobs: Sequence[Job], budget: tuple[Decimal, str | None] | None) -> list[str]:
    """Raise BudgetError if the worst case of all remaining jobs costs more than `budget`, or if none has a price.

    Return a message on the platforms without a price, to which the budget does not apply.
    """
    if budget is None or not jobs:
        return []
    amount, currency = budget
    worst: dict[str, Decimal] = {}
    unpriced: dict[str, None] = {}
    for job in jobs:
        if price := ceiling(job):
            worst[price[1]] = worst.get(price[1], Decimal(0)) + price[0]
        else:
            unpriced[job.platform_name] = None
    free = f"platform{'s' if len(unpriced) > 1 else ''} {', '.join(unpriced)}"
    if not worst:
        raise BudgetError(
            f"--budget has no effect: {free} declare{'' if len(unpriced) > 1 else 's'} no price; nothing was started:"
            " declare a price (daasbench show platform here-priced is an example), or remove --budget"
        )
    for unit, total in worst.items():
        if currency is not None and unit != currency:
            raise BudgetError(
                f"the budget is in {currency} and the platform's price in {unit}; give --budget in {unit}"
            )
        if total > amount:
            raise BudgetError(
                f"the remaining measurements may cost up to {total} {unit}, more than the budget of {amount} {unit};"
                " nothing was started: raise --budget, or lower repeat.limit_s or repeat.processes"
            )
    if len(worst) > 1:
        raise BudgetError(f"the platforms' prices are in {', '.join(sorted(worst))}; a budget needs one currency")
    return [f"--budget has no effect on {free}: no price is declared"] if unpriced else []
