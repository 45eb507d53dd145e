"""The tidy table: one row per case x platform x process (docs/reference/table.md)."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from daasbench.costs.price import Per, charged_units, per_second
from daasbench.errors import MissingRequirement, UsageError
from daasbench.evidence import roofline
from daasbench.evidence.columns import Columns, Ending, Scope
from daasbench.evidence.parallel_read import read_all
from daasbench.evidence.rows import Floats
from daasbench.evidence.units import UNITS
from daasbench.host.installation import command_here
from daasbench.host.output_files import replacing
from daasbench.model import Case, Outcome, Price
from daasbench.model.sizes import size_order
from daasbench.records.job_folders import job_folders, no_records

COLUMNS = (
    "run", "case", "platform", "kernel", "implementation", "version", "size", "seed", "input", "options",
    "nodes", "ranks", "threads", "gpus", "process", "attempt", "outcome", "reason", "message", "verified_by",
    "error", "tolerance", "repeats", "stop_reason", "median_s", "low_s", "high_s", "first_call_s", "make_s",
    "put_s", "get_s", "unit", "units", "units_per_s", "limit_name", "limit_fraction", "foreign_cpu",
    "peak_memory_bytes", "energy_j", "energy_basis", "basis", "started_at", "host", "cpu", "gpu", "commit",
    "cost", "currency", "cost_per_unit", "price_date", "price_basis",
)  # fmt: skip

Integers = NDArray[np.int64]
Cells = dict[str, object]  # column name: array of numpy or of pandas


def load(*folders: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], attempts: bool = False) -> pd.DataFrame:
    """Return the table of the records below `folders`: one row per case, platform and process.

    Parameters
    ----------
    folders
        Results folders, runs or jobs, one by one or as a list; default: ``results``. The rows of different folders
        are never joined, so that two measurements of the same cases can be compared.
    attempts
        Whether to show every attempt, instead of the last attempt per case, platform and process.

    Returns
    -------
    pandas.DataFrame
        A missing value is NA. ``table.attrs["units"]`` has the unit of each column. The page "The tidy table" of the
        documentation describes each column in detail.

        What was measured:
            run, case, platform, kernel, implementation, version, size, seed, input, options;
            nodes, ranks, threads, gpus (counts); process (index, from 0), attempt (from 1)
        How it ended:
            outcome (ok, wrong, failed, timeout, skipped), reason, message, verified_by;
            error and tolerance (in the unit of the kernel), repeats (count), stop_reason
        Times:
            median_s, low_s, high_s: of the repeats within the process, with a 95 % interval (s);
            first_call_s, make_s, put_s, get_s (s)
        Rates, only of correct results:
            unit, units (per repeat), units_per_s (unit/s); limit_name, limit_fraction (share of the limit, 1)
        The machine:
            foreign_cpu (share used by other programs, 0-1), peak_memory_bytes (B), energy_j (J), energy_basis;
            basis (measured, projected, rehearsed), started_at (UTC), host, cpu, gpu, commit
        Money, only where the platform has a price:
            cost (currency, per repeat), currency, cost_per_unit (currency/unit), price_date, price_basis

    Raises
    ------
    UsageError
        If a folder does not exist, or there are no records.
    LedgerError
        If a file cannot be read, or a newer daasbench wrote it.

    See Also
    --------
    daasbench.ratio : How many times as fast one implementation, commit or platform is as another.

    Examples
    --------
    ::

        table = daasbench.load("results")
        table[["kernel", "implementation", "threads", "median_s", "units_per_s"]]
    """
    columns = read_columns(*_each_folder(folders))
    return table_of(columns, ordered_rows(columns, attempts=attempts))


def _each_folder(folders: Sequence[Any]) -> list[str | os.PathLike[str]]:
    """Return the folders of arguments that are folders, or lists of them; raise UsageError for anything else."""
    found: list[str | os.PathLike[str]] = []
    for folder in folders:
        entries = folder if isinstance(folder, list | tuple | set) else [folder]
        for entry in entries:
            if not isinstance(entry, str | os.PathLike):
                message = 'is not the path of a folder; write load("results") or load(["monday", "tuesday"])'
                raise UsageError(f"load: {entry!r}: {message}")
            found.append(entry)
    return found


def read_columns(*folders: str | os.PathLike[str], keep: bool = False) -> Columns:
    """Return the records below `folders` as columns; `keep` keeps the whole records too."""
    paths = [Path(folder) for folder in folders or ("results",)]
    sources, warnings = job_folders(paths)
    columns = read_all(sources, keep=keep)
    if not len(columns.case):  # the run ended before its first measurement
        raise no_records(paths)
    columns.warnings[:0] = warnings
    return columns


def ordered_rows(columns: Columns, *, attempts: bool) -> Integers:
    """Return the indices of the attempts that the table shows, in its order.

    The order is by folder, case (kernel, input, size, options, implementation, resources), platform, process
    and attempt; it does not depend on the order of measuring.
    """
    root = np.array([columns.sources[scope.source].root for scope in columns.scopes], np.int64)[columns.scope]
    case = _ranks(columns.cases, _case_order)[columns.case]
    platform = _ranks(columns.scopes, lambda scope: scope.platform)[columns.scope]
    cell = [columns.numbers["process"], platform, case, root]
    order = np.lexsort([columns.numbers["attempt"], *cell])
    if not len(order):
        return order
    cells = np.array(cell)[:, order]
    first = np.append(True, (cells[:, 1:] != cells[:, :-1]).any(axis=0))
    group = np.empty(len(order), np.int64)
    group[order] = np.cumsum(first) - 1
    again = np.bincount(group)[group] > 1
    started = np.zeros(len(order))
    started[again] = [_seconds(columns.started_at[row]) for row in np.flatnonzero(again)]
    order = np.lexsort([columns.numbers["attempt"], started, group])
    if attempts:
        return order
    last = np.append(group[order][1:] != group[order][:-1], True)
    chosen: Integers = order[last]
    return chosen


def table_of(columns: Columns, rows: Integers) -> pd.DataFrame:
    """Return the tidy table of the attempts `rows`."""
    with ThreadPoolExecutor() as pool:  # pandas copies text without holding the interpreter's lock
        texts = [pool.submit(make, columns, rows) for make in (_case_cells, _scope_cells, _ending_cells)]
        return _table(columns, rows, texts)


def _table(columns: Columns, rows: Integers, texts: Sequence[Future[Cells]]) -> pd.DataFrame:
    """Return the table; other threads make the cells of text meanwhile."""
    cells: Cells = {}
    numbers = {name: values[rows] for name, values in columns.numbers.items()}
    outcome = np.array([ending.outcome for ending in columns.endings])[columns.ending[rows]]
    ok = outcome == Outcome.OK
    shown = ok | (outcome == Outcome.WRONG)  # other attempts did not finish: their samples are no measurement
    for name in ("median_s", "low_s", "high_s", "get_s", "foreign_cpu"):
        cells[name] = np.where(shown, numbers[name], np.nan)
    for name in ("error", "tolerance", "energy_j"):
        cells[name] = numbers[name]
    for name in ("process", "attempt", "repeats", "peak_memory_bytes"):
        cells[name] = _whole(numbers[name])
    cells["make_s"], cells["put_s"] = numbers["make"], numbers["put"]
    first = np.array([numbers["setup"], numbers["first_call"]])
    cells["first_call_s"] = np.where(np.isnan(first).all(axis=0), np.nan, np.nansum(first, axis=0))
    cells["started_at"] = _text([columns.started_at[row] for row in rows])
    median = np.where(ok, numbers["median_s"], np.nan)
    cells |= _work_cells(columns, rows, median)
    cells |= _money_cells(columns, rows, median, cast(Floats, cells["units"]))
    for text in texts:
        cells |= text.result()
    table = pd.DataFrame({name: cells[name] for name in COLUMNS}, copy=False)
    table.attrs["units"] = dict(UNITS)
    return table


def options_text(case: Case) -> str:
    """Return the options of a case and the names of its files as ``k=v k=v``; empty for none."""
    options = case.options | case.files | ({"cache": True} if case.cache else {})
    options |= {"start": case.start} if case.start else {}
    options |= {"quick": True} if case.quick else {}
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in options.items()}
    return " ".join(f"{name}={text}" for name, text in sorted(texts.items()))


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV; a missing cell is empty.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with replacing(path, "--csv") as part:
        table.to_csv(part, index=False, lineterminator="\n")


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write the table as Parquet.

    Raises
    ------
    MissingRequirement
        If pyarrow is not installed.
    OutputError
        If the file cannot be written.
    """
    try:
        import pyarrow  # noqa: F401  (checked before the file is touched)
    except ImportError as error:
        fix = command_here("pip install 'daasbench[parquet]'")
        raise MissingRequirement("Parquet needs pyarrow", fix) from error
    with replacing(path, "--parquet") as part:
        table.to_parquet(part, index=False, engine="pyarrow")


