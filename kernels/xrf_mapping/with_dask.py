"""Pixels are partitioned over the workers of a Dask cluster; each worker fits as `with_numba.py` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daasbench.authoring import Partitioned, Resources, partition_over_workers

from . import with_numba

if TYPE_CHECKING:
    from .problem import Problem


def prepare(problem: Problem, resources: Resources) -> Partitioned:
    """Return the functions that compute a block whose pixels are partitioned over Dask workers."""
    return partition_over_workers(with_numba.prepare, problem, resources)
