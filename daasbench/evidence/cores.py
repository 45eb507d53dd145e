"""How many cores a case used, and when that is known.

The operating system adds the processor time of a thread to that of its process at every tick of the scheduler (1 to
10 ms), and at once only for the thread that asks. Each repeat is therefore off by a part of a tick for each other
thread. For repeats of 1 ms this error is larger than what is measured: it once gave 3.04 cores for 2 threads. So no
figure is given where the error may be above a tenth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from daasbench.model import Record

TICK_S = 0.01  # the longest tick of a scheduler that is in use
ERROR_OF_A_WINDOW = 1 / math.sqrt(6)  # of a tick: standard deviation of the difference of two times within a tick
LARGEST_ERROR = 0.1  # of the processor time


def cores_used(records: Sequence[Record], cores: float | None = None) -> float | None:
    """Return the processor seconds per second of some processes together; None if they are too short to tell.

    Parameters
    ----------
    cores
        How many the machine has: a figure that is above it by its error only is this number.
    """
    used_s = wall_s = 0.0
    repeats = 0
    for record in records:
        counted = record.samples.counted() if record.samples else []
        if record.cores_used is None or not counted:
            continue
        used_s += record.cores_used * sum(counted)
        wall_s += sum(counted)
        repeats += len(counted)
    if not used_s:
        return None
    value = used_s / wall_s
    error_s = ERROR_OF_A_WINDOW * TICK_S * math.sqrt(repeats) * max(1.0, math.ceil(value) - 1)
    if error_s > LARGEST_ERROR * used_s:
        return None
    return cores if cores is not None and cores < value <= (1 + LARGEST_ERROR) * cores else value
