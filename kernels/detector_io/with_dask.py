"""Frames are partitioned over the workers of a Dask cluster; each computes its part as `with_numba.py` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daasbench.authoring import Partitioned, Resources, partition_over_workers
from daasbench.formats.chunks import cut_image, frame_count, join_images

from . import with_numba

if TYPE_CHECKING:
    from .problem import Problem


def prepare(problem: Problem, resources: Resources) -> Partitioned:
    """Return the partition of the frames of a block; when writing, the parts are joined into one file at the end."""
    if problem.direction == "read":
        return partition_over_workers(with_numba.prepare, problem, resources, count=frame_count, cut=cut_image)
    return partition_over_workers(with_numba.prepare, problem, resources, join=join_images)
