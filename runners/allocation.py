"""The allocation that a job needs: nodes, tasks, cores and GPUs of the largest of its cases. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from daasbench.model import Case


class Allocation(msgspec.Struct, frozen=True, order=True):
    """What a job requests from a cluster."""

    nodes: int
    tasks: int  # per node
    cores: int  # per task
    gpus: int  # per node


def allocation_of(cases: Sequence[Case]) -> Allocation:
    """Return the smallest allocation into which each of the cases fits."""
    tasks = max(-(-case.ranks // case.nodes) for case in cases)
    cores = max(case.cores_per_node for case in cases)
    gpus = max(case.gpus * -(-case.ranks // case.nodes) for case in cases)  # each rank has its own
    return Allocation(nodes=max(case.nodes for case in cases), tasks=tasks, cores=-(-cores // tasks), gpus=gpus)
