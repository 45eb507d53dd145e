"""Jobs in a queue: sent at once, followed together, left and found again; nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daasbench import study
from daasbench.errors import LedgerError, Unreachable, UsageError
from daasbench.model import Job, JobState, JobStatus, Outcome, Planned, Reason, Record
from daasbench.records.run_folder import RunFolder
from daasbench.records.runs import runs
from daasbench.study import RunSummary
from daasbench.testing.fakes import FakeRunner, measured
from daasbench.testing.queues import DONE, PENDING, RUNNING, FakeQueue
from daasbench.worker import Taken, claim

from .queues import FAILED, Killed, a_plan, records_of


def test_all_jobs_are_sent_at_once_and_followed_together(go: Callable[..., RunSummary], the_run: Any) -> None:
    queue = FakeQueue(each=2)
    ended = go(queue)
    assert (ended.exit_code, ended.outcomes, ended.under_way) == (0, {"ok": 6}, 0)
    assert [job.id for job in queue.held.values()] == ["001-there", "002-there", "003-there"]
    events = [(one.event, one.job) for one in the_run().events()]
    assert events.index(("submitted", "003-there")) < events.index(("accounted", "001-there"))


def test_a_detached_run_is_collected_later(go: Callable[..., RunSummary], the_run: Any) -> None:
    queue = FakeQueue(each=2, states=[PENDING, PENDING, PENDING, RUNNING, DONE])
    ended = go(queue, detach=True)
    assert (ended.exit_code, ended.left, ended.under_way, ended.outcomes) == (0, 6, 6, {})
    assert study.collect(the_run()).under_way == 6
    done = study.collect(the_run(), wait=True)
    assert (done.exit_code, done.outcomes, done.under_way, done.measured) == (0, {"ok": 6}, 0, 6)
    assert the_run().finished()
    assert go(queue).measured == 0
    assert len(queue.held) == 3


def test_the_same_command_continues_with_the_jobs_that_are_queued(go: Callable[..., RunSummary]) -> None:
    queue = FakeQueue(states=[PENDING, PENDING, DONE])
    assert go(queue, detach=True).under_way == 6
    ended = go(queue)
    assert (ended.exit_code, ended.outcomes, ended.measured) == (0, {"ok": 6}, 6)
    assert len(queue.held) == 1


def test_what_runs_on_this_machine_cannot_be_detached(go: Callable[..., RunSummary]) -> None:
    runner = FakeRunner()  # its jobs end with their controller
    with pytest.raises(UsageError, match="remove --detach"):
        go(runner, detach=True)
    assert not runner.submitted


STEPS = ["render_all", "submit_all", "poll", "fetch"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_controller_killed_at_any_step_loses_nothing_and_does_nothing_twice(
    go: Callable[..., RunSummary], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str, when: str
) -> None:
    queue = FakeQueue(each=2)
    whole = getattr(queue, step)

    def dies(*arguments: Any) -> Any:
        if when == "after":
            whole(*arguments)
        raise Killed

    monkeypatch.setattr(queue, step, dies)
    with pytest.raises(Killed):
        go(queue)
    monkeypatch.setattr(queue, step, whole)
    ended = go(queue)
    assert (ended.exit_code, ended.outcomes) == (0, {"ok": 6})
    assert len(queue.held) == 3
    keys = [one.key for one in records_of(tmp_path)]
    assert len(keys) == len(set(keys)) == 6


@pytest.mark.parametrize("word", ["planned", "submitting", "submitted", "accounted", "finished"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_controller_killed_around_its_journal_loses_nothing_and_does_nothing_twice(
    go: Callable[..., RunSummary], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: str, when: str
) -> None:
    queue, whole = FakeQueue(each=2), RunFolder.note_all

    def dies(self: RunFolder, events: Any) -> None:
        hit = any(one.event == word for one in events)
        if not hit or when == "after":
            whole(self, events)
        if hit:
            raise Killed

    monkeypatch.setattr(RunFolder, "note_all", dies)
    with pytest.raises(Killed):
        go(queue)
    monkeypatch.setattr(RunFolder, "note_all", whole)
    ended = go(queue)
    assert (ended.exit_code, ended.outcomes) == (0, {"ok": 6})
    assert len(queue.held) == 3
    assert len(records_of(tmp_path)) == 6


def test_a_submit_whose_answer_is_lost_is_found_and_not_sent_again(go: Callable[..., RunSummary]) -> None:
    queue = FakeQueue()
    queue.answers_submits = False
    with pytest.raises(Unreachable, match=r"not known whether job 001-there arrived"):
        go(queue)
    assert go(queue).outcomes == {"ok": 6}
    assert len(queue.held) == 1


def test_a_job_that_never_arrived_is_withdrawn_so_that_it_never_shall(
    go: Callable[..., RunSummary], the_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = FakeQueue()
    monkeypatch.setattr(queue, "find", lambda jobs, folder: {})
    queue.answers_submits = False
    with pytest.raises(Unreachable):
        go(queue)
    assert go(queue).outcomes == {"ok": 6}  # by another job
    with pytest.raises(Taken, match="withdrawn"):
        claim(the_run().job_folder("001-there"), "slurm 17")


def test_a_platform_that_does_not_answer_loses_nothing(go: Callable[..., RunSummary]) -> None:
    queue = FakeQueue()
    queue.reachable = False
    with pytest.raises(Unreachable):
        go(queue)
    with pytest.raises(Unreachable):
        go(queue)
    queue.reachable = True
    assert go(queue).outcomes == {"ok": 6}


def test_what_a_scheduler_refuses_is_recorded_with_its_words_and_tried_again(
    go: Callable[..., RunSummary], tmp_path: Path
) -> None:
    queue = FakeQueue()
    queue.refuses = "Invalid account"
    ended = go(queue)
    assert (ended.exit_code, ended.left) == (3, 6)
    assert {(one.outcome, one.reason) for one in records_of(tmp_path)} == {(Outcome.FAILED, Reason.SCHEDULER)}
    assert all("Invalid account" in one.message for one in records_of(tmp_path))
    queue.refuses = ""
    assert go(queue).outcomes == {"ok": 6}


def test_some_jobs_of_an_array_fail_and_only_their_cases_are_measured_again(go: Callable[..., RunSummary]) -> None:
    class Patchy(FakeQueue):
        def poll(self, handle: str) -> JobStatus:
            bad = self.held[handle].id == "002-there"
            return FAILED if bad else super().poll(handle)

    ended = go(Patchy(each=2))
    assert (ended.exit_code, ended.left, ended.outcomes) == (3, 2, {"ok": 4})
    assert any("node n3 went down" in message for message in ended.messages)
    again = FakeQueue(each=2)
    assert go(again).outcomes == {"ok": 6}
    assert [len(job.planned) for job in again.held.values()] == [2]


def test_memory_that_a_kernel_took_is_blamed_on_the_comparison_in_flight_only(
    go: Callable[..., RunSummary], tmp_path: Path
) -> None:
    killed = JobStatus(state=JobState.FAILED, native="OUT_OF_MEMORY", reason=Reason.KERNEL, message="out of memory")
    order: list[int | None] = []

    def two(job: Job, one: Planned) -> Record | None:
        order[:] = [planned.case.seed for planned in job.planned]
        return measured(job, one) if one.case.seed in order[:2] else None

    ended = go(FakeQueue(answer=two, states=[killed]))
    assert (ended.left, ended.outcomes) == (3, {"failed": 1, "ok": 2})
    (blamed,) = [one for one in records_of(tmp_path) if one.outcome is Outcome.FAILED]
    assert (blamed.reason, blamed.case.seed) == (Reason.KERNEL, order[2])
    assert "out of memory" in blamed.message
    again = FakeQueue()
    go(again)
    assert {one.case.seed for job in again.held.values() for one in job.planned} == set(order[3:])


def test_ctrl_c_cancels_queued_jobs_and_keeps_their_records(go: Callable[..., RunSummary]) -> None:
    queue = FakeQueue(each=3, states=[PENDING, RUNNING, RUNNING])

    def interrupt(news: Any) -> None:
        if news.record is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(queue, tell=interrupt)
    assert queue.cancelled == set(queue.held)
    again = FakeQueue()
    assert go(again).outcomes == {"ok": 6}
    assert sum(len(job.planned) for job in again.held.values()) == 3


def test_a_controller_that_fails_leaves_the_jobs_alone(
    go: Callable[..., RunSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = FakeQueue()

    def full(self: RunFolder, events: Any) -> None:
        if any(one.event == "accounted" for one in events):
            raise LedgerError("disk full")
        whole(self, events)

    whole = RunFolder.note_all
    monkeypatch.setattr(RunFolder, "note_all", full)
    with pytest.raises(LedgerError):
        go(queue)
    assert not queue.cancelled
    monkeypatch.setattr(RunFolder, "note_all", whole)
    assert go(queue).outcomes == {"ok": 6}
    assert len(queue.held) == 1


def test_a_cancelled_run_keeps_its_records_and_continues_later(go: Callable[..., RunSummary], the_run: Any) -> None:
    queue = FakeQueue(each=3, states=[PENDING, PENDING, RUNNING])
    go(queue, detach=True)
    ended = study.cancel(the_run())
    assert (ended.under_way, ended.left) == (0, 6)
    assert queue.cancelled == set(queue.held)
    assert go(FakeQueue()).outcomes == {"ok": 6}


def test_a_job_that_its_queue_does_not_know_is_lost_with_a_message(go: Callable[..., RunSummary], the_run: Any) -> None:
    queue = FakeQueue(states=[PENDING])
    go(queue, detach=True)
    queue.held.clear()
    ended = study.collect(the_run())
    assert (ended.under_way, ended.left) == (0, 6)
    assert "unknown job" in ended.messages[0]
    queue.states = [DONE]
    assert go(queue).outcomes == {"ok": 6}


def test_the_metadata_of_a_job_are_in_the_journal(go: Callable[..., RunSummary], the_run: Any) -> None:
    done = msgspec.structs.replace(
        DONE, queued_at="2026-01-01T00:00:00Z", started_at="2026-01-01T00:01:00Z", ended_at="2026-01-01T00:02:00Z",
        nodes=2, hosts="n[1-2]", exit=0,
    )  # fmt: skip
    go(FakeQueue(states=[done]))
    (message,) = [one.detail for one in the_run().events() if one.event == "accounted"]
    kept = {key: message[key] for key in ("queued_at", "started_at", "ended_at", "nodes", "hosts", "native", "exit")}
    assert kept == {
        "queued_at": "2026-01-01T00:00:00Z", "started_at": "2026-01-01T00:01:00Z", "exit": 0,
        "ended_at": "2026-01-01T00:02:00Z", "nodes": 2, "hosts": "n[1-2]", "native": "COMPLETED",
    }  # fmt: skip
    assert str(message["handle"]).startswith("fakequeue:///")


def test_a_redacted_run_names_no_hosts(go: Callable[..., RunSummary], the_run: Any) -> None:
    go(FakeQueue(states=[msgspec.structs.replace(DONE, hosts="secret1")]), redact=True)
    assert "secret1" not in the_run().journal.read_text()


def test_thousands_of_jobs_keep_their_order(go: Callable[..., RunSummary], the_run: Any) -> None:
    assert go(FakeQueue(each=1, states=[DONE]), a_plan(seeds=1002)).outcomes == {"ok": 1002}
    assert the_run().job_ids()[998:1001] == ["999-there", "1000-there", "1001-there"]
    assert the_run().next_job() == 1003


# --- on the command line ----------------------------------------------------------------------------------------


def test_the_three_verbs_of_a_queue(say: Callable[..., Any], queue: FakeQueue) -> None:
    sent = say("run", "./q.toml", "--detach")
    assert sent.code == 0
    assert "0 of 2 measurements done. 2 are in submitted jobs.\nTo fetch their records: daasbench collect " in sent.out
    waiting = say("status")
    assert (waiting.code, "PENDING" in waiting.out, "Resources" in waiting.out) == (0, True, True)
    assert json.loads(say("status", "--json").out)["runs"][0]["jobs"][0]["native"] == "RUNNING"
    back = say("collect", "--wait")
    assert back.code == 0, back
    assert "2 ok; 0 remaining" in back.out
    assert say("collect").out == "no unfinished jobs\n"
    assert say("run", "./q.toml").code == 0
    assert len(queue.held) == 1


def test_cancelling_says_what_remains(say: Callable[..., Any], queue: FakeQueue) -> None:
    say("run", "./q.toml", "--detach")
    ended = say("cancel", "--json")
    message = json.loads(ended.out)
    assert (ended.code, message["runs"][0]["left"], message["runs"][0]["under_way"]) == (0, 2, 0)
    assert say("cancel", "nonsense").code == 2


def test_one_run_that_is_held_does_not_keep_the_others_from_being_collected(
    say: Callable[..., Any], queue: FakeQueue, tmp_path: Path
) -> None:
    say("run", "./q.toml", "--detach")
    say("run", "./q.toml", "--detach", "--again")
    first, second = runs(tmp_path / "results")
    with first.locked("2026-01-01T00:00:00Z"):
        message = say("collect", "--wait", "--json")
    facts = json.loads(message.out)
    assert (message.code, [one["run"] for one in facts["runs"]]) == (3, [second.id])
    assert f"{first.id}: process {os.getpid()}" in facts["left_out"][0]
    assert say("collect", "--wait").code == 0
    assert say("collect", first.id).code == 0


def test_a_run_of_this_machine_that_was_killed_has_no_job_to_collect(
    say: Callable[..., Any], queue: FakeQueue, tmp_path: Path
) -> None:
    say("run", "./q.toml", "--detach")
    (run,) = runs(tmp_path / "results")
    say("collect", "--wait")
    run.note("2026-01-01T00:00:00Z", "submitting", "002-here", runner="local")
    with run.locked("2026-01-01T00:00:00Z"):
        assert say("collect").out == "no unfinished jobs\n"
