"""Rows: the part of a record that the table needs, and arrays of many rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from daasbench.statistics import intervals

Floats = NDArray[np.float64]
Number = TypeVar("Number", np.float64, np.int64)

NUMBERS = ("process", "attempt", "error", "tolerance", "peak_memory_bytes", "energy_j")


class Phases(msgspec.Struct, frozen=True, gc=False):
    """Seconds of the phases before the repeats."""

    make: float | None = None
    put: float | None = None
    setup: float | None = None
    first_call: float | None = None


class RowSamples(msgspec.Struct, gc=False):
    """The columns of samples that have a statistic in the table."""

    seconds: list[float] = []
    flags: list[int] = []
    foreign: list[float] = []
    get_s: list[float] = []


_NO_SAMPLES = RowSamples()


class TableRow(msgspec.Struct, tag="record", kw_only=True, gc=False):
    """The part of a :class:`~daasbench.model.Record` that the table shows, in the order of its lines."""

    key: str
    run: str
    job: str
    platform: str
    process: int
    attempt: int = 1
    case: msgspec.Raw
    outcome: Literal["ok", "wrong", "failed", "timeout", "skipped"]
    reason: str | None = None
    message: str = ""
    verified_by: str | None = None
    error: float | None = None
    tolerance: float | None = None
    samples: RowSamples | None = None
    phases: Phases = Phases()
    stop_reason: str | None = None
    work: msgspec.Raw = msgspec.Raw(b"null")
    peak_memory_bytes: int | None = None
    energy_j: float | None = None
    energy_basis: str = "none"
    basis: str = "measured"
    started_at: str = ""
    machine: str | None = None
    limits: str | None = None
    commit: str = ""
    schema: int


class Head(msgspec.Struct, tag="round"):
    """The attempt that a round belongs to."""

    key: str
    attempt: int


def arrays(rows: Sequence[TableRow]) -> dict[str, Floats]:
    """Return the numbers of rows as columns, NaN for missing, with the statistics of their samples."""
    phases = _floats(Phases.__struct_fields__, [row.phases for row in rows])
    return _floats(NUMBERS, rows) | phases | _sample_statistics([row.samples or _NO_SAMPLES for row in rows])


def _floats(names: tuple[str, ...], things: Sequence[object]) -> dict[str, Floats]:
    """Return the attributes of all things, one column per attribute; NaN for None."""
    columns = zip(*map(attrgetter(*names), things), strict=True)
    return {name: np.array(column, np.float64) for name, column in zip(names, columns, strict=True)}


def _sample_statistics(samples: list[RowSamples]) -> dict[str, Floats]:
    """Return the statistics over the counted samples of each record."""
    flags, lengths = _flat([s.flags for s in samples], np.int64)
    counts = flags == 0
    row = np.repeat(np.arange(len(samples)), lengths)

    def counted(columns: list[list[float]]) -> tuple[Floats, NDArray[np.int64]]:
        """Return the counted values of a column; a record with an incomplete column has none."""
        values, found = _flat(columns, np.float64)
        whole = found == lengths
        present = whole[row]
        if not whole.all():
            values = values[np.repeat(whole, found)]
        return values[counts[present]], np.bincount(row[present & counts], minlength=len(samples))

    seconds, repeats = counted([s.seconds for s in samples])
    median, low, high = intervals.median_intervals(seconds, repeats)
    return {
        "repeats": repeats.astype(np.float64),
        "median_s": median,
        "low_s": low,
        "high_s": high,
        "get_s": intervals.medians(*counted([s.get_s for s in samples])),
        "foreign_cpu": intervals.medians(*counted([s.foreign for s in samples])),
    }


def _flat(columns: Sequence[Sequence[float]], dtype: type[Number]) -> tuple[NDArray[Number], NDArray[np.int64]]:
    """Return the values of all columns, column after column, and the length of each."""
    lengths = np.fromiter(map(len, columns), np.int64, len(columns))
    return np.fromiter(chain.from_iterable(columns), dtype, int(lengths.sum())), lengths
