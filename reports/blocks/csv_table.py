"""Figures as CSV: units in the names of the columns, a missing figure is an empty cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from daasbench.statistics import Interval


def csv_text(rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> str:
    """Return rows of equal keys as CSV; `columns` are the header where there is no row."""
    written = io.StringIO()
    writer = csv.DictWriter(written, fieldnames=list(rows[0]) if rows else columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def interval_cells(name: str, found: Interval | None) -> dict[str, object]:
    """Return value, low and high under ``name``, ``name_low`` and ``name_high``; all empty without a value."""
    return {
        name: found.value if found else None,
        f"{name}_low": found.low if found else None,
        f"{name}_high": found.high if found else None,
    }
