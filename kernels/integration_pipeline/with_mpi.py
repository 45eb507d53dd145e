"""Frames are partitioned over MPI ranks, which integrate as `with_numba.py` does; one file is written at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daasbench.authoring import Partitioned, Resources, partition_over_ranks
from daasbench.formats.chunks import cut_image, frame_count

from . import with_numba
from .profiles import joined

if TYPE_CHECKING:
    from .problem import Problem


def prepare(problem: Problem, resources: Resources) -> Partitioned:
    """Return the partition of the frames of a block over MPI ranks."""
    return partition_over_ranks(with_numba.prepare, problem, resources, count=frame_count, cut=cut_image, join=joined)
