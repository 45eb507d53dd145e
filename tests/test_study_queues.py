"""Jobs in a queue: sent at once, followed together, left and found again; nothing lost, nothing twice."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daasbench import study
from daasbench.accounts import account
from daasbench.errors import LedgerError, Unreachable, UsageError
from daasbench.evidence import gather
from daasbench.expand import Cell
from daasbench.model import Case, Job, JobState, JobStatus, Outcome, Planned, Platform, Reason, Record, Repeat, Request
from daasbench.phases import of_errand
from daasbench.records import Ledger, read_lines
from daasbench.results import RunFolder, runs
from daasbench.scenario import CaseBlock, Plan, Scenario
from daasbench.study import Ended
from daasbench.testing.fakes import measured
from daasbench.testing.queues import DONE, PENDING, RUNNING, FakeQueue
from daasbench.worker import Left, Taken, claim

FAILED = JobStatus(state=JobState.FAILED, native="NODE_FAIL", reason=Reason.INTERRUPTED, message="node n3 went down")


class Killed(BaseException):
    """The controller is gone, with no time for anything."""


def a_plan(*, seeds: int = 6, processes: int = 1, platforms: tuple[str, ...] = ("there",)) -> Plan:
    cells = [
        Cell(case=Case(kernel="probes", implementation="numpy", version="1", seed=seed), platform=name)
        for name in platforms
        for seed in range(seeds)
    ]
    scenario = Scenario(
        question="?", platforms=list(platforms), cases=[CaseBlock(kernel="probes")],
        repeat=Repeat(processes=processes, limit_s=10.0),
    )  # fmt: skip
    declared = {name: Platform(runner="fakequeue" if name == "there" else "fake") for name in platforms}
    return Plan(name="q", scenario=scenario, platforms=declared, cells=cells)


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Return a function that runs a plan on a queue."""

    def run(queue: FakeQueue, plan: Plan | None = None, **more: Any) -> Ended:
        monkeypatch.setattr("daasbench.registry.runner", lambda name: queue)
        return study.run(plan or a_plan(), results_folder=tmp_path, text="", commit="c0", **more)

    return run


@pytest.fixture
def the_run(tmp_path: Path) -> Callable[[], RunFolder]:
    return lambda: runs(tmp_path)[-1]


def records_of(folder: Path) -> list[Record]:
    return list(gather(folder).records)


def test_all_jobs_are_sent_at_once_and_followed_together(go: Callable[..., Ended], the_run: Any) -> None:
    queue = FakeQueue(each=2)
    ended = go(queue)
    assert (ended.exit_code, ended.outcomes, ended.under_way) == (0, {"ok": 6}, 0)
    assert [job.id for job in queue.held.values()] == ["001-there", "002-there", "003-there"]
    events = [(one.event, one.job) for one in the_run().events()]
    assert events.index(("submitted", "003-there")) < events.index(("accounted", "001-there"))


def test_a_detached_run_is_collected_later(go: Callable[..., Ended], the_run: Any) -> None:
    queue = FakeQueue(each=2, states=[PENDING, PENDING, PENDING, RUNNING, DONE])
    ended = go(queue, detach=True)
    assert (ended.exit_code, ended.left, ended.under_way, ended.outcomes) == (3, 6, 6, {})
    assert study.collect(the_run()).under_way == 6
    done = study.collect(the_run(), wait=True)
    assert (done.exit_code, done.outcomes, done.under_way, done.measured) == (0, {"ok": 6}, 0, 6)
    assert the_run().finished()
    assert go(queue).measured == 0
    assert len(queue.held) == 3


def test_the_same_command_goes_on_with_the_jobs_that_are_on_the_way(go: Callable[..., Ended]) -> None:
    queue = FakeQueue(states=[PENDING, PENDING, DONE])
    assert go(queue, detach=True).under_way == 6
    ended = go(queue)
    assert (ended.exit_code, ended.outcomes, ended.measured) == (0, {"ok": 6}, 6)
    assert len(queue.held) == 1


def test_what_runs_on_this_machine_cannot_be_detached(go: Callable[..., Ended]) -> None:
    queue = FakeQueue()
    queue.outlives = False  # type: ignore[misc]  # this one ends with its controller
    with pytest.raises(UsageError, match="leave out --detach"):
        go(queue, detach=True)
    assert not queue.held


