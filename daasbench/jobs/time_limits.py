"""How long a job can take at most: what a scheduler is asked for, and what a price ceiling is made of."""

from __future__ import annotations

from daasbench.measure import input_process
from daasbench.measure.dask import most_wait_s
from daasbench.model import Job
from daasbench.worker import LIMITS_TIMEOUT_S


def wall_time_limit_s(job: Job) -> float:
    """Return the longest that a job can take: every process, and the makers of inputs and limits, at their limits.

    Where another program starts the Dask workers of each process, they are waited for as long as the platform says.
    """
    sets = {(one.process, one.case.problem_id) for one in job.planned}
    probed = {one.case.cores_per_node for one in job.planned}
    making_s = input_process.limit_s(job.repeat.limit_s) * len(sets) + LIMITS_TIMEOUT_S * len(probed)
    processes = sum(2 if one.case.start else 1 for one in job.planned)  # a start is rehearsed
    return making_s + processes * (job.repeat.hard_limit_s + most_wait_s(job.platform))
