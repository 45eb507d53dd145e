"""The upper bound of a job's wall time, which schedulers and price ceilings use."""

from __future__ import annotations

from daasbench.measure import input_process
from daasbench.measure.dask import most_wait_s
from daasbench.measure.job_limits import LIMITS_TIMEOUT_S
from daasbench.model import Job


def wall_time_limit_s(job: Job) -> float:
    """Return the most that a job can take: every process, and the making of inputs and limits, at their limits.

    If another program starts the Dask workers of a process, the platform's wait for them is added per process.
    """
    sets = {(planned.process, planned.case.problem_id) for planned in job.planned}
    probed = {planned.case.cores_per_node for planned in job.planned} if job.limits.measure else set()
    making_s = input_process.limit_s(job.repeat.limit_s) * len(sets) + LIMITS_TIMEOUT_S * len(probed)
    processes = sum(2 if planned.case.start else 1 for planned in job.planned)  # a measured start is rehearsed
    return making_s + processes * (job.repeat.hard_limit_s + most_wait_s(job.platform))