STEPS = ["render_all", "submit_all", "poll", "fetch"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_controller_killed_at_any_step_loses_nothing_and_does_nothing_twice(
    go: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str, when: str
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
    go: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: str, when: str
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


def test_a_submit_whose_answer_is_lost_is_found_and_not_sent_again(go: Callable[..., Ended]) -> None:
    queue = FakeQueue()
    queue.answers_submits = False
    with pytest.raises(Unreachable, match=r"not known whether job 001-there arrived"):
        go(queue)
    assert go(queue).outcomes == {"ok": 6}
    assert len(queue.held) == 1


def test_a_job_that_never_arrived_is_withdrawn_so_that_it_never_shall(
    go: Callable[..., Ended], the_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = FakeQueue()
    monkeypatch.setattr(queue, "find", lambda jobs, folder: {})
    queue.answers_submits = False
    with pytest.raises(Unreachable):
        go(queue)
    assert go(queue).outcomes == {"ok": 6}  # by another job
    with pytest.raises(Taken, match="withdrawn"):
        claim(the_run().job_folder("001-there"), "slurm 17")


def test_a_place_that_does_not_answer_loses_nothing(go: Callable[..., Ended]) -> None:
    queue = FakeQueue()
    queue.reachable = False
    with pytest.raises(Unreachable):
        go(queue)
    with pytest.raises(Unreachable):
        go(queue)
    queue.reachable = True
    assert go(queue).outcomes == {"ok": 6}


def test_what_a_scheduler_refuses_is_recorded_with_its_words_and_tried_again(
    go: Callable[..., Ended], tmp_path: Path
) -> None:
    queue = FakeQueue()
    queue.refuses = "Invalid account"
    ended = go(queue)
    assert (ended.exit_code, ended.left) == (3, 6)
    assert {(one.outcome, one.reason) for one in records_of(tmp_path)} == {(Outcome.FAILED, Reason.SCHEDULER)}
    assert all("Invalid account" in one.message for one in records_of(tmp_path))
    queue.refuses = ""
    assert go(queue).outcomes == {"ok": 6}


def test_some_jobs_of_an_array_fail_and_only_their_cases_are_measured_again(go: Callable[..., Ended]) -> None:
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
    go: Callable[..., Ended], tmp_path: Path
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


def test_ctrl_c_cancels_what_is_on_the_way_and_keeps_what_came_back(go: Callable[..., Ended]) -> None:
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
    go: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
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


def test_a_cancelled_run_keeps_its_records_and_goes_on_later(go: Callable[..., Ended], the_run: Any) -> None:
    queue = FakeQueue(each=3, states=[PENDING, PENDING, RUNNING])
    go(queue, detach=True)
    ended = study.cancel(the_run())
    assert (ended.under_way, ended.left) == (0, 6)
    assert queue.cancelled == set(queue.held)
    assert go(FakeQueue()).outcomes == {"ok": 6}


def test_a_job_nobody_knows_any_more_is_lost_with_a_sentence(go: Callable[..., Ended], the_run: Any) -> None:
    queue = FakeQueue(states=[PENDING])
    go(queue, detach=True)
    queue.held.clear()
    ended = study.collect(the_run())
    assert (ended.under_way, ended.left) == (0, 6)
    assert "nobody knows it" in ended.messages[0]
    queue.states = [DONE]
    assert go(queue).outcomes == {"ok": 6}


def test_the_errand_around_a_job_is_in_the_journal(go: Callable[..., Ended], the_run: Any) -> None:
    done = msgspec.structs.replace(
        DONE, queued_at="2026-01-01T00:00:00Z", started_at="2026-01-01T00:01:00Z", ended_at="2026-01-01T00:02:00Z",
        nodes=2, hosts="n[1-2]", exit=0,
    )  # fmt: skip
    go(FakeQueue(states=[done]))
    (told,) = [one.detail for one in the_run().events() if one.event == "accounted"]
    kept = {key: told[key] for key in ("queued_at", "started_at", "ended_at", "nodes", "hosts", "native", "exit")}
    assert kept == {
        "queued_at": "2026-01-01T00:00:00Z", "started_at": "2026-01-01T00:01:00Z", "exit": 0,
        "ended_at": "2026-01-01T00:02:00Z", "nodes": 2, "hosts": "n[1-2]", "native": "COMPLETED",
    }  # fmt: skip
    assert str(told["handle"]).startswith("fakequeue:///")


def test_a_redacted_run_names_no_hosts(go: Callable[..., Ended], the_run: Any) -> None:
    go(FakeQueue(states=[msgspec.structs.replace(DONE, hosts="secret1")]), redact=True)
    assert "secret1" not in the_run().journal.read_text()


def test_thousands_of_jobs_keep_their_order(go: Callable[..., Ended], the_run: Any) -> None:
    assert go(FakeQueue(each=1, states=[DONE]), a_plan(seeds=1002)).outcomes == {"ok": 1002}
    assert the_run().job_ids()[998:1001] == ["999-there", "1000-there", "1001-there"]
    assert the_run().next_job() == 1003


# --- on the command line ----------------------------------------------------------------------------------------


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeQueue:
    """Put a fake queue beside the shipped runners; a scenario and a platform for it lie in the folder."""
    from daasbench import registry

    queue, real = FakeQueue(states=[PENDING, PENDING, RUNNING, DONE]), registry.runner
    monkeypatch.setattr("daasbench.registry.runner", lambda name: queue if name == "fakequeue" else real(name))
    names = registry.names
    monkeypatch.setattr("daasbench.registry.names", lambda group: [*names(group), "fakequeue"])
    (tmp_path / "there.toml").write_text('runner = "fakequeue"\ncores_per_node = 2\n')
    (tmp_path / "q.toml").write_text(
        'question = "?"\nplatforms = ["there.toml"]\n[repeat]\nprocesses = 1\n'
        '[[cases]]\nkernel = "halo_stencil"\nimplementations = ["numpy"]\nsizes = "tiny"\nseed = [0, 1]\n'
    )
    return queue


def test_the_three_verbs_of_a_queue(say: Callable[..., Any], queue: FakeQueue) -> None:
    sent = say("run", "./q.toml", "--detach")
    assert sent.code == 3
    assert "2 of them are in jobs on the way; next: daasbench collect" in sent.out
    waiting = say("status")
    assert (waiting.code, "PENDING" in waiting.out, "Resources" in waiting.out) == (0, True, True)
    assert json.loads(say("status", "--json").out)["runs"][0]["jobs"][0]["native"] == "RUNNING"
    back = say("collect", "--wait")
    assert back.code == 0, back
    assert "2 ok; 0 left" in back.out
    assert say("collect").out == "no job is on the way\n"
    assert say("run", "./q.toml").code == 0
    assert len(queue.held) == 1


def test_cancelling_says_what_is_left(say: Callable[..., Any], queue: FakeQueue) -> None:
    say("run", "./q.toml", "--detach")
    ended = say("cancel", "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["runs"][0]["left"], told["runs"][0]["under_way"]) == (0, 2, 0)
    assert say("cancel", "nonsense").code == 2


# --- what a second look at all this has found -----------------------------------------------------------------


def test_memory_that_a_kernel_took_is_blamed_once_though_the_controller_was_killed_before_it_noted_that(
    go: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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
    assert "6 of 6 measurements are left" in ended.messages[0]


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
    account(job, tmp_path, JobStatus(state=JobState.FAILED, reason=Reason.SCHEDULER, message="refused"))
    lines = [one for one in read_lines(tmp_path / "records.jsonl").lines if isinstance(one, Record)]
    assert [(one.attempt, one.reason) for one in lines] == [(1, Reason.INTERRUPTED), (2, Reason.SCHEDULER)]


def begun_and_unknown(go: Callable[..., Ended], queue: FakeQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the queue take a job, lose its answer, and know nothing of it afterwards."""
    queue.answers_submits = False
    with pytest.raises(Unreachable):
        go(queue)
    monkeypatch.setattr(queue, "find", lambda jobs, folder: {})


def test_a_job_that_was_begun_and_is_not_known_is_not_done_twice(
    go: Callable[..., Ended], the_run: Any, monkeypatch: pytest.MonkeyPatch
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
    go: Callable[..., Ended], the_run: Any, monkeypatch: pytest.MonkeyPatch
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
    go: Callable[..., Ended], the_run: Any
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
    assert "its folder or its job.json is gone" in ended.messages[0]


def test_a_folder_that_is_removed_while_its_job_is_followed_leaves_its_cases_to_the_next_command(
    go: Callable[..., Ended], the_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daasbench.errands.LATE_S", 0.0)
    queue = FakeQueue(states=[PENDING, DONE])
    go(queue, detach=True)
    monkeypatch.setattr(queue, "_work", lambda handle: shutil.rmtree(queue.folders[handle], ignore_errors=True))
    ended = study.collect(the_run())
    assert (ended.exit_code, ended.left, ended.under_way) == (3, 6, 0)
    assert "6 of 6 measurements are left" in ended.messages[0]
    assert go(FakeQueue()).outcomes == {"ok": 6}


def test_a_job_file_that_cannot_be_read_just_now_is_not_taken_for_none(
    go: Callable[..., Ended], the_run: Any, monkeypatch: pytest.MonkeyPatch
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
    go: Callable[..., Ended], the_run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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
    monkeypatch.setattr("daasbench.errands.LATE_S", 0.0)
    ended = go(FakeQueue(answer=lambda job, one: None, states=[DONE]), again=True)
    assert (ended.exit_code, ended.left) == (3, 6)  # it is not waited for ever
    assert "COMPLETED; 6 of 6 measurements are left" in ended.messages[0]


def test_collecting_what_was_refused_or_never_sent_is_not_done(go: Callable[..., Ended], the_run: Any) -> None:
    queue = FakeQueue()
    queue.refuses = "Invalid account"
    go(queue)
    ended = study.collect(the_run())
    assert (ended.exit_code, ended.planned, ended.left) == (3, 6, 6)
    assert not the_run().finished()


def test_a_controller_killed_before_its_last_word_says_it_the_next_time(
    go: Callable[..., Ended], the_run: Any, monkeypatch: pytest.MonkeyPatch
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
    go: Callable[..., Ended], the_run: Any, tmp_path: Path
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


def test_progress_counts_what_an_earlier_controller_sent(go: Callable[..., Ended], the_run: Any) -> None:
    go(FakeQueue(states=[PENDING, DONE]), detach=True)
    news: list[Any] = []
    study.collect(the_run(), wait=True, tell=news.append)
    assert {(one.done, one.total) for one in news if one.record} == {(done, 6) for done in range(1, 7)}


def test_an_end_that_nobody_saw_has_no_time(go: Callable[..., Ended], the_run: Any) -> None:
    go(FakeQueue(states=[DONE]))
    (told,) = [one.detail for one in the_run().events() if one.event == "accounted"]
    assert "ended_at" not in told
    missing = of_errand(the_run().events(), "001-there").missing
    assert missing["stage_out"] == "it was not noted"


def test_ctrl_c_while_jobs_are_sent_cancels_those_that_were(go: Callable[..., Ended]) -> None:
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


def test_ctrl_c_stays_one_though_the_jobs_cannot_be_ended(go: Callable[..., Ended]) -> None:
    queue = FakeQueue(states=[RUNNING])

    def interrupt(news: Any) -> None:
        if news.record is not None:
            queue.cancel_all = unreachable  # type: ignore[method-assign]
            raise KeyboardInterrupt

    def unreachable(handles: Any) -> None:
        raise Unreachable("the fake queue does not answer")

    with pytest.raises(KeyboardInterrupt) as told:
        go(queue, tell=interrupt)
    assert told.value.__notes__ == ["the fake queue does not answer"]


def test_memory_that_a_kernel_took_before_its_job_was_cancelled_stays_its_fault(
    go: Callable[..., Ended], the_run: Any, tmp_path: Path
) -> None:
    killed = JobStatus(state=JobState.FAILED, native="OUT_OF_MEMORY", reason=Reason.KERNEL, message="out of memory")
    queue = FakeQueue(answer=lambda job, one: None, states=[PENDING, killed])
    go(queue, detach=True)
    queue.cancel_all = lambda handles: None  # type: ignore[method-assign]  # it has ended already
    study.cancel(the_run())
    assert [one.reason for one in records_of(tmp_path)] == [Reason.KERNEL]


def test_one_run_that_is_held_does_not_keep_the_others_from_being_collected(
    say: Callable[..., Any], queue: FakeQueue, tmp_path: Path
) -> None:
    say("run", "./q.toml", "--detach")
    say("run", "./q.toml", "--detach", "--again")
    first, second = runs(tmp_path / "results")
    with first.locked("2026-01-01T00:00:00Z"):
        told = say("collect", "--wait", "--json")
    facts = json.loads(told.out)
    assert (told.code, [one["run"] for one in facts["runs"]]) == (3, [second.id])
    assert f"{first.id}: is held by process {os.getpid()}" in facts["left_out"][0]
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
        assert say("collect").out == "no job is on the way\n"
