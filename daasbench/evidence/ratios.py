"""Ratios of speeds on the tidy table: new against base, problem by problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from daasbench.errors import UsageError, unknown
from daasbench.evidence.claims import Decision, decision
from daasbench.evidence.disturbance import is_busy
from daasbench.statistics import Interval
from daasbench.statistics import ratio as ratio_of_medians

PROBLEM = ("kernel", "size", "seed", "input", "options", "basis")
"""Columns that are equal on both sides: what was computed, and whether it was measured."""

ENTRY = ("platform", "implementation", "version", "nodes", "ranks", "threads", "gpus", "cpu", "commit", "run")
"""Columns that tell two measurements of one problem apart."""

VERDICTS = {
    Decision.FASTER: "faster",
    Decision.SLOWER: "slower",
    Decision.UNDECIDED: "no clear difference",
    Decision.UNKNOWN: "too few processes",
    Decision.UNCERTAIN: "too uncertain to compare",
}
BUSY = "the machine was busy"
ENDS = ("low", "high", "least", "greatest")

FOLLOW = {  # columns that may differ with the compared column, where only one base exists
    "implementation": ("version", "nodes", "ranks", "threads", "gpus", "run"),
    "version": ("commit", "run"),
    "platform": ("nodes", "ranks", "threads", "gpus", "cpu", "run"),
    "commit": ("version", "run"),
    "cpu": ("platform", "run"),
    "nodes": ("ranks", "run"),
    "ranks": ("nodes", "threads", "run"),
    "threads": ("run",),
    "gpus": ("run",),
    "run": ("version", "commit"),
}


def ratio(table: pd.DataFrame, by: str = "implementation", *, base: Any, new: Any = None) -> pd.DataFrame:
    """Return how many times as fast `new` is as `base`, with the 95 % interval, for each problem of the table.

    Rows of several platforms, thread counts, commits or runs are never pooled: each has a row of its own, and is
    compared with the base that is equal in all of these. If there is none, but the problem has a single base, this
    one is taken where a difference is part of the comparison: numba with 2 threads is compared with numpy, which
    has 1. The table then says in which columns the two differ.

    Parameters
    ----------
    table
        A table of :func:`daasbench.load`, or some of its rows.
    by
        The column whose values are compared: implementation, version, platform, cpu, nodes, ranks, threads, gpus,
        commit or run.
    base
        The value of the base: ``"numpy"``.
    new
        The value to compare, or a list; default: all others.

    Returns
    -------
    pandas.DataFrame
        One row per problem and measurement of `new`: what was compared; `ratio` (above 1: `new` is faster than
        `base`), `verdict` (faster, slower, no clear difference, too few processes, too uncertain to compare, the
        machine was busy), `low` and `high` (the interval; NaN for fewer than three processes), `least` and `greatest`
        (the range of the ratios, which is no interval), `n` (processes), `method` (of the interval), and `differs`
        (further columns in which the two differ).

    Raises
    ------
    UsageError
        If the table has no such column or value, if it holds the same process twice, or if several bases fit and
        pooling them would be wrong.

    Examples
    --------
    ::

        table = daasbench.load("results")
        daasbench.ratio(table, base="numpy", new="numba")
        daasbench.ratio(table, by="threads", base=1, new=2)
        daasbench.ratio(table, by="commit", base="3f2a1c0d9e8b")
    """
    _check(table, by)
    wanted = None if new is None else list(new) if isinstance(new, list | tuple | set) else [new]
    for value in [base, *(wanted or [])]:
        if not pd.api.types.is_scalar(value):
            raise UsageError(f"ratio: {value!r} is no value of a column; write for example by='threads', base=1, new=2")
        if not (table[by] == value).any():
            known = [str(one) for one in table[by].dropna().unique()]
            raise unknown(by, str(value), known, "ratio: the table")
    rows = []
    for _, problem in _comparable(table).groupby(list(PROBLEM), dropna=False, sort=False):
        entries = [group for _, group in problem.groupby(list(ENTRY), dropna=False, sort=False)]
        bases = [entry for entry in entries if _same(entry[by].iloc[0], base)]
        for entry in entries:
            value = entry[by].iloc[0]
            if bases and not pd.isna(value) and value != base and (wanted is None or value in wanted):
                rows.append(_row(entry, _base_of(entry, bases, by), by))
    if not rows:
        raise UsageError(f"ratio: no problem has correct results of both {by} {base!r} and another; nothing to compare")
    return pd.DataFrame(rows)


def _check(table: pd.DataFrame, by: str) -> None:
    """Raise UsageError if the table is not one of `load`, or has a process twice."""
    if not isinstance(table, pd.DataFrame) or not {*PROBLEM, *ENTRY, "process", "median_s"} <= set(table.columns):
        raise UsageError("ratio: the first argument is not a table of daasbench.load(...); keep all of its columns")
    if by not in FOLLOW:
        raise unknown("column to compare", by, FOLLOW, "ratio")
    if table.duplicated([*PROBLEM, *ENTRY, "process"]).any():
        message = "the table has more than one row of the same process"
        raise UsageError(f"ratio: {message}; load each folder once, and without attempts=True")


def _comparable(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that may enter a comparison: correct; and no other process of the same measurement is wrong."""
    wrong = table[table["outcome"] == "wrong"][[*PROBLEM, *ENTRY]].drop_duplicates()
    marked = table.merge(wrong, on=[*PROBLEM, *ENTRY], how="left", indicator="found")
    counts = (marked["outcome"] == "ok") & (marked["median_s"] > 0) & (marked["found"] == "left_only")
    return marked[counts]