def _case_order(case: Case) -> tuple[object, ...]:
    problem = (case.kernel, case.input or "", size_order(case.size), case.seed or 0, options_text(case))
    return (*problem, case.implementation, case.version, case.nodes, case.ranks, case.threads, case.gpus, case.id)


def _ranks(things: Sequence[Any], order: Callable[[Any], Any]) -> Integers:
    """Return the rank of each thing in `order`; equal things have one rank."""
    keys = [order(thing) for thing in things]
    rank = {key: number for number, key in enumerate(sorted(set(keys)))}
    return np.array([rank[key] for key in keys], np.int64)


def _seconds(started_at: str) -> float:
    try:
        return datetime.datetime.fromisoformat(started_at).timestamp()
    except ValueError:
        return -np.inf


def _text(values: Sequence[str | None], codes: NDArray[np.integer[Any]] | None = None) -> Any:
    """Return text cells: `values`, or the values that `codes` select; empty text is a missing cell."""
    cells = pd.array([value or None for value in values], dtype="str")
    return cells if codes is None else cells.take(codes)


def _whole(values: Floats) -> Any:
    missing = np.isnan(values)
    return pd.arrays.IntegerArray(np.where(missing, 0, values).astype(np.int64), missing)


def _case_cells(columns: Columns, rows: Integers) -> Cells:
    codes, cases = columns.case[rows], columns.cases
    cells: Cells = {
        name: _text([getattr(case, name) for case in cases], codes)
        for name in ("kernel", "implementation", "version", "size", "input")
    }
    cells["case"] = _text([case.id for case in cases], codes)
    cells["options"] = _text([options_text(case) for case in cases], codes)
    for name in ("seed", "nodes", "ranks", "threads", "gpus"):
        cells[name] = pd.array([getattr(case, name) for case in cases], dtype="Int64").take(codes)
    return cells


