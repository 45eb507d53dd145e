"""Pixels are partitioned over ranks; each rank sums as `with_numba.py` does, and rank 0 adds the sums of the rings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daasbench.authoring import Partitioned, Resources, partition_over_ranks

from . import with_numba
from .parts import Joined, part_of, pixel_count

if TYPE_CHECKING:
    from .problem import Problem


def prepare(problem: Problem, resources: Resources) -> Partitioned:
    """Return the functions that compute a block whose pixels are partitioned over ranks."""
    join = Joined(problem.schedule)
    return partition_over_ranks(with_numba.prepare_sums, problem, resources, count=pixel_count, cut=part_of, join=join)
