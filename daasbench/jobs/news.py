"""What a person sees while a run continues: new records, changes of state of jobs, and what is being done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

import msgspec

from daasbench.model import Job, Record, sets_of


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
        self._ended: dict[str, set[str]] = {}  # by job: the keys of the measurements that have a record

    def expect(self, jobs: Iterable[Job]) -> None:
        """Count the measurements of more jobs."""
        self._total += sum(len(job.planned) for job in jobs)

    def started(self, job: Job) -> None:
        """Report that a job of this machine has started."""
        if text := _next_measured(job, set()):
            self.phase(job, text)

    def record(self, job: Job, record: Record) -> None:
        """Report a new record of a job."""
        self._done += 1
        self._tell(News(job=job.id, done=self._done, total=self._total, record=record))
        ended = self._ended.setdefault(job.id, set())
        ended.add(record.key)
        if text := _next_measured(job, ended):
            self.phase(job, text)

    def note(self, message: str) -> None:
        """Report a message on the run."""
        self._tell(News(job="", done=self._done, total=self._total, message=message))

    def message(self, job: Job, message: str) -> None:
        """Report a message on a job."""
        self._tell(News(job=job.id, done=self._done, total=self._total, message=message))

    def phase(self, job: Job, text: str) -> None:
        """Report what a job is doing."""
        self._tell(Phase(job=job.id, text=text))


def _next_measured(job: Job, ended: Set[str]) -> str:
    """Return which comparison a job measures now: the first without all of its records; empty if there is none."""
    remaining = next((cases for cases in sets_of(job) if any(one.key not in ended for one in cases)), [])
    if not remaining or any(one.key in ended for one in remaining):  # the rest of these comes at the same time
        return ""
    first = remaining[0]
    what = first.case.size or (first.case.input or "").rpartition("/")[2]
    names = ", ".join(dict.fromkeys(one.case.implementation for one in remaining))
    return f"measuring {first.case.kernel}, {what}, process {first.process + 1}: {names}"
