"""Slices are shared between the workers of a Dask cluster; each computes its own as `with_numba.py` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daasbench.authoring.partition import over_workers
from daasbench.contracts import Resources, Spread

from . import with_numba

if TYPE_CHECKING:
    from .problem import Problem


def prepare(problem: Problem, resources: Resources) -> Spread:
    """Return the way to share the slices of a block between Dask workers."""
    return over_workers(with_numba.prepare, problem, resources)
