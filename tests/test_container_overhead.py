"""The report on containers: starts, paired slow-downs, nothing claimed that was not measured."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import pytest
from daasbench.reports.container_overhead import report
from daasbench.reports.container_overhead.overhead import overhead
from daasbench.reports.container_overhead.page import answers, level

from daasbench.evidence import Evidence, gather
from daasbench.model import (
    SCHEMA,
    Case,
    Job,
    Machine,
    Outcome,
    Planned,
    Platform,
    Record,
    Repeat,
    Samples,
    Work,
)
from daasbench.testing.reports import ReportContract

START = Case(kernel="probes", implementation="system", version="1", size="small", options={"probe": "start_bwrap"})
KERNEL = Case(kernel="tomography", implementation="numba", version="1", size="small", threads=2)
DRIFT = [1.0, 2.0, 4.0]  # of the machine, from one set of processes to the next
HERE = Platform(runner="local")
BWRAP = Platform(runner="local", options={"container": {"engine": "bwrap"}})
PODMAN = Platform(runner="local", options={"container": {"engine": "podman"}})


def write(folder: Path, name: str, platform: Platform, process: int, *records: Record) -> None:
    place = folder / "runs" / "r" / "jobs" / f"{process}-{name}"
    place.mkdir(parents=True)
    planned = [Planned(key=one.key, case=one.case, process=process) for one in records]
    job = Job(
        id=place.name, run="r", platform_name=name, platform=platform, planned=planned, repeat=Repeat(), commit="c"
    )
    (place / "job.json").write_bytes(msgspec.json.encode(job))
    machine = Machine(
        id=name, host="h", cpu="c", cores=2, threads=2, usable_cores=2, memory_bytes=1, usable_memory_bytes=1
    )
    lines = [msgspec.json.encode(one) for one in (machine, *records)]
    (place / "records.jsonl").write_bytes(b"\n".join(lines) + b"\n")


def record(name: str, process: int, case: Case, seconds: float, **more: object) -> Record:
    message = {
        "key": f"{name}-{process}-{case.id}",
        "outcome": Outcome.OK,
        "samples": Samples(seconds=[seconds] * 6, flags=[1, 0, 0, 0, 0, 0]),
        "work": Work(unit="start", units=5.0),
        "interleaved_with": ["here"] if name != "here" else ["here-bwrap"],
        **more,
    }
    return Record(
        run="r",
        job=f"{process}-{name}",
        platform=name,
        process=process,
        case=case,
        machine=name,
        schema=SCHEMA,
        commit="c",
        **message,
    )


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """Return three sets of processes on a machine that drifts: bubblewrap takes 1.1 times as long, always."""
    for process, drift in enumerate(DRIFT):
        here = record("here", process, KERNEL, drift)
        write(tmp_path, "here", HERE, process, here, record("here", process, START, 0.05))
        write(tmp_path, "here-bwrap", BWRAP, process, record("here-bwrap", process, KERNEL, 1.1 * drift))
        skipped = {"outcome": Outcome.SKIPPED, "message": "podman: not allowed here", "samples": None}
        write(tmp_path, "here-podman", PODMAN, process, record("here-podman", process, KERNEL, 1.0, **skipped))
    return gather(tmp_path)


class TestContainerOverheadReport(ReportContract):
    """The contract of every report."""

    report = report


def test_drift_that_hits_both_is_no_uncertainty_of_the_ratio(evidence: Evidence) -> None:
    [one] = overhead(evidence).slow_downs
    assert (one.native, one.platform, one.interleaved) == ("here", "here-bwrap", True)
    assert one.ratio.low == pytest.approx(1.1)
    assert one.ratio.high == pytest.approx(1.1)
    assert one.decided
    assert level(overhead(evidence))[0] == "L2"


def test_a_set_that_was_killed_does_not_say_that_there_were_no_turns(evidence: Evidence, tmp_path: Path) -> None:
    killed = record("here-bwrap", 3, KERNEL, 1.0, outcome=Outcome.FAILED, interleaved_with=[])
    write(tmp_path, "here-bwrap", BWRAP, 3, killed)
    [one] = overhead(gather(tmp_path)).slow_downs
    assert one.interleaved
    assert one.ratio.n == len(DRIFT)


def test_without_turns_the_drift_is_in_the_interval_and_the_sentence_says_so(tmp_path: Path) -> None:
    for process, drift in enumerate(DRIFT):
        write(tmp_path, "here", HERE, process, record("here", process, KERNEL, drift, interleaved_with=[]))
        inside = record("here-bwrap", process, KERNEL, 1.1 * drift, interleaved_with=[])
        write(tmp_path, "here-bwrap", BWRAP, process, inside)
    found = overhead(gather(tmp_path))
    [one] = found.slow_downs
    assert not one.decided
    assert "no difference shown" in answers(found)[0]
    assert "did not run alternately" in answers(found)[0]


def test_a_start_is_told_by_itself_and_not_by_the_repeat_of_several(evidence: Evidence) -> None:
    [start] = overhead(evidence).starts
    assert start.seconds.value == pytest.approx(0.01)
    assert "a process in bubblewrap 10" in answers(overhead(evidence))[0]


def test_an_engine_that_is_not_there_is_a_gap_and_no_number(evidence: Evidence, tmp_path: Path) -> None:
    [page] = report.write(evidence, tmp_path / "out", ["md"])
    text = page.read_text()
    assert "here-podman: 3 skipped: podman: not allowed here" in text
    with open(report.write(evidence, tmp_path / "out", ["csv"])[0], newline="") as sheet:
        assert {row["platform"] for row in csv.DictReader(sheet)} == {"here", "here-bwrap"}


def test_one_process_claims_nothing(tmp_path: Path) -> None:
    write(tmp_path, "here", HERE, 0, record("here", 0, KERNEL, 1.0))
    write(tmp_path, "here-bwrap", BWRAP, 0, record("here-bwrap", 0, KERNEL, 1.5))
    found = overhead(gather(tmp_path))
    assert "nothing is claimed" in answers(found)[0]
    assert "1.5" not in answers(found)[0]
    assert level(found)[0] == "L1"


def test_what_was_wrong_inside_is_not_compared(tmp_path: Path) -> None:
    for process in range(3):
        write(tmp_path, "here", HERE, process, record("here", process, KERNEL, 1.0))
        outcome = Outcome.WRONG if process == 1 else Outcome.OK
        write(tmp_path, "here-bwrap", BWRAP, process, record("here-bwrap", process, KERNEL, 0.1, outcome=outcome))
    found = overhead(gather(tmp_path))
    assert found.slow_downs == []
    assert [(gap.outcome, gap.platform) for gap in found.gaps] == [("wrong", "here-bwrap")]
