"""The one path from a plan to records: what a run, `collect` and `cancel` do, step by step.

A plan comes from :func:`daasbench.scenario.plan.load` and ``expand``; the caller receives the news by `tell`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from daasbench import registry
from daasbench.contracts import Queue
from daasbench.errors import UsageError
from daasbench.host.clock import utc_now
from daasbench.jobs.further_sets import added_message, imprecise, imprecise_message
from daasbench.jobs.measuring import Measuring
from daasbench.jobs.news import Tell
from daasbench.jobs.preview import Preview, preview
from daasbench.jobs.tracker import JobTracker
from daasbench.records import runs
from daasbench.records.progress import progress
from daasbench.records.run_folder import RunFolder
from daasbench.scenario.plan import Plan

__all__ = ["Preview", "RunSummary", "cancel", "check_detachable", "collect", "preview", "run"]


ENDINGS = {"ok": "correct", "wrong": "wrong", "failed": "failed", "timeout": "timed out", "skipped": "skipped"}


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a run when its controller ends."""

    run: str
    folder: str
    planned: int
    measured: int  # by this call
    outcomes: dict[str, int]  # number of planned measurements by outcome
    left: int  # planned measurements without an outcome
    under_way: int = 0  # of those: in jobs of a queue
    refused: int = 0  # of those: in jobs that a scheduler refused
    detached: bool = False  # whether the jobs were to be submitted only
    messages: list[str] = []

    @property
    def exit_code(self) -> int:
        """Return 0 if every case is ok or skipped, 1 if some is not, 3 if measurements remain.

        If the jobs were to be submitted only, measurements in submitted jobs do not count as remaining.
        """
        if self.left > (self.under_way if self.detached else 0):
            return 3
        bad = sum(count for outcome, count in self.outcomes.items() if outcome not in ("ok", "skipped"))
        return 1 if bad else 0

    @property
    def sentence(self) -> str:
        """Return how much is done, how it ended, and what remains to do."""
        counts = ", ".join(f"{self.outcomes[name]} {word}" for name, word in ENDINGS.items() if name in self.outcomes)
        if not self.left:
            return f"{_measurements(self.planned)} done: {counts}." if counts else "There is nothing to measure."
        done = f"{self.planned - self.left} of {_measurements(self.planned)} done{f': {counts}' if counts else ''}."
        if self.refused:
            return f"{done} The scheduler refused jobs: correct what it names, and run the same command again."
        if self.under_way == self.left:
            return f"{done} {self.left} {'is' if self.left == 1 else 'are'} in submitted jobs."
        return f"{done} Run the same command again to continue."


def run(  # noqa: PLR0913  (what a command line may say, each by its name)
    plan: Plan,
    *,
    results_folder: Path,
    text: str,
    commit: str,
    command: str = "",
    again: bool = False,
    budget: tuple[Decimal, str | None] | None = None,
    redact: bool = False,
    detach: bool = False,
    tell: Tell | None = None,
) -> RunSummary:
    """Measure what is outstanding of `plan` in its latest unfinished run; return the state of the run.

    With `detach`, the jobs of a queue are sent and not awaited; :func:`collect` brings their records back.

    Raises
    ------
    Locked, LedgerError, Unreachable, BudgetError
        Nothing is lost: the same command continues the run later.
    """
    if detach:
        check_detachable(plan)
    with runs.opened(
        results_folder,
        name=plan.name,
        identity=plan.identity,
        commit=commit,
        text=text,
        at=utc_now(),
        again=again,
        command=command,
        measurements=len(plan.cells) * plan.scenario.repeat.least_processes,
    ) as folder:
        tracker = JobTracker(folder, tell or (lambda _: None))
        tracker.resume()
        folder.sweep(tracker.jobs.names())
        measuring = Measuring(plan, folder, tracker, commit=commit, redact=redact)
        measuring.check(budget)
        measuring.run(detach=detach)
        keys = measuring.keys()
        ended = conclude(keys, len(keys), folder, measuring.measured, tracker)
        return msgspec.structs.replace(ended, detached=detach)


def collect(folder: RunFolder, *, wait: bool = False, tell: Tell | None = None) -> RunSummary:
    """Bring back the records of the jobs of `folder` that have ended; with `wait`, of all of them."""
    with folder.locked(utc_now()):
        tracker = JobTracker(folder, tell or (lambda _: None))
        tracker.resume()
        before = len(tracker.jobs.keys())
        tracker.follow() if wait else tracker.poll_until_shown()
        tracker.jobs.messages += _more_wanted(folder, tracker)
        return conclude(*folder.asked(), folder, before - len(tracker.jobs.keys()), tracker)


def _more_wanted(folder: RunFolder, tracker: JobTracker) -> list[str]:
    """Return a message if the run wants further sets of processes, which only the command that started it can add."""
    jobs = list(folder.jobs())
    if not jobs or tracker.jobs.keys():
        return []
    problems = imprecise(folder, jobs[-1].repeat)
    if added := added_message(problems, jobs[-1].repeat):
        return [f"{added}; run the same command again to add them"]
    message = imprecise_message(problems, jobs[-1].repeat)
    return [message] if message else []


def cancel(folder: RunFolder) -> RunSummary:
    """Cancel the jobs of `folder` that have not ended; the records that they wrote are kept."""
    with folder.locked(utc_now()):
        tracker = JobTracker(folder)
        tracker.resume()
        before = len(tracker.jobs.keys())
        tracker.cancel()
        tracker.abandon_unknown_jobs()
        return conclude(*folder.asked(), folder, before, tracker)


def check_detachable(plan: Plan) -> None:
    """Raise UsageError if a platform's jobs end with their controller."""
    for name, platform in plan.platforms.items():
        if not isinstance(registry.runner(platform.runner), Queue):
            message = (
                f"--detach: platform {name} (runner {platform.runner}) has no queue, its jobs end with the command"
            )
            raise UsageError(f"{message}; remove --detach, or choose a platform with a queue")


def _measurements(count: int) -> str:
    return f"{count} measurement{'' if count == 1 else 's'}"


def conclude(keys: Sequence[str], requested: int, folder: RunFolder, measured: int, tracker: JobTracker) -> RunSummary:
    """Return the state of the run, of as many measurements as were requested; note it in the journal if complete."""
    final = progress(folder.path).outcomes
    wanted = set(keys)
    planned = max(requested, len(wanted))
    outcomes = Counter(str(final[key]) for key in wanted if key in final)
    left = planned - outcomes.total()
    if planned and not left and (measured or not folder.finished()):
        folder.note(utc_now(), "finished", None, **outcomes)
    return RunSummary(
        run=folder.id,
        folder=str(folder.path),
        planned=planned,
        measured=measured,
        outcomes=dict(sorted(outcomes.items())),
        left=left,
        under_way=len(tracker.jobs.keys()),
        refused=tracker.jobs.refused,
        messages=tracker.jobs.messages,
    )
