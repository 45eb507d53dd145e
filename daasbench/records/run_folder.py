"""The folder of one run: its scenario, its journal, its jobs, and its lock."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from daasbench.model import Event, Job, Scalar
from daasbench.records import journal
from daasbench.records.job_file import read_job
from daasbench.records.layout import JOB_FILE, JOBS_FOLDER, JOURNAL_FILE, LOCK_FILE, SCRATCH_FOLDER
from daasbench.records.lock import Holder, RunLock


class RunFolder:
    """One run: a scenario on some platforms, which is continued until every planned case has an outcome."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = RunLock(path / LOCK_FILE)

    @property
    def id(self) -> str:
        """Return the run's name."""
        return self.path.name

    @property
    def results(self) -> Path:
        """Return the results folder that holds the run."""
        return self.path.parent.parent

    @property
    def journal(self) -> Path:
        """Return the journal's path."""
        return self.path / JOURNAL_FILE

    @property
    def jobs_path(self) -> Path:
        """Return the folder of the folders of all jobs."""
        return self.path / JOBS_FOLDER

    # --- jobs

    def job_folder(self, job: str) -> Path:
        """Return the folder of a job."""
        return self.jobs_path / job

    def job_ids(self) -> list[str]:
        """Return the jobs that were ever planned, in order."""
        names = [path.name for path in self.jobs_path.glob("*") if path.is_dir()]
        return sorted(names, key=lambda name: (len(name.partition("-")[0]), name))  # 1000-x after 999-x

    def next_job(self) -> int:
        """Return the number of the next job: one more than that of any earlier job, even if that was removed."""
        noted = {event.job for event in self.events() if event.job}
        numbers = [name.partition("-")[0] for name in (*self.job_ids(), *noted)]
        return max((int(number) for number in numbers if number.isdecimal()), default=0) + 1

    def jobs(self) -> Iterator[Job]:
        """Yield every job that may have been sent; a job whose file was never completed is excluded.

        Raises
        ------
        LedgerError
            If a file exists and cannot be read, or a newer daasbench wrote it: then it is not known what was sent.
        """
        for name in self.job_ids():
            job = read_job(self.job_folder(name) / JOB_FILE).job
            if job is not None:
                yield job

    def asked(self) -> tuple[list[str], int]:
        """Return the resume keys that were planned under the latest commit, and the number that the scenario requests.

        There are fewer keys if a controller ended before all jobs had their files.
        """
        jobs = list(self.jobs())
        keys = list(
            dict.fromkeys(planned.key for job in jobs if job.commit == jobs[-1].commit for planned in job.planned)
        )
        created = self.created()
        count = created.detail.get("measurements") if created else None
        return keys, max(len(keys), count if isinstance(count, int) else 0)

    def sweep(self, at_work: Collection[str] = ()) -> None:
        """Remove the inputs of killed workers; only for the holder of the lock. `at_work`: jobs that still run."""
        for folder in self.jobs_path.glob(f"*/{SCRATCH_FOLDER}"):
            if folder.parent.name not in at_work:
                shutil.rmtree(folder, ignore_errors=True)

    def sweep_job(self, job: str) -> None:
        """Remove the inputs of one job that has ended."""
        shutil.rmtree(self.job_folder(job) / SCRATCH_FOLDER, ignore_errors=True)

    # --- the journal

    def events(self) -> list[Event]:
        """Return the events of the journal; none if there is no journal yet."""
        with contextlib.suppress(FileNotFoundError):
            return journal.read_events(self.journal)
        return []

    def note(self, at: str, event: str, job: str | None = None, **detail: Scalar | None) -> None:
        """Append an event to the journal; see :meth:`note_all`."""
        self.note_all([Event(at=at, event=event, job=job, detail=detail)])

    def note_all(self, events: Sequence[Event]) -> None:
        """Append events to the journal; they are on the disk when this returns.

        Raises
        ------
        LedgerError, UsageError
            If the journal cannot be written; nothing outside was changed.
        """
        journal.append_events(self.journal, events)

    def unsettled(self) -> dict[str, Event]:
        """Return, by job, the last event of each job that was sent and is not accounted for."""
        return journal.unsettled(self.events())

    def created(self) -> Event | None:
        """Return the journal's first event, which identifies the run; None if it was lost."""
        return next((event for event in self.events() if event.event == "created"), None)

    def finished(self) -> bool:
        """Return whether the run was once complete: every planned case had an outcome."""
        return any(event.event == "finished" for event in self.events())

    # --- the lock

    @property
    def lock_descriptor(self) -> int | None:
        """Return the descriptor of the lock while this process holds it, for workers to inherit."""
        return self._lock.descriptor

    def holder(self) -> Holder | None:
        """Return the controller that holds the run, or None; does not wait."""
        return self._lock.holder()

    @contextlib.contextmanager
    def locked(self, at: str) -> Iterator[None]:
        """Hold the run; see :meth:`RunLock.held`."""
        with self._lock.held(at):
            yield
