"""Multi-tau as in the textbooks: ring by ring, some pixels at a time, level by level, lag by lag, in double precision.

g2 of a ring q at a lag of k rows of a level::

    g2 = <I(p, t) I(p, t + k)> / (<I(p, t)> <I(p, t + k)>)

averaged over the pixels p of the ring and over the ``rows - k`` pairs: normalised symmetrically, by the earlier rows
and by the later ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

from .definition import F64, Schedule, Sums
from .parts import frames_of, labels_of

if TYPE_CHECKING:
    from .problem import Problem

NUMBERS = 1 << 21  # float64 in memory at a time


def prepare(problem: Problem, resources: Resources | None = None) -> Callable[[Any], F64]:  # noqa: ARG001  (one thread)
    """Return the function that turns a block of frames into g2, f64[lags, q]."""

    def compute(block: Any) -> F64:
        labels = labels_of(problem, block)
        return sums_of(frames_of(block), labels, range(1, problem.rings + 1), problem.schedule).g2(problem.schedule)

    return compute


def sums_of(
    counts: NDArray[np.uint16], labels: NDArray[np.int32], rings: range | NDArray[np.int64], schedule: Schedule
) -> Sums:
    """Return the sums over u16[frames, pixels] of some of the `rings`, in their order."""
    shape = (schedule.lags.size, len(rings))
    sums = Sums(product=np.zeros(shape), past=np.zeros(shape), future=np.zeros(shape), pixels=np.zeros(len(rings)))
    batch = max(1, NUMBERS // len(counts))
    for column, ring in enumerate(rings):
        members = np.flatnonzero(labels == ring)
        sums.pixels[column] = members.size
        for first in range(0, members.size, batch):
            _add(counts[:, members[first : first + batch]].astype(np.float64), schedule, sums, column)
    return sums


def _add(rows: F64, schedule: Schedule, sums: Sums, column: int) -> None:
    """Add pixels f64[frames, pixels] of one ring to its sums."""
    level = 0
    for index, (wanted, channel) in enumerate(zip(schedule.level, schedule.channel, strict=True)):
        if wanted > level:
            rows = rows[: len(rows) // 2 * 2].reshape(-1, 2, rows.shape[1]).sum(axis=1)
            level += 1
        earlier, later = rows[: len(rows) - channel], rows[channel:]
        sums.product[index, column] += np.einsum("tp,tp->", earlier, later)
        sums.past[index, column] += earlier.sum()
        sums.future[index, column] += later.sum()
