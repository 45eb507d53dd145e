"""The results folder: which run is continued, who holds it, and what a torn or foreign file costs."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from daasbench.errors import LedgerError, Locked, UsageError
from daasbench.model import SCHEMA, Case, Outcome, Reason, Record, Round, Samples
from daasbench.records import lock, runs
from daasbench.records.layout import unwritable
from daasbench.records.lock import Holder
from daasbench.records.progress import durations, progress
from daasbench.records.readers import Tail
from daasbench.records.run_folder import RunFolder

from .waiting import PATIENCE_S

AT = "2026-11-01T10:00:00.000Z"
CASE = Case(kernel="sums", implementation="numpy", version="1")


def opened(folder: Path, *, at: str = AT, commit: str = "c0", again: bool = False, finish: bool = False) -> str:
    """Hold the run of one and the same plan for a moment; return its name."""
    with runs.opened(
        folder, name="q", identity="same", commit=commit, text="", at=at, again=again, command="run"
    ) as run:
        if finish:
            run.note(at, "finished")
        return run.id


# --- which run ------------------------------------------------------------------------------------------------


def test_the_latest_run_is_continued_and_again_starts_another(tmp_path: Path) -> None:
    first = opened(tmp_path)
    assert opened(tmp_path) == first
    assert opened(tmp_path, finish=True) == first
    assert opened(tmp_path) == first  # finished under this commit: everything is done
    second = opened(tmp_path, again=True)
    assert second != first
    assert opened(tmp_path) == second


def test_an_unfinished_run_continues_under_another_commit_and_a_finished_run_does_not_change(tmp_path: Path) -> None:
    first = opened(tmp_path, commit="c0")
    assert opened(tmp_path, commit="c1", finish=True) == first
    assert opened(tmp_path, commit="c1") != first
    assert opened(tmp_path, commit="c2") != first


def test_a_clock_that_was_set_back_does_not_bring_back_an_older_run(tmp_path: Path) -> None:
    first = opened(tmp_path, finish=True)
    second = opened(tmp_path, at="2026-10-01T10:00:00.000Z", again=True)
    assert second > first
    assert opened(tmp_path) == second


def test_a_run_whose_first_event_was_torn_is_not_continued(tmp_path: Path) -> None:
    first = opened(tmp_path)
    journal = tmp_path / "runs" / first / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:30])
    assert opened(tmp_path, at="2026-11-02T10:00:00.000Z") != first


def test_what_follows_a_torn_line_of_the_journal_is_read(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.note(AT, "created", identity="x")
    with open(run.journal, "ab") as stream:
        stream.write(b'{"at":"2026-')
    run.note(AT, "finished")
    assert [one.event for one in run.events()] == ["created", "finished"]


def test_a_journal_that_cannot_be_written_is_reported_with_its_fix(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--results"):
        RunFolder(tmp_path / "absent").note(AT, "created")
    with pytest.raises(LedgerError, match="free some space"):
        raise unwritable(tmp_path, OSError(28, "No space left on device"))


def test_no_number_of_a_job_is_used_twice(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.next_job() == 1
    for name in ("001-here", "002-here", "notes"):
        run.job_folder(name).mkdir(parents=True)
    assert run.next_job() == 3
    run.job_folder("001-here").rmdir()
    assert run.next_job() == 3


def test_inputs_that_a_killed_worker_left_are_swept_and_nothing_else(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    left = run.job_folder("001-here") / "scratch" / "one"
    left.mkdir(parents=True)
    (left / "arrays").write_bytes(b"x")
    (run.job_folder("001-here") / "records.jsonl").write_text("")
    run.sweep()
    assert [one.name for one in run.job_folder("001-here").iterdir()] == ["records.jsonl"]


def test_a_job_of_a_newer_daasbench_is_refused_and_not_run_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.job_folder("001-here").mkdir(parents=True)
    (run.job_folder("001-here") / "job.json").write_text(f'{{"id": "001-here", "schema": {SCHEMA + 1}}}')
    with pytest.raises(LedgerError, match=rf"schema {SCHEMA + 1}.*upgrade"):
        list(run.jobs())


def test_a_job_whose_file_was_never_completed_is_excluded(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for name in ("001-here", "002-here"):
        run.job_folder(name).mkdir(parents=True)
    (run.job_folder("002-here") / "job.json").write_text('{"id": "002-he')
    assert list(run.jobs()) == []


# --- the lock -------------------------------------------------------------------------------------------------


def test_a_held_run_says_who_holds_it(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.holder() is None
    with run.locked(AT):
        holder = RunFolder(tmp_path).holder()
        assert holder is not None
        assert (holder.pid, holder.since) == (os.getpid(), AT)
        with pytest.raises(Locked, match=f"process {os.getpid()} .* since {AT}"), RunFolder(tmp_path).locked(AT):
            pass
    assert run.holder() is None
    with run.locked(AT):
        pass


def test_a_run_whose_controller_is_gone_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daasbench.records.lock.WAIT_S", PATIENCE_S)
    code = f"import fcntl, time; f = open({str(tmp_path / 'lock')!r}, 'a'); fcntl.flock(f, fcntl.LOCK_EX)"
    worker = subprocess.Popen([sys.executable, "-c", f"{code}; print(1, flush=True); time.sleep(.3)"], stdout=-1)
    assert worker.stdout is not None
    worker.stdout.readline()
    gone = Holder(pid=2**22 - 1, host=socket.gethostname(), since=AT, process_started=1.0)
    (tmp_path / "lock").write_bytes(msgspec.json.encode(gone))
    with RunFolder(tmp_path).locked(AT):
        assert worker.poll() is not None or worker.wait(PATIENCE_S) == 0
    worker.stdout.close()


def test_a_worker_that_does_not_end_is_reported_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WAIT_S", 0.1)
    with open(tmp_path / "lock", "a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Locked), RunFolder(tmp_path).locked(AT):
            pass


# --- progress -------------------------------------------------------------------------------------------------


def record(key: str, outcome: Outcome, reason: Reason | None = None, attempt: int = 1) -> Record:
    return Record(
        key=key, run="r", job="j", platform="here", process=0, attempt=attempt, case=CASE, outcome=outcome,
        reason=reason, samples=Samples(seconds=[1.0, 2.0], flags=[1, 0], get_s=[0.5, 0.5]), phases={"put": 4.0},
        schema=SCHEMA,
    )  # fmt: skip


def ledger(folder: Path, *lines: Record | Round | bytes, job: str = "001-here") -> Path:
    path = folder / "jobs" / job / "records.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(one if isinstance(one, bytes) else msgspec.json.encode(one) for one in lines) + b"\n")
    return path


@pytest.mark.parametrize(
    ("outcome", "reason", "ended", "skipped"),
    [
        (Outcome.OK, None, True, False),
        (Outcome.WRONG, Reason.KERNEL, True, False),
        (Outcome.FAILED, Reason.KERNEL, True, False),
        (Outcome.TIMEOUT, Reason.KERNEL, True, False),
        (Outcome.SKIPPED, Reason.CAPACITY, False, True),
        (Outcome.FAILED, Reason.INTERRUPTED, False, False),
        (Outcome.FAILED, Reason.HARNESS, False, False),
        (Outcome.FAILED, Reason.SCHEDULER, False, False),
        (Outcome.FAILED, Reason.QUOTA, False, False),
    ],
)
def test_only_what_the_kernel_did_is_an_end(
    tmp_path: Path, outcome: Outcome, reason: Reason | None, ended: bool, skipped: bool
) -> None:
    ledger(tmp_path, record("k", outcome, reason))
    found = progress(tmp_path)
    assert (found.ended("k"), found.skipped("k")) == (ended, skipped)
    assert found.attempts == {"k": 1}


def test_a_skipped_case_that_ran_later_is_done(tmp_path: Path) -> None:
    ledger(tmp_path, record("k", Outcome.SKIPPED, Reason.CAPACITY), record("k", Outcome.OK, attempt=2))
    found = progress(tmp_path)
    assert found.ended("k")
    assert found.attempts == {"k": 2}


def test_the_latest_attempt_counts_in_whatever_order_the_files_come(tmp_path: Path) -> None:
    ledger(tmp_path, record("k", Outcome.SKIPPED, Reason.CAPACITY), job="999-there")
    ledger(tmp_path, record("k", Outcome.OK, attempt=2), job="1000-there")  # sorts before it
    assert progress(tmp_path).outcomes == {"k": Outcome.OK}


def test_torn_lines_are_counted_and_cost_only_themselves(tmp_path: Path) -> None:
    round_ = Round(key="t", process=0, attempt=3, case=CASE, started_at=AT, samples=Samples())
    whole = msgspec.json.encode(record("z", Outcome.OK))
    ledger(tmp_path, record("k", Outcome.OK), b'{"type":"rec', round_, b"\xff\xfe", b"[]", whole[:-9])
    found = progress(tmp_path)
    assert found.outcomes == {"k": Outcome.OK}
    assert found.attempts == {"k": 1, "t": 3}
    assert found.unreadable == 4


def test_progress_refuses_the_lines_of_a_newer_daasbench(tmp_path: Path) -> None:
    newer = msgspec.json.encode(record("k", Outcome.OK)).replace(b'"schema":%d' % SCHEMA, b'"schema":%d' % (SCHEMA + 1))
    ledger(tmp_path, newer)
    with pytest.raises(LedgerError, match=rf"schema {SCHEMA + 1}.*upgrade"):
        progress(tmp_path)


def test_how_long_a_case_took_is_known_by_case_and_platform(tmp_path: Path) -> None:
    ledger(tmp_path, record("k", Outcome.OK), b"torn")
    assert durations(tmp_path) == {(CASE.id, "here"): 8.0}


def test_a_tail_returns_each_record_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    text = msgspec.json.encode(record("k", Outcome.OK)) + b"\n"
    path = tmp_path / "records.jsonl"
    tail = Tail(path)
    assert tail.new_records() == []
    for piece, count in ((text[:40], 0), (text[40:] + text[:10], 1), (b"", 0), (text[10:], 1), (b"torn\n" + text, 1)):
        with open(path, "ab") as stream:
            stream.write(piece)
        assert len(tail.new_records()) == count


def without_locks(*_: object) -> None:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))  # what Lustre says where it was mounted without them


def test_where_a_file_system_has_no_locks_the_lock_file_names_the_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", without_locks)
    run = RunFolder(tmp_path)
    with run.locked(AT):
        holder = RunFolder(tmp_path).holder()
        assert holder is not None
        assert holder.pid == os.getpid()
        with pytest.raises(Locked, match=r"remove .*lock"), RunFolder(tmp_path).locked(AT):
            pass
    assert run.holder() is None
    with run.locked(AT):
        pass  # it was given back
    gone = Holder(pid=2**22 + 1, host=socket.gethostname(), since=AT, process_started=0.0)
    (tmp_path / "lock").write_bytes(msgspec.json.encode(gone))
    with run.locked(AT):
        pass  # who is gone holds nothing


def test_a_lock_on_a_full_disk_is_reported_with_its_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(LedgerError, match="free some space"), RunFolder(tmp_path).locked(AT):
        pass


def test_a_number_of_a_job_whose_folder_is_gone_is_not_given_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.note(AT, "submitted", "007-there", handle="slurm:///17")
    assert run.next_job() == 8
