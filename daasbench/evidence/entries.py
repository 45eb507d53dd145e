"""From evidence to entries: one implementation of one problem on one platform, with all its processes.

This is the edge of a report: past it there is no table, no NaN and no column name.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from daasbench import registry
from daasbench.errors import UsageError
from daasbench.evidence.cores import cores_used
from daasbench.model import Basis, Case, Machine, Outcome, Price, Record
from daasbench.statistics import Interval, across_processes, phase_interval, ratio

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

COLUMNS = (
    "median_s", "get_s", "limit_name", "limit_fraction", "foreign_cpu", "currency", "cost_per_unit",
    "price_date", "price_basis",
)  # fmt: skip
SETS_OF_A_RUN = 1_000_000  # more than any run has
# The gravest outcome is first: one wrong process makes the whole entry wrong.
GRAVITY = (Outcome.WRONG, Outcome.FAILED, Outcome.TIMEOUT, Outcome.SKIPPED, Outcome.OK)


@dataclass(frozen=True, kw_only=True, eq=False)
class ProcessResult:
    """One line of the tidy table with its record: one process, its last attempt."""

    record: Record
    median_s: float | None
    get_s: float | None
    limit_name: str | None
    limit_fraction: float | None
    foreign_cpu: float | None
    currency: str | None
    cost_per_unit: float | None
    price_date: str | None
    price_basis: str | None

    @property
    def counts(self) -> bool:
        """Return whether this process may enter a figure: correct, with a positive median."""
        return self.record.outcome is Outcome.OK and self.median_s is not None and self.median_s > 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """One implementation of one problem on one platform, on one basis, from one commit of the suite."""

    rows: tuple[ProcessResult, ...]
    machine: Machine | None
    price: Price | None
    peer: bool | None  # None: neither the record nor an installed kernel says
    adds: str = ""

    @property
    def first(self) -> Record:
        """Return a record with what all processes share: case, platform, basis, commit."""
        return self.rows[0].record

    @property
    def case(self) -> Case:
        """Return the case."""
        return self.first.case

    @property
    def platform(self) -> str:
        """Return the platform's name."""
        return self.first.platform

    @property
    def basis(self) -> Basis:
        """Return whether the figures are measured, projected or rehearsed."""
        return self.first.basis

    @property
    def started_at(self) -> str:
        """Return when its newest process started, UTC."""
        return max(row.record.started_at for row in self.rows)

    @property
    def is_reference(self) -> bool:
        """Return whether this is the plain numpy reference."""
        return self.case.implementation == "numpy"

    @cached_property
    def outcomes(self) -> Counter[Outcome]:
        """Return how many processes ended how."""
        return Counter(row.record.outcome for row in self.rows)

    @cached_property
    def outcome(self) -> Outcome:
        """Return the gravest outcome of its processes."""
        return next(outcome for outcome in GRAVITY if outcome in self.outcomes)

    @cached_property
    def counted(self) -> tuple[ProcessResult, ...]:
        """Return the processes that may enter a comparison: none if any process was wrong."""
        if Outcome.WRONG in self.outcomes:
            return ()
        return tuple(row for row in self.rows if row.counts)

    @cached_property
    def medians(self) -> Mapping[int, float]:
        """Return the median seconds of one repeat, by the index of the set of processes."""
        return self._by_set({row: row.median_s for row in self.counted if row.median_s is not None})

    @cached_property
    def time(self) -> Interval | None:
        """Return the seconds of one repeat with the interval across processes; None if nothing counts."""
        return across_processes(list(self.medians.values())) if self.medians else None

    @cached_property
    def speed(self) -> Interval | None:
        """Return units of work per second, repeats where units are not known; None if nothing counts."""
        found, units = self.time, self.units or 1.0
        if found is None:
            return None

        def inverse(seconds: float | None) -> float | None:
            return units / seconds if seconds else None

        return Interval(
            value=units / found.value, low=inverse(found.high), high=inverse(found.low), n=found.n,
            method=found.method, least=inverse(found.greatest), greatest=inverse(found.least),
        )  # fmt: skip

    @property
    def seconds(self) -> float:
        """Return the seconds of one repeat; infinite if nothing counts (it sorts last)."""
        return self.time.value if self.time else math.inf

    @cached_property
    def units(self) -> float | None:
        """Return the units of scientific work in one repeat."""
        work = next((row.record.work for row in self.rows if row.record.work), None)
        return work.units if work else None

    @cached_property
    def unit(self) -> str:
        """Return the unit of scientific work, ``"repeat"`` where it is not known."""
        return next((row.record.work.unit for row in self.rows if row.record.work), "repeat")

    @cached_property
    def fraction(self) -> Interval | None:
        """Return the fraction of the machine's limit, 0-1."""
        values = [row.limit_fraction for row in self.counted if row.limit_fraction]
        return across_processes(values) if values else None

    @property
    def limit_name(self) -> str | None:
        """Return the name of the limit that bounds this entry."""
        return next((row.limit_name for row in self.counted if row.limit_name), None)

    @cached_property
    def cost(self) -> Interval | None:
        """Return the cost per unit in the currency of its price; None without a price."""
        values = [row.cost_per_unit for row in self.counted if row.cost_per_unit]
        return across_processes(values) if values else None

    @property
    def verified_by(self) -> str | None:
        """Return what verified every repeat of every process; None if any has no verification."""
        words = {row.record.verified_by for row in self.counted}
        return " and ".join(sorted(word for word in words if word)) if words and None not in words else None

    @property
    def worst(self) -> ProcessResult | None:
        """Return the process with the largest error that was seen."""
        seen = [row for row in self.rows if row.record.error is not None and not math.isnan(row.record.error)]
        return max(seen, key=lambda row: row.record.error or 0.0, default=None)

    @property
    def cores_used(self) -> float | None:
        """Return the processor seconds per second that were observed; None where the repeats are too short to tell."""
        return cores_used([row.record for row in self.counted], self._usable_cores)

    def phase(self, name: str) -> float | None:
        """Return the seconds of a phase across the processes that saw it; `compute` is the :attr:`time`."""
        if name == "compute":
            return self.time.value if self.time else None
        if name == "get":
            seen = [row.get_s for row in self.counted if row.get_s is not None]
        else:
            seen = [row.record.phases[name] for row in self.counted if name in row.record.phases]
        return phase_interval(seen).value if seen else None

    def times_as_fast_as(self, base: Entry, per_core: bool = False) -> Interval | None:
        """Return the ratio of speeds, this over `base`, with its interval; None if either has nothing to compare.

        Only processes of the same set are paired: those of another run or platform did not take turns.
        """
        mine, theirs = self._measures(per_core), base._measures(per_core)
        if not mine or not theirs:
            return None
        sets = [{(row.record.run, row.record.job) for row in one.counted} for one in (self, base)]
        if sets[0] != sets[1]:
            theirs = {-1 - index: seconds for index, seconds in theirs.items()}
        return ratio(base=mine, new=theirs)

    def _measures(self, per_core: bool) -> Mapping[int, float]:
        if not per_core:
            return self.medians
        used = {row: cores_used([row.record], self._usable_cores) for row in self.counted}
        return self._by_set({row: row.median_s * cores for row, cores in used.items() if row.median_s and cores})

    @property
    def _usable_cores(self) -> float | None:
        """Return how many cores the case could use at most; None where the machine is not known."""
        if self.machine is None or self.first.workers:
            return None
        return float(self.machine.usable_cores * self.case.nodes)

    def _by_set(self, seconds: Mapping[ProcessResult, float]) -> Mapping[int, float]:
        """Return `seconds` by a number for each set of processes: its index, counted on through several runs."""
        jobs = sorted({(row.record.run, row.record.job) for row in self.rows})
        return {
            row.record.process + SETS_OF_A_RUN * jobs.index((row.record.run, row.record.job)): value
            for row, value in seconds.items()
        }


