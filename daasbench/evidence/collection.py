"""The evidence: everything that a report may use, read once from files."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from daasbench.evidence.columns import Columns
from daasbench.evidence.table import ordered_rows, read_columns, table_of
from daasbench.model import Event, Job, Limits, Machine, Noun, Planned, Record


class Missing(Noun, frozen=True, kw_only=True):
    """A planned case without a record: a gap, which a report must explain."""

    run: str
    job: str
    platform: str
    planned: Planned


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Records, machines, limits, jobs and scenarios of some results folders.

    Attributes
    ----------
    table
        The tidy table, last attempts only.
    records
        The whole records, one per row of `table`, in its order.
    machines, limits
        By the id that records refer to (a hash of their content, so that files can be joined).
    jobs
        By ``run/job``.
    scenarios
        The text of each run's scenario, by run.
    planned_missing
        The planned cases without a record of any attempt.
    warnings
        Sentences on files and lines that could not be read.
    journals
        The events of each run, by run; empty where a folder has records only.
    """

    table: pd.DataFrame
    records: list[Record]
    machines: dict[str, Machine]
    limits: dict[str, Limits]
    jobs: dict[str, Job]
    scenarios: dict[str, str]
    planned_missing: list[Missing]
    warnings: list[str]
    journals: dict[str, list[Event]] = field(default_factory=dict)

    @property
    def not_yet_run(self) -> int:
        """Return how many planned measurements have no record: of jobs that never began, the journal has the number."""
        known = Counter(run for run, _ in {(record.run, record.key) for record in self.records})
        planned = Counter(missing.run for missing in self.planned_missing)
        for run, events in self.journals.items():
            asked = next((event.detail.get("measurements") for event in events if event.event == "created"), None)
            if isinstance(asked, int) and not any(event.event == "finished" for event in events):
                planned[run] = max(planned[run], asked - known[run])
        return planned.total()


def gather(*folders: str | os.PathLike[str]) -> Evidence:
    """Return the evidence below `folders` (default: ``results``); it takes some 5 kB of memory per record.

    Raises
    ------
    UsageError
        If a folder does not exist, or there are no records.
    LedgerError
        If a file cannot be read, or a newer daasbench wrote it.
    """
    columns = read_columns(*folders, keep=True)
    rows = ordered_rows(columns, attempts=False)
    jobs = {f"{source.job.run}/{source.job.id}": source.job for source in columns.sources if source.job}
    known = {record.key for record in columns.records}  # of any attempt
    missing = {  # by key: the last job that planned it
        planned.key: Missing(run=job.run, job=job.id, platform=job.platform_name, planned=planned)
        for job in jobs.values()
        for planned in job.planned
        if planned.key not in known
    }
    return Evidence(
        table=table_of(columns, rows),
        records=[columns.records[row] for row in rows],
        machines={name: machine for (_, name), machine in columns.machines.items()},
        limits={name: limits for (_, name), limits in columns.limits.items()},
        jobs=jobs,
        scenarios=_scenarios(columns),
        planned_missing=list(missing.values()),
        warnings=columns.warnings,
        journals=_journals(columns),
    )


def _journals(columns: Columns) -> dict[str, list[Event]]:
    """Return the journal of each run; torn lines are excluded."""
    journals: dict[str, list[Event]] = {}
    for source in columns.sources:
        if source.job is not None and source.job.run not in journals and source.scenario() is not None:
            journals[source.job.run] = source.events()
    return journals


def _scenarios(columns: Columns) -> dict[str, str]:
    texts: dict[str, str] = {}
    for source in columns.sources:
        path = source.scenario()
        if path is not None:
            texts.setdefault(source.job.run if source.job else path.parent.name, path.read_text("utf-8", "replace"))
    return texts
