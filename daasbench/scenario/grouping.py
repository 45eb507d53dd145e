"""Cases that share an allocation become jobs; resume keys."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from daasbench import registry
from daasbench.contracts import Queue
from daasbench.model import Case, Job, Planned, digest
from daasbench.scenario.plan import Plan


def resume_key(case: Case, platform: str, process: int, commit: str) -> str:
    """Return what identifies one cell of the ledger: case, platform, process index, suite commit."""
    return digest([case.id, platform, process, commit])


def group(plan: Plan, planned: Mapping[str, Sequence[Planned]], *, run: str, first: int, commit: str) -> list[Job]:
    """Return one job a platform from what is to be done there, its order randomised; several where they take turns.

    The order of the sets (and, on the node, of the contenders' turns) follows from the run's name, which the
    job carries, so that it can be told afterwards.
    """
    jobs = []
    for number, (name, todo, beside) in enumerate(_visits(plan, planned, run), start=first):
        seed = int(digest([run, number]), 16) % 2**32
        order = list(todo)
        random.Random(seed).shuffle(order)
        kernels = {cell.case.kernel: cell.source for cell in plan.cells if cell.source}
        jobs.append(
            Job(
                id=f"{number:03d}-{name}",
                run=run,
                platform_name=name,
                platform=plan.platforms[name],
                planned=order,
                repeat=plan.scenario.repeat,
                commit=commit,
                sources={kernel: source for kernel, source in kernels.items() if source},
                inputs={c.case.input_hash: c.paths for c in plan.cells if c.case.input_hash},
                order_seed=seed,
                interleaved_with=beside,
            )
        )
    return jobs


Visit = tuple[str, Sequence[Planned], list[str]]  # a platform, what is measured there, who takes turns with it


def _visits(plan: Plan, planned: Mapping[str, Sequence[Planned]], run: str) -> list[Visit]:
    """Return who is visited when, and for what.

    Platforms whose jobs are run one after the other would each meet the machine in another state, and its drift
    would be taken for a difference: so each set of processes visits all of them, in an order of its own.
    """
    if len(planned) < 2:
        return [(name, todo, []) for name, todo in planned.items()]
    near = [name for name in sorted(planned) if not isinstance(registry.runner(plan.platforms[name].runner), Queue)]
    if len(near) < 2:
        return [(name, todo, []) for name, todo in sorted(planned.items())]
    visits: list[Visit] = [(name, planned[name], []) for name in sorted(planned) if name not in near]
    for process in sorted({one.process for name in near for one in planned[name]}):
        order = list(near)
        random.Random(digest([run, process])).shuffle(order)
        for name in order:
            todo = [one for one in planned[name] if one.process == process]
            if todo:
                visits.append((name, todo, [other for other in near if other != name]))
    return visits
