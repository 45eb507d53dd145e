"""The Dask workers of one case: where they come from, that they are as asked, and that they are all still there.

Four ways to have them: processes of the contender's own, a cluster that runs already, jobs of Slurm (dask-jobqueue)
and ranks of MPI (dask-mpi). :func:`.team.gather_workers` is the door.
"""

from __future__ import annotations

from daasbench.measure.dask.options import ClusterOptions, cluster_options, computes_elsewhere, most_wait_s

__all__ = ["ClusterOptions", "cluster_options", "computes_elsewhere", "most_wait_s"]