def _scope_cells(columns: Columns, rows: Integers) -> Cells:
    codes, scopes = columns.scope[rows], columns.scopes
    machines = [columns.machines.get((scope.source, scope.machine or "")) for scope in scopes]
    cells: Cells = {
        name: _text([getattr(scope, name) for scope in scopes], codes) for name in ("run", "platform", "commit")
    }
    for name in ("host", "cpu", "gpu"):
        cells[name] = _text([getattr(machine, name, None) for machine in machines], codes)
    return cells


def _ending_cells(columns: Columns, rows: Integers) -> Cells:
    codes = columns.ending[rows]
    return {name: _text([getattr(ending, name) for ending in columns.endings], codes) for name in Ending._fields}


def _work_cells(columns: Columns, rows: Integers, median: Floats) -> Cells:
    """Return the cells of work and limits; `median` is NaN where a row must not enter a comparison."""
    codes, works = columns.work[rows], columns.works
    units = np.array([work.units if work else np.nan for work in works], np.float64)[codes]
    limits = [columns.limits.get((scope.source, scope.limits or "")) for scope in columns.scopes]
    demands, rates = roofline.demands(works)[codes], roofline.rates(limits)[columns.scope[rows]]
    name, least = roofline.least_times(demands, rates)
    measured = median > 0
    rate, fraction = (
        np.divide(part, median, out=np.full(len(rows), np.nan), where=measured) for part in (units, least)
    )
    return {
        "unit": _text([work.unit if work else None for work in works], codes),
        "units": units,
        "units_per_s": rate,
        "limit_name": _text([*roofline.NAMES, None], np.where(measured, name, -1)),
        "limit_fraction": fraction,
    }


def _money_cells(columns: Columns, rows: Integers, median: Floats, units: Floats) -> Cells:
    """Return the cells of costs; empty where a row has no cost."""
    prices = [_price(columns, scope) for scope in columns.scopes]
    kinds: tuple[Per, ...] = get_args(Per)
    charged = np.array(
        [[charged_units(kind, c.nodes, c.ranks, c.threads, c.ranks * c.gpus) for kind in kinds] for c in columns.cases]
    )
    each = np.array([per_second(price) if price else np.nan for price in prices])
    kind = np.array([kinds.index(price.per) if price else 0 for price in prices])
    scope = columns.scope[rows]
    quantity = charged[columns.case[rows], kind[scope]]
    cost = np.where(quantity > 0, each[scope] * quantity * median, np.nan)
    codes = np.where(np.isnan(cost), len(prices), scope)

    def texts(text: Callable[[Price], str]) -> Any:
        return _text([*(text(price) if price else None for price in prices), None], codes)

    return {
        "cost": cost,
        "currency": texts(lambda price: price.currency),
        "cost_per_unit": np.divide(cost, units, out=np.full(len(rows), np.nan), where=units > 0),
        "price_date": texts(lambda price: price.date.isoformat()),
        "price_basis": texts(lambda price: price.basis),
    }


def _price(columns: Columns, scope: Scope) -> Price | None:
    job = columns.sources[scope.source].job
    return job.platform.price if job else None
