"""Positions are partitioned over ranks; each computes its part as `with_numba.py` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daasbench.authoring import Partitioned, Resources, partition_over_ranks

from . import with_numba

if TYPE_CHECKING:
    from .problem import Problem


def prepare(problem: Problem, resources: Resources) -> Partitioned:
    """Return the partition of the positions of a block over ranks."""
    return partition_over_ranks(with_numba.prepare, problem, resources)