def _base_of(entry: pd.DataFrame, bases: list[pd.DataFrame], by: str) -> pd.DataFrame:
    """Return the base that an entry is compared with: equal in all else, or the only one."""
    free = (by, *FOLLOW[by])
    allowed = [one for one in bases if not set(_differing(entry, one)) - set(free)]
    if not allowed:
        columns = sorted({name for one in bases for name in _differing(entry, one) if name not in free})
        problem = f"the base and {by} {entry[by].iloc[0]!r} of {entry['kernel'].iloc[0]} also differ in"
        raise UsageError(f"ratio: {problem} {', '.join(columns)}; select rows of the table that are equal in these")
    fewest = min(len(_differing(entry, one)) for one in allowed)
    nearest = [one for one in allowed if len(_differing(entry, one)) == fewest]
    if len(nearest) > 1:
        columns = sorted({name for one in nearest for name in _differing(nearest[0], one)})
        message = f"{len(nearest)} bases fit {by} {entry[by].iloc[0]!r} of {entry['kernel'].iloc[0]}"
        raise UsageError(f"ratio: {message}; they differ in {', '.join(columns)}: select one of them from the table")
    return nearest[0]


def _differing(one: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    """Return the columns in which two entries differ."""
    first, second = one.iloc[0], other.iloc[0]
    return [name for name in ENTRY if not _same(first[name], second[name])]


def _same(one: Any, other: Any) -> bool:
    return bool(pd.isna(other)) if pd.isna(one) else not pd.isna(other) and bool(one == other)


def _row(new: pd.DataFrame, base: pd.DataFrame, by: str) -> dict[str, Any]:
    first, second = new.iloc[0], base.iloc[0]
    together = _same(first["run"], second["run"]) and _same(first["platform"], second["platform"])
    interval = _interval(_medians(new), _medians(base), together)
    differs = [name for name in _differing(new, base) if name not in (by, "run")]
    shown = {name: first[name] for name in (*PROBLEM[:-1], *ENTRY) if name != by}
    return {
        **shown,
        "base": second[by],
        "new": first[by],
        "ratio": interval.value,
        "verdict": BUSY if _is_disturbed(new) or _is_disturbed(base) else VERDICTS[decision(interval)],
        **{name: float("nan") if (end := getattr(interval, name)) is None else end for name in ENDS},
        "n": interval.n,
        "method": interval.method,
        "differs": ", ".join(f"{name} {second[name]} -> {first[name]}" for name in differs),
    }


def _is_disturbed(rows: pd.DataFrame) -> bool:
    """Return whether other programs made most of these processes too slow, as a report asks it of the records."""
    if "foreign_cpu" not in rows:
        return False
    return sum(is_busy(share) for share in rows["foreign_cpu"].dropna()) > len(rows) / 2


def _medians(rows: pd.DataFrame) -> Mapping[int, float]:
    return {int(process): float(median) for process, median in zip(rows["process"], rows["median_s"], strict=True)}


def _interval(new: Mapping[int, float], base: Mapping[int, float], together: bool) -> Interval:
    """Return the ratio of speeds; only processes of the same run and platform were measured alternately: paired."""
    if not together:
        new = {-1 - process: median for process, median in new.items()}
    return ratio_of_medians(base=new, new=base)