def entries(evidence: Evidence) -> list[Entry]:
    """Return every entry of the evidence, in the order in which the table first names it."""
    grouped: dict[tuple[str, ...], list[ProcessResult]] = {}
    for row in _rows(evidence):
        record = row.record
        shape = (record.case.id, record.platform, record.basis, record.commit)
        grouped.setdefault(shape, []).append(row)
    cards = {kernel: card(kernel) for kernel in sorted({rows[0].record.case.kernel for rows in grouped.values()})}
    return [_entry(evidence, rows, cards[rows[0].record.case.kernel]) for rows in grouped.values()]


def _entry(evidence: Evidence, rows: list[ProcessResult], kernel: Any) -> Entry:
    rows.sort(key=lambda row: row.record.process)
    record = rows[0].record
    job = evidence.jobs.get(f"{record.run}/{record.job}")
    known = kernel.implementations.get(record.case.implementation) if kernel else None
    return Entry(
        rows=tuple(rows),
        machine=evidence.machines.get(record.machine or ""),
        price=job.platform.price if job else None,
        peer=record.peer if record.peer is not None else known.peer if known else None,
        adds=known.adds if known else "",
    )


def card(kernel: str) -> Any:
    """Return the installed kernel of that name, or None: a report is written also where it is not installed."""
    try:
        return registry.kernel(kernel)
    except UsageError:
        return None


def _rows(evidence: Evidence) -> Iterator[ProcessResult]:
    table = evidence.table
    columns = {name: _cells(table[name]) for name in COLUMNS if name in table.columns}
    for index, record in enumerate(evidence.records):
        cells = {name: columns[name][index] if name in columns else None for name in COLUMNS}
        if cells["price_date"] is not None:
            cells["price_date"] = str(cells["price_date"])[:10]
        yield ProcessResult(record=record, **cells)


def _cells(column: Any) -> list[Any]:
    """Return a column of the table as plain values, None where it has nothing."""
    return [value if there else None for value, there in zip(column.tolist(), column.notna(), strict=True)]
