"""What a person sees while a run continues: new records, changes of state of jobs, and what is being done."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from daasbench.model import Job, Record


class News(msgspec.Struct, frozen=True, kw_only=True):
    """One item of news: a record or a message, and how many of the run's measurements are done."""

    job: str
    done: int
    total: int
    record: Record | None = None
    message: str = ""


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """What a job is doing while no measurement ends: ``measuring the limits of this machine (2 threads)``.

    The next record or phase of the job replaces it.
    """

    text: str
    job: str = ""


Tell = Callable[[News | Phase], None]


class NewsFeed:
    """Counts measurements and passes each item of news to `tell`."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._done, self._total = tell, 0, 0

    def expect(self, jobs: Iterable[Job]) -> None:
        """Count the measurements of more jobs."""
        self._total += sum(len(job.planned) for job in jobs)

    def record(self, job: Job, record: Record) -> None:
        """Report a new record of a job."""
        self._done += 1
        self._tell(News(job=job.id, done=self._done, total=self._total, record=record))

    def note(self, message: str) -> None:
        """Report a message on the run."""
        self._tell(News(job="", done=self._done, total=self._total, message=message))

    def message(self, job: Job, message: str) -> None:
        """Report a message on a job."""
        self._tell(News(job=job.id, done=self._done, total=self._total, message=message))

    def phase(self, job: Job, text: str) -> None:
        """Report what a job is doing."""
        self._tell(Phase(job=job.id, text=text))
