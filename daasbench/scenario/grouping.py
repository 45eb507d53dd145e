"""Jobs: cases that share an allocation on one platform; and resume keys."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from daasbench import registry
from daasbench.contracts import Queue
from daasbench.model import Case, Job, Planned, digest
from daasbench.scenario.plan import Plan


def resume_key(case: Case, platform: str, process: int, commit: str) -> str:
    """Return the hash that identifies one measurement: case, platform, process index, suite commit."""
    return digest([case.id, platform, process, commit])


def group(plan: Plan, planned: Mapping[str, Sequence[Planned]], *, run: str, first: int, commit: str) -> list[Job]:
    """Return one job per platform, in random order; several per platform if platforms are interleaved.

    The order of the sets (and, on the node, of the rounds) is derived from the name of the run, which is in the job.
    Therefore the order can be reproduced later.
    """
    jobs = []
    for number, (name, todo, interleaved_with) in enumerate(_visits(plan, planned, run), start=first):
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
                limits=plan.scenario.limits,
                commit=commit,
                sources={kernel: source for kernel, source in kernels.items() if source},
                inputs={cell.case.input_hash: cell.paths for cell in plan.cells if cell.case.input_hash},
                order_seed=seed,
                interleaved_with=interleaved_with,
            )
        )
    return jobs


Visit = tuple[str, Sequence[Planned], list[str]]  # a platform, its cases, the platforms interleaved with it


def _visits(plan: Plan, planned: Mapping[str, Sequence[Planned]], run: str) -> list[Visit]:
    """Return the platforms in the order in which their jobs are run, with the cases of each job.

    Platforms on one machine are not measured one after the other: the state of the machine changes slowly, and this
    drift would look like a difference between the platforms. Instead, each set of processes runs on all of them, in
    its own random order.
    """
    if len(planned) < 2:
        return [(name, todo, []) for name, todo in planned.items()]
    local = [name for name in sorted(planned) if not isinstance(registry.runner(plan.platforms[name].runner), Queue)]
    if len(local) < 2:
        return [(name, todo, []) for name, todo in sorted(planned.items())]
    visits: list[Visit] = [(name, planned[name], []) for name in sorted(planned) if name not in local]
    for process in sorted({case.process for name in local for case in planned[name]}):
        order = list(local)
        random.Random(digest([run, process])).shuffle(order)
        for name in order:
            todo = [case for case in planned[name] if case.process == process]
            if todo:
                visits.append((name, todo, [other for other in local if other != name]))
    return visits
