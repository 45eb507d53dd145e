"""The ledger: what is appended is there, what is torn costs itself, and a kill can be resumed."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from daasbench.errors import LedgerError
from daasbench.model import (
    SCHEMA,
    Case,
    Job,
    Line,
    Machine,
    Outcome,
    Platform,
    Reason,
    Record,
    Repeat,
    Round,
    Samples,
)
from daasbench.records.interrupted import interrupted_attempts
from daasbench.records.ledger import Ledger
from daasbench.records.readers import read_lines

CASE = Case(kernel="sum", implementation="numpy", version="2")


def record(key: str = "k", outcome: Outcome = Outcome.OK, reason: Reason | None = None, attempt: int = 1) -> Record:
    return Record(
        key=key, run="r", job="j", platform="here", process=0, case=CASE, outcome=outcome, reason=reason,
        attempt=attempt, commit="abc", schema=SCHEMA,
    )  # fmt: skip


def round_(key: str = "k", attempt: int = 1, seconds: tuple[float, ...] = (1.0,)) -> Round:
    samples = Samples(seconds=list(seconds), flags=[0] * len(seconds))
    return Round(key=key, process=3, attempt=attempt, case=CASE, started_at="2026-11-22T19:00:00Z", samples=samples)


def write(path: Path, *lines: Line) -> Path:
    with Ledger(path) as ledger:
        for line in lines:
            ledger.append(line)
    return path


def test_what_is_appended_is_read_back_in_order(tmp_path: Path) -> None:
    lines = [round_(), record(), record("l")]
    reading = read_lines(write(tmp_path / "runs" / "records.jsonl", *lines))
    assert reading.lines == lines
    assert reading.torn == []
    assert reading.warning == ""


def test_a_line_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    ledger = Ledger(path, fsync=True)
    assert not path.exists()  # making an object opens nothing
    for count in (1, 2, 3):
        ledger.append(record())
        assert len(read_lines(path).lines) == count
    ledger.close()


def test_a_second_writer_appends_to_the_first(tmp_path: Path) -> None:
    path = write(tmp_path / "records.jsonl", record("a"))
    write(path, record("b"))
    assert [line.key for line in read_lines(path).lines if isinstance(line, Record)] == ["a", "b"]


@pytest.mark.parametrize("left", [0.0, 0.5, 0.99])
def test_a_torn_last_line_costs_itself_only_and_nothing_is_glued_to_it(tmp_path: Path, left: float) -> None:
    path = write(tmp_path / "records.jsonl", record("a"), record("b"))
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    path.write_bytes(whole[: second + int(left * (len(whole) - second))])
    before = read_lines(path)
    assert [line.key for line in before.lines if isinstance(line, Record)] == ["a"]
    assert before.torn == ([2] if left else [])
    write(path, record("c"))
    after = read_lines(path)
    assert [line.key for line in after.lines if isinstance(line, Record)] == ["a", "c"]
    assert after.torn == before.torn
    assert ("line 2" in after.warning) == bool(left)


@pytest.mark.parametrize(
    "garbage",
    [b"\0" * 512, b"{}", b"null", b'{"type":"record"}', b"\xff\xfe\x80", b"[" * 100_000, b'{"type":"poem","schema":1}'],
)
def test_garbage_in_the_middle_is_counted_and_skipped(tmp_path: Path, garbage: bytes) -> None:
    path = write(tmp_path / "records.jsonl", record("a"))
    path.write_bytes(path.read_bytes() + garbage + b"\n\n")
    write(path, record("b"))
    reading = read_lines(path)
    assert [line.key for line in reading.lines if isinstance(line, Record)] == ["a", "b"]
    assert reading.torn == [2]
    assert str(path) in reading.warning


@pytest.mark.parametrize("change", [{}, {"outcome": "splendid"}, {"type": "poem"}])
def test_lines_of_a_newer_schema_are_refused_with_the_fix(tmp_path: Path, change: dict[str, str]) -> None:
    path = tmp_path / "records.jsonl"
    newer = msgspec.json.decode(msgspec.json.encode(record())) | {"schema": SCHEMA + 1} | change
    path.write_bytes(msgspec.json.encode(newer) + b"\n")
    with pytest.raises(LedgerError, match=rf"schema {SCHEMA + 1}.*upgrade"):
        read_lines(path)


def test_a_field_that_this_version_does_not_know_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(record())) | {"mood": 7}) + b"\n")
    assert read_lines(path).lines == [record()]


def test_a_sample_that_is_not_a_number_is_refused_before_it_is_lost(tmp_path: Path) -> None:
    with Ledger(tmp_path / "records.jsonl") as ledger:
        with pytest.raises(LedgerError, match="could not be read back"):
            ledger.append(round_(seconds=(1.0, float("nan"))))
        said = msgspec.structs.replace(record(), message="the list was [null,null]", error=float("nan"))
        ledger.append(said)  # a message may say anything, and an error may be NaN: it is read as None
    assert read_lines(ledger.path).lines == [msgspec.structs.replace(said, error=None)]


def test_a_full_disk_is_one_sentence_with_path_cause_fix_and_what_is_safe() -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger(Path("/dev/full")).append(record())
    for part in ("/dev/full", os.strerror(errno.ENOSPC), "free some space", "safe"):
        assert part in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "records.jsonl", Path("/proc/daasbench/records.jsonl")):
        with pytest.raises(LedgerError, match=str(path)), Ledger(path):
            pass
    with pytest.raises(LedgerError, match="cannot read records"):
        read_lines(tmp_path / "nowhere.jsonl")


HALF_WRITTEN = """
import resource, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_records import record, LedgerError, Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ledger = Ledger(Path({path!r}))
ledger.append(record("a"))
size = Path({path!r}).stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + size // 2, resource.RLIM_INFINITY))
try:
    ledger.append(record("b"))
