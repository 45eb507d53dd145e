"""Job folders below any folder: a results folder, a run, a job, or a copy of some of them.

The layout is that of :mod:`daasbench.records.layout`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daasbench.errors import UsageError
from daasbench.model import Event, Job
from daasbench.records.job_file import read_job
from daasbench.records.journal import read_events
from daasbench.records.layout import JOB_FILE, JOURNAL_FILE, RECORDS_FILE, SCENARIO_FILE


@dataclass(frozen=True, kw_only=True)
class JobFolder:
    """The folder of one job; `root` is the index of the given folder that contains it."""

    root: int
    path: Path
    job: Job | None

    @property
    def records(self) -> Path:
        """Return the path of its records, which may not exist yet."""
        return self.path / RECORDS_FILE

    def scenario(self) -> Path | None:
        """Return the scenario of its run, in this folder or at most two folders above; None if there is none."""
        for folder in (self.path, *self.path.parents[:2]):
            if (folder / SCENARIO_FILE).is_file():
                return folder / SCENARIO_FILE
        return None

    def events(self) -> list[Event]:
        """Return the events of the journal next to the scenario of its run; empty if there is none."""
        scenario = self.scenario()
        if scenario is not None:
            with contextlib.suppress(OSError):
                return read_events(scenario.parent / JOURNAL_FILE)
        return []


def job_folders(folders: Sequence[Path]) -> tuple[list[JobFolder], list[str]]:
    """Return every job folder below `folders`, sorted by path and without duplicates, and warnings.

    Raises
    ------
    UsageError
        If a folder does not exist or is a file of something else, or there is no ``records.jsonl`` below any of them.
    LedgerError
        If a file cannot be read, or a newer daasbench wrote it.
    """
    found: dict[Path, JobFolder] = {}
    warnings: list[str] = []
    for root, folder in enumerate(folders):
        if not folder.exists():
            raise _no_folder(folder)
        if folder.is_file() and folder.name not in (RECORDS_FILE, JOB_FILE):
            raise UsageError(f"{folder}: is not a folder; name a folder that daasbench run wrote")
        start = folder.resolve() if folder.is_dir() else folder.resolve().parent
        files = [*start.rglob(RECORDS_FILE), *start.rglob(JOB_FILE)]
        for path in sorted({file.parent for file in files} - found.keys()):
            job, problem = read_job(path / JOB_FILE)
            found[path] = JobFolder(root=root, path=path, job=job)
            if problem:
                warnings.append(f"{problem}; its records have no price, and its missing cases cannot be listed")
    if not any(job_folder.records.is_file() for job_folder in found.values()):
        raise no_records(folders)
    return list(found.values()), warnings


def _no_folder(folder: Path) -> UsageError:
    if str(folder) == "results":  # the default: a person who asks before the first run named nothing
        return UsageError(f"{folder}: nothing measured yet: daasbench run quickstart")
    return UsageError(f"{folder}: no such folder; name a folder that daasbench run wrote")


def no_records(folders: Sequence[Path]) -> UsageError:
    """Return the error for folders in which nothing has been measured yet."""
    where = ", ".join(map(str, folders))
    return UsageError(f"{where}: no records; name another folder, or measure first: daasbench run quickstart")
