"""The message probes: ranks exchange whole numbers, and every received number is added up.

=================  ============================================================================================
``mpi_latency``    rank 0 sends a message to the last rank, which sends it back; half of a round trip
``mpi_bandwidth``  rank 0 sends `WINDOW` messages at once to the last rank, which answers when it has them all
``mpi_allreduce``  every rank gets the sum of all ranks' vectors
``mpi_alltoall``   every rank sends another message to every rank
=================  ============================================================================================

The result has, for each rank that received messages and for each message, the sum of its numbers times `weights`. The
sums are exact whole numbers, so that one wrong number is detected. There are few sums, even for many ranks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Parameters, Work

from .options import ProbesOptions

F64 = NDArray[np.float64]

WINDOW = 16
_LARGEST, _WEIGHTS = 127, 8  # so that sums over a thousand ranks and a million numbers stay exact
_FEWER = 500  # times fewer exchanges of large messages than of small ones


def message_elements(parameters: Parameters, options: ProbesOptions) -> int:
    """Return how many float64 one message has."""
    if options.message_bytes is not None:
        return options.message_bytes // 8
    return 1 if options.probe == "mpi_latency" else int(parameters["message"])


def rounds(parameters: Parameters, options: ProbesOptions) -> int:
    """Return how many exchanges one repeat makes."""
    few = options.probe == "mpi_bandwidth" or message_elements(parameters, options) > 1024
    return max(1, int(parameters["exchanges"]) // (_FEWER if few else 1))


def work(parameters: Parameters, options: ProbesOptions) -> Work:
    """Return the work of one repeat; `messages_bytes` is the minimum for each of two ranks."""
    count, size = rounds(parameters, options), 8.0 * message_elements(parameters, options)
    if options.probe == "mpi_bandwidth":
        sent = WINDOW * count * size
        return Work(unit="GB", units=sent / 1e9, bytes=sent, messages_bytes=sent, input_bytes=size)
    units = {"mpi_latency": ("message", 2.0 * count)}
    unit, number = units.get(options.probe, ("operation", float(count)))
    return Work(unit=unit, units=number, bytes=count * size, messages_bytes=count * size, input_bytes=size)


def block(parameters: Parameters, options: ProbesOptions, rng: np.random.Generator) -> dict[str, Any]:
    """Return the numbers of a message."""
    elements = message_elements(parameters, options)
    return {"message": rng.integers(-_LARGEST, _LARGEST, elements, endpoint=True).astype(np.float64)}


def weights(elements: int) -> F64:
    """Return f64[elements], none of them 0."""
    return np.random.default_rng(0).integers(1, _WEIGHTS + 1, elements).astype(np.float64)


def error(probe: str, inputs: dict[str, Any], result: dict[str, F64]) -> float:
    """Return the largest error of the sums `checks` f64[ranks, messages]; NaN if they are missing."""
    if "seconds" in result:  # a peer that checks nothing: verify at least that it has measured something
        return 0.0 if np.isfinite(result["seconds"]).all() and (result["seconds"] > 0).all() else float("nan")
    message, checks = inputs["message"], np.asarray(result["checks"])
    if checks.ndim != 2:
        return float("nan")
    expected = expected_checks(probe, message, len(checks))
    return float(np.abs(checks - expected).max()) if checks.shape == expected.shape else float("nan")


def expected_checks(probe: str, message: F64, ranks: int) -> F64:
    """Return f64[ranks, messages]: the correct sums of each rank."""
    factors = weights(message.size)
    once, total = float(message @ factors), float(factors.sum())
    if probe == "mpi_latency":
        return np.full((2, 1), once)
    if probe == "mpi_allreduce":
        return np.full((ranks, 1), once * ranks * (ranks + 1) / 2)
    receiver, sender = np.indices((ranks, ranks))
    numbers = np.arange(WINDOW)[None] if probe == "mpi_bandwidth" else sender * ranks + receiver
    return np.asarray(once + total * numbers, np.float64)
