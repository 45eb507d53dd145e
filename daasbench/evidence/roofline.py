"""The shortest time that the measured limits of a machine allow for a given work.

The roofline model of Williams, Waterman and Patterson (doi:10.1145/1498765.1498785), with the limits that were
measured on the same machine instead of those of a data sheet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from daasbench.model import Limits, Work

NAMES = ("memory_read", "memory_triad", "matmul_float32", "matmul_float64")
PROBES = ("read", "triad", "matmul_float32", "matmul_float64")  # of NAMES, as in Limits.values

MOSTLY_READ = 0.1  # below this ratio of output to input, writes do not slow the memory down

Floats = NDArray[np.float64]


def rates(limits: Sequence[Limits | None]) -> Floats:
    """Return the measured limits, one row per machine, one column per NAMES; in bytes/s and flop/s, or NaN.

    A machine that moves some bytes per second in a triad reads at least as many: where the probe of reading was slower,
    something disturbed it, and the rate of the triad is the limit.
    """
    table = np.full((len(limits), len(PROBES)), np.nan)
    for row, measured in enumerate(limits):
        for column, probe in enumerate(PROBES):
            if measured is not None and probe in measured.values:
                table[row, column] = measured.values[probe].value
    read = NAMES.index("memory_read")
    slower = table[:, read] < table[:, NAMES.index("memory_triad")]
    table[slower, read] = table[slower, NAMES.index("memory_triad")]
    return table


def demands(works: Sequence[Work | None]) -> Floats:
    """Return the bytes or flop that each work needs, one row per work, one column per NAMES; NaN where unknown.

    Memory counts as a read where less than a tenth of the input is written, else as a triad.
    """
    table = np.zeros((len(works), len(NAMES)))
    for row, work in enumerate(works):
        if work is None or (work.bytes <= 0 and work.flop <= 0):
            table[row] = np.nan
            continue
        reads = work.output_bytes < MOSTLY_READ * work.input_bytes
        table[row, 0 if reads else 1] = work.bytes
        table[row, 2 if work.flop_type == "float32" else 3] = work.flop
    return table


def least_times(demands: Floats, rates: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return, for each row, the index into NAMES of the limit that bounds it, and the shortest time in seconds.

    The index is -1 and the time NaN where a limit that is needed was not measured.
    """
    seconds = np.where(demands == 0, 0.0, demands / rates)
    least: Floats = seconds.max(axis=1, initial=0.0)  # NaN if any is
    known = least > 0
    return np.where(known, np.argmax(np.nan_to_num(seconds), axis=1), -1), np.where(known, least, np.nan)
