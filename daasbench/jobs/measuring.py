"""The measurements of one run, sent job by job until none is outstanding and the answers are as precise as asked."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from daasbench.jobs.budget import check_budget
from daasbench.jobs.further_sets import (
    added_message,
    imprecise,
    imprecise_message,
    measurements_of,
    measurements_so_far,
)
from daasbench.jobs.outstanding import Measurement, jobs_of, key_of, outstanding, sets
from daasbench.jobs.tracker import JobTracker
from daasbench.model import Job
from daasbench.records.progress import Progress, progress
from daasbench.records.run_folder import RunFolder
from daasbench.scenario.plan import Plan


class Measuring:
    """What one call of `run` measures; for the holder of the run's lock.

    Attributes
    ----------
    measurements
        All that the run is to measure: the first sets of processes, and the further sets that were added so far.
    measured
        How many measurements this call has sent or followed.
    """

    def __init__(
        self, plan: Plan, folder: RunFolder, tracker: JobTracker, *, commit: str, redact: bool = False
    ) -> None:
        self.plan, self.folder, self.tracker, self.commit, self.redact = plan, folder, tracker, commit, redact
        self.repeat = plan.scenario.repeat
        self.measurements = measurements_so_far(plan, folder, commit)
        self.measured = len(tracker.jobs.keys())

    def keys(self) -> list[str]:
        """Return the resume keys of the measurements."""
        return [key_of(cell, process, self.commit) for process, cell in self.measurements]

    def check(self, budget: tuple[Decimal, str | None] | None) -> None:
        """Raise BudgetError if what is outstanding, with every further set, may cost more than `budget`."""
        done = progress(self.folder.path)
        if done.unreadable:
            lines = "1 line is" if done.unreadable == 1 else f"{done.unreadable} lines are"
            message = f"{self.folder.path}: {lines} incomplete, because a process was killed; not used"
            self.tracker.jobs.messages.append(message)
        if budget is not None:
            jobs = self._jobs(done, sets(self.plan, self.repeat.most_processes))
            queued = [tracked.job for tracked in self.tracker.jobs.tracked.values()]
            self.tracker.jobs.messages += check_budget([*jobs, *queued], budget)

    def run(self, *, detach: bool = False) -> None:
        """Measure what is outstanding, and add sets of processes while an answer is less precise than asked.

        With `detach`, jobs of a queue are sent and not awaited; then no set is added before they are collected.
        """
        todo = self.measurements
        while todo:
            jobs = self._jobs(progress(self.folder.path), todo)
            self.measured += sum(len(job.planned) for job in jobs)
            self.tracker.send(jobs)
            self.tracker.poll() if detach else self.tracker.follow()
            todo = self._further_sets() if self.repeat.adds_processes and not self._remain() else []
            self.measurements = [*self.measurements, *todo]

    def _jobs(self, done: Progress, measurements: Sequence[Measurement]) -> list[Job]:
        todo = outstanding(self.plan, measurements, self.commit, done, self.tracker.jobs.keys())
        made = jobs_of(self.plan, todo, run=self.folder.id, first=self.folder.next_job(), commit=self.commit)
        return [msgspec.structs.replace(job, redact=self.redact) for job in made]

    def _remain(self) -> bool:
        """Return whether a measurement is in a job, or has no outcome."""
        outcomes = progress(self.folder.path).outcomes
        return bool(self.tracker.jobs.keys()) or any(key not in outcomes for key in self.keys())

    def _further_sets(self) -> list[Measurement]:
        """Return the measurements of sets to add; if there are none, say what is less precise than asked."""
        problems = imprecise(self.folder, self.repeat)
        more = measurements_of(self.plan, problems)
        if more:
            self.tracker.news.note(added_message(problems, self.repeat))
        elif message := imprecise_message(problems, self.repeat):
            self.tracker.jobs.messages.append(message)
        return more