except LedgerError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ledger.append(record("c"))
"""


def test_a_line_that_is_half_written_is_not_glued_to_the_next(tmp_path: Path) -> None:
    if resource.getrlimit(resource.RLIMIT_FSIZE)[1] != resource.RLIM_INFINITY:
        pytest.fail("this test needs an unlimited file size")
    path = tmp_path / "records.jsonl"
    script = HALF_WRITTEN.format(tests=str(Path(__file__).parent), path=str(path))
    message = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "ulimit -f" in message
    reading = read_lines(path)
    assert [line.key for line in reading.lines if isinstance(line, Record)] == ["a", "c"]
    assert reading.torn == [2]


def test_rounds_without_their_record_become_an_interrupted_attempt() -> None:
    machine = Machine(
        id="m", host="h", cpu="c", cores=1, threads=1, usable_cores=1, memory_bytes=1, usable_memory_bytes=1
    )
    lines = [
        machine,
        round_("a"),
        record("a"),
        round_("b", 2, (1.0, 2.0)),
        round_("b", 2, (3.0,)),
        round_("b", 1),
        record("b"),
    ]
    (found,) = interrupted_attempts(lines)
    assert (found.key, found.attempt, found.process) == ("b", 2, 3)
    assert (found.outcome, found.reason) == (Outcome.FAILED, Reason.INTERRUPTED)
    assert found.samples is not None
    assert found.samples.counted() == [1.0, 2.0, 3.0]
    assert (found.run, found.job, found.platform, found.commit, found.machine) == ("r", "j", "here", "abc", "m")
    assert "after 2 rounds" in found.message


def test_an_attempt_that_was_killed_before_any_record_takes_its_platform_from_its_job() -> None:
    job = Job(
        id="here-2", run="q", platform_name="here", platform=Platform(runner="local"), planned=[], repeat=Repeat(),
        commit="def",
    )  # fmt: skip
    (found,) = interrupted_attempts([round_("a")], job)
    assert (found.run, found.job, found.platform, found.commit) == ("q", "here-2", "here", "def")
