"""A facility shared by several sites: how long jobs wait in separate and in pooled nodes (Erlang C).

References
----------
.. [1] A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic
   telephone exchanges", Elektrotkeknikeren 13 (1917).
"""

from __future__ import annotations

from daasbench.errors import UsageError


def probability_of_waiting(nodes: int, load: float) -> float:
    """Return the probability that a job has to wait (M/M/n, Erlang C).

    Parameters
    ----------
    nodes
        Number of nodes, each for one job at a time.
    load
        Nodes that are busy on average (arrivals per hour x hours per job), below `nodes`.
    """
    if nodes < 1 or not 0 <= load < nodes:
        raise UsageError(f"{load:g} busy nodes of {nodes}: the queue of a facility is finite only below its nodes")
    blocking = 1.0  # Erlang B, by its recursion, which does not overflow
    for count in range(1, nodes + 1):
        blocking = load * blocking / (count + load * blocking)
    busy = load / nodes
    return blocking / (1 - busy * (1 - blocking))


def mean_wait(nodes: int, load: float, service_h: float) -> float:
    """Return the mean time in the queue, hours, for jobs that run `service_h` hours on average."""
    return probability_of_waiting(nodes, load) * service_h / (nodes - load)


def pooled_load(nodes: int, service_h: float, wait_h: float) -> float:
    """Return the highest load of `nodes` at which the mean wait is at most `wait_h` hours."""
    low, high = 0.0, float(nodes)
    for _ in range(60):
        middle = (low + high) / 2
        if middle < nodes and mean_wait(nodes, middle, service_h) <= wait_h:
            low = middle
        else:
            high = middle
    return low
