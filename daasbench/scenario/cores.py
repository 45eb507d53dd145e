"""How the cores of a node are shared among ranks and their threads."""

from __future__ import annotations

from typing import Literal

Count = int | Literal["max"]


def share_cores(cores: int, nodes: int, ranks: Count, threads: Count) -> tuple[int, int]:
    """Return ranks (on all nodes together) and threads per rank; each ``"max"`` becomes a number that fits the cores.

    If one of them is ``"max"``, it uses all cores that the other does not use. If both are, each core has one rank of
    one thread.
    """
    if ranks == "max":
        each = 1 if threads == "max" else int(threads)
        return max(1, cores // each) * nodes, each
    if threads == "max":
        return int(ranks), max(1, cores // -(-int(ranks) // nodes))
    return int(ranks), int(threads)
