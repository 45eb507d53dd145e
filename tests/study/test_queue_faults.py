"""Faults of jobs in a queue: jobs that the queue does not know, missing folders, killed controllers."""

from __future__ import annotations

import datetime
import errno
import os
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daasbench import study
from daasbench.errors import BudgetError, LedgerError, Unreachable
from daasbench.evidence.phases import of_job
from daasbench.jobs.accounting import record_missing_results
from daasbench.jobs.news import News
from daasbench.model import (
    Case,
    Job,
    JobState,
    JobStatus,
    Outcome,
    Planned,
    Platform,
    Price,
    Reason,
    Record,
    Repeat,
    Request,
)
from daasbench.records.ledger import Ledger
from daasbench.records.readers import read_lines
from daasbench.records.run_folder import RunFolder
from daasbench.study import RunSummary
from daasbench.testing.fakes import measured
from daasbench.testing.queues import DONE, PENDING, RUNNING, FakeQueue
from daasbench.worker import Left, claim

from .queues import FAILED, Killed, a_plan, records_of


def test_memory_that_a_kernel_took_is_blamed_once_though_the_controller_was_killed_before_it_noted_that(
    go: Callable[..., RunSummary], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    killed = JobStatus(state=JobState.FAILED, native="OUT_OF_MEMORY", reason=Reason.KERNEL, message="out of memory")
    queue, whole = FakeQueue(answer=lambda job, one: None, states=[killed]), RunFolder.note_all

    def dies(self: RunFolder, events: Any) -> None:
        if any(one.event == "accounted" for one in events):
            raise Killed
        whole(self, events)

    monkeypatch.setattr(RunFolder, "note_all", dies)
    with pytest.raises(Killed):
        go(queue)
    monkeypatch.setattr(RunFolder, "note_all", whole)
    ended = go(queue)
    assert (ended.left, ended.outcomes) == (5, {"failed": 1})
    assert len(records_of(tmp_path)) == 1
    assert "6 of 6 measurements gave no result" in ended.messages[0]


def test_what_never_came_of_a_job_that_was_begun_again_is_another_attempt(tmp_path: Path) -> None:
    job = Job(
        id="001-there", run="r", platform_name="there", platform=Platform(runner="fakequeue"), repeat=Repeat(),
        planned=[Planned(key="k", case=Case(kernel="probes", implementation="numpy", version="1"), process=0)],
        commit="c0",
    )  # fmt: skip
    killed = msgspec.structs.replace(
        measured(job, job.planned[0]), outcome=Outcome.FAILED, reason=Reason.INTERRUPTED, message="killed"
    )
    with Ledger(tmp_path / "records.jsonl") as ledger:
        ledger.append(killed)
    record_missing_results(job, tmp_path, JobStatus(state=JobState.FAILED, reason=Reason.SCHEDULER, message="refused"))
    lines = [one for one in read_lines(tmp_path / "records.jsonl").lines if isinstance(one, Record)]
    assert [(one.attempt, one.reason) for one in lines] == [(1, Reason.INTERRUPTED), (2, Reason.SCHEDULER)]


def begun_and_unknown(go: Callable[..., RunSummary], queue: FakeQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the queue take a job, lose its answer, and know nothing of it afterwards."""
    queue.answers_submits = False
    with pytest.raises(Unreachable):
        go(queue)
    monkeypatch.setattr(queue, "find", lambda jobs, folder: {})


def test_a_job_that_was_begun_and_is_not_known_is_not_done_twice(
    go: Callable[..., RunSummary], the_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = FakeQueue()
    begun_and_unknown(go, queue, monkeypatch)
    claim(the_run().job_folder("001-there"), "17")
    scratch = the_run().job_folder("001-there") / "scratch"
    scratch.mkdir()
    ended = go(queue)
    assert (ended.exit_code, ended.left, ended.under_way, len(queue.held)) == (3, 6, 6, 1)
    assert "daasbench cancel" in ended.messages[0]
    assert scratch.exists()
    assert study.cancel(the_run()).under_way == 0  # who looked says that it is gone
    assert go(FakeQueue()).outcomes == {"ok": 6}


def test_a_job_that_is_not_known_and_says_that_it_has_ended_is_accounted_for(
    go: Callable[..., RunSummary], the_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = FakeQueue()
    begun_and_unknown(go, queue, monkeypatch)
    place = the_run().job_folder("001-there")
    claim(place, "17")
    queue.poll(next(iter(queue.held)))
    queue.poll(next(iter(queue.held)))  # it runs, and its records are there
    (place / "ended.json").write_bytes(msgspec.json.encode(Left(at="2026-01-01T00:00:00Z", exit=0)))
    ended = go(queue)
    assert (ended.exit_code, ended.outcomes, len(queue.held)) == (0, {"ok": 6}, 1)
    assert not the_run().unsettled()


def test_a_job_whose_folder_was_removed_is_cancelled_and_its_number_not_given_again(
    go: Callable[..., RunSummary], the_run: Any
) -> None:
    queue = FakeQueue(states=[PENDING])
    go(queue, detach=True)
    shutil.rmtree(the_run().job_folder("001-there"))
    (old,) = queue.held
    later = FakeQueue()
    later.held, later.folders = queue.held, queue.folders
    ended = go(later)
    assert (ended.exit_code, ended.outcomes) == (0, {"ok": 6})
    assert later.cancelled == {old}
    assert [job.id for job in later.held.values()] == ["001-there", "002-there"]
    assert "its folder or its job.json is missing" in ended.messages[0]


def test_a_folder_that_is_removed_while_its_job_is_followed_leaves_its_cases_to_the_next_command(
    go: Callable[..., RunSummary], the_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daasbench.jobs.active_jobs.LATE_S", 0.0)
    queue = FakeQueue(states=[PENDING, DONE])
    go(queue, detach=True)
    monkeypatch.setattr(queue, "_work", lambda handle: shutil.rmtree(queue.folders[handle], ignore_errors=True))
    ended = study.collect(the_run())
    assert (ended.exit_code, ended.left, ended.under_way) == (3, 6, 0)
    assert "6 of 6 measurements gave no result" in ended.messages[0]
    assert go(FakeQueue()).outcomes == {"ok": 6}


def test_a_job_file_that_cannot_be_read_just_now_is_not_taken_for_none(
    go: Callable[..., RunSummary], the_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = FakeQueue(states=[PENDING, DONE])
    go(queue, detach=True)
    whole = Path.read_bytes

    def stale(self: Path) -> bytes:
        if self.name == "job.json":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return whole(self)

    monkeypatch.setattr(Path, "read_bytes", stale)
    with pytest.raises(LedgerError, match=r"job\.json: cannot be read"):
        go(queue)
    monkeypatch.setattr(Path, "read_bytes", whole)
    assert go(queue).outcomes == {"ok": 6}
    assert len(queue.held) == 1


def test_records_that_a_slow_file_system_shows_late_are_waited_for(
    go: Callable[..., RunSummary], the_run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Slow(FakeQueue):
        looks = 0

        def _work(self, handle: str) -> None:
            self.looks += 1
            if self.looks > 3:
                super()._work(handle)

    queue = Slow(states=[DONE])
    assert go(queue).outcomes == {"ok": 6}
    other = Slow(states=[PENDING, DONE])
    go(other, again=True, detach=True)
    assert study.collect(the_run()).outcomes == {"ok": 6}
    monkeypatch.setattr("daasbench.jobs.active_jobs.LATE_S", 0.0)
    ended = go(FakeQueue(answer=lambda job, one: None, states=[DONE]), again=True)
    assert (ended.exit_code, ended.left) == (3, 6)  # it is not waited for ever
    assert "COMPLETED; 6 of 6 measurements gave no result" in ended.messages[0]


def test_collecting_what_was_refused_or_never_sent_is_not_done(go: Callable[..., RunSummary], the_run: Any) -> None:
    queue = FakeQueue()
    queue.refuses = "Invalid account"
    go(queue)
    ended = study.collect(the_run())
    assert (ended.exit_code, ended.planned, ended.left) == (3, 6, 6)
    assert not the_run().finished()


def test_a_controller_killed_before_its_last_note_writes_it_the_next_time(
    go: Callable[..., RunSummary], the_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = RunFolder.note_all

    def dies(self: RunFolder, events: Any) -> None:
        if any(one.event == "finished" for one in events):
            raise Killed
        whole(self, events)

    monkeypatch.setattr(RunFolder, "note_all", dies)
    with pytest.raises(Killed):
        go(FakeQueue())
    monkeypatch.setattr(RunFolder, "note_all", whole)
    assert go(FakeQueue()).measured == 0
    assert the_run().finished()


def test_what_another_commit_left_undone_is_not_left_by_this_one(
    go: Callable[..., RunSummary], the_run: Any, tmp_path: Path
) -> None:
    go(FakeQueue(answer=lambda job, one: None, states=[FAILED]))
    ended = study.run(a_plan(), results_folder=tmp_path, text="", commit="c1")
    assert ended.left == 6
    queue = FakeQueue(states=[PENDING, DONE])
    go_on = pytest.MonkeyPatch()
    with go_on.context() as patch:
        patch.setattr("daasbench.registry.runner", lambda name: queue)
        study.run(a_plan(), results_folder=tmp_path, text="", commit="c1", detach=True)
        ended = study.collect(the_run(), wait=True)
    assert (ended.exit_code, ended.planned, ended.outcomes) == (0, 6, {"ok": 6})


def test_progress_counts_what_an_earlier_controller_sent(go: Callable[..., RunSummary], the_run: Any) -> None:
    go(FakeQueue(states=[PENDING, DONE]), detach=True)
    news: list[Any] = []
    study.collect(the_run(), wait=True, tell=news.append)
    ended = [one for one in news if isinstance(one, News) and one.record]
    assert {(one.done, one.total) for one in ended} == {(done, 6) for done in range(1, 7)}


def test_an_end_that_was_not_observed_has_no_time(go: Callable[..., RunSummary], the_run: Any) -> None:
    go(FakeQueue(states=[DONE]))
    (message,) = [one.detail for one in the_run().events() if one.event == "accounted"]
    assert "ended_at" not in message
    missing = of_job(the_run().events(), "001-there").missing
    assert missing["stage_out"] == "it was not noted"


def test_ctrl_c_while_jobs_are_sent_cancels_those_that_were(go: Callable[..., RunSummary]) -> None:
    class Halting(FakeQueue):
        def render_all(self, jobs: Any, folder: Path) -> list[Request]:
            return [request for job in jobs for request in super(Halting, self).render_all([job], folder)]

        def submit_all(self, request: Request, folder: Path) -> dict[str, str]:
            if len(self.held) == 2:
                raise KeyboardInterrupt
            return super().submit_all(request, folder)

    queue = Halting(each=2)
    with pytest.raises(KeyboardInterrupt):
        go(queue)
    assert len(queue.cancelled) == 2
    assert go(FakeQueue()).outcomes == {"ok": 6}


def test_ctrl_c_stays_one_though_the_jobs_cannot_be_ended(go: Callable[..., RunSummary]) -> None:
    queue = FakeQueue(states=[RUNNING])

    def interrupt(news: Any) -> None:
        if news.record is not None:
            queue.cancel_all = unreachable  # type: ignore[method-assign]
            raise KeyboardInterrupt

    def unreachable(handles: Any) -> None:
        raise Unreachable("the fake queue does not answer")

    with pytest.raises(KeyboardInterrupt) as message:
        go(queue, tell=interrupt)
    assert message.value.__notes__ == ["the fake queue does not answer"]


def test_memory_that_a_kernel_took_before_its_job_was_cancelled_stays_its_fault(
    go: Callable[..., RunSummary], the_run: Any, tmp_path: Path
) -> None:
    killed = JobStatus(state=JobState.FAILED, native="OUT_OF_MEMORY", reason=Reason.KERNEL, message="out of memory")
    queue = FakeQueue(answer=lambda job, one: None, states=[PENDING, killed])
    go(queue, detach=True)
    queue.cancel_all = lambda handles: None  # type: ignore[method-assign]  # it has ended already
    study.cancel(the_run())
    assert [one.reason for one in records_of(tmp_path)] == [Reason.KERNEL]


def test_a_dry_run_counts_queued_jobs_against_the_budget_as_the_run_does(
    go: Callable[..., RunSummary], the_run: Any, tmp_path: Path
) -> None:
    price = Price(amount="3.60", currency="EUR", per="node-hour", date=datetime.date(2026, 11, 1), source="own books")
    plan = a_plan()
    priced = {name: msgspec.structs.replace(one, price=price) for name, one in plan.platforms.items()}
    plan = msgspec.structs.replace(plan, platforms=priced)
    go(FakeQueue(states=[PENDING]), plan, detach=True)
    limit = (Decimal("0.10"), "EUR")
    shown = study.preview(plan, results_folder=tmp_path, commit="c0", budget=limit)
    assert shown.requests == {}
    with pytest.raises(BudgetError) as message:
        go(FakeQueue(), plan, budget=limit)
    assert shown.refused == str(message.value)
