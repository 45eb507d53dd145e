"""The Dask workers of one case: how they are started, the checks that they are as requested, and their supervision.

There are four sources: processes of the client on its node, a running cluster, jobs of Slurm (dask-jobqueue) and MPI
ranks (dask-mpi). The entry point is :func:`daasbench.measure.dask.client.gather_workers`.
"""

from __future__ import annotations

from daasbench.measure.dask.options import ClusterOptions, cluster_options, computes_elsewhere, most_wait_s

__all__ = ["ClusterOptions", "cluster_options", "computes_elsewhere", "most_wait_s"]
