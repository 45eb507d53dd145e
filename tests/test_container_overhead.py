"""The report on containers: starts, paired slow-downs, nothing claimed that was not measured."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import msgspec
import pytest
from daasbench.reports.container_overhead import report
from daasbench.reports.container_overhead.answer import AnswerBox, Speed, answer_box, speed
from daasbench.reports.container_overhead.overhead import overhead
from daasbench.reports.container_overhead.page import level

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
    assert speed(one) is Speed.SLOWER
    assert level(overhead(evidence))[0] == "L2"


def test_a_set_that_was_killed_does_not_say_that_there_were_no_turns(evidence: Evidence, tmp_path: Path) -> None:
    killed = record("here-bwrap", 3, KERNEL, 1.0, outcome=Outcome.FAILED, interleaved_with=[])
    write(tmp_path, "here-bwrap", BWRAP, 3, killed)
    [one] = overhead(gather(tmp_path)).slow_downs
    assert one.interleaved
    assert one.ratio.n == len(DRIFT)


def boxed(evidence: Evidence) -> AnswerBox:
    return answer_box(evidence, overhead(evidence))


def pairs(folder: Path, inside: list[float], outside: list[float], **facts: object) -> Evidence:
    """Return evidence of a kernel outside and inside of bubblewrap, a set of processes for each pair."""
    for process, (within, without) in enumerate(zip(inside, outside, strict=True)):
        write(folder, "here", HERE, process, record("here", process, KERNEL, without, **facts))
        write(folder, "here-bwrap", BWRAP, process, record("here-bwrap", process, KERNEL, within, **facts))
    return gather(folder)


def test_without_turns_the_drift_is_in_the_interval_and_the_sentence_says_so(tmp_path: Path) -> None:
    evidence = pairs(tmp_path, [1.1, 1.2, 1.3], [1.0, 1.1, 1.2], interleaved_with=[])
    [one] = overhead(evidence).slow_downs
    assert speed(one) is Speed.UNCLEAR
    assert "shows no clear difference in bubblewrap: 1.1 times as long (" in boxed(evidence).sentences[0]
    assert "the platforms did not run alternately: drift may be in the ratios" in boxed(evidence).trust


def test_a_start_is_told_by_itself_and_not_by_the_repeat_of_several(evidence: Evidence) -> None:
    [start] = overhead(evidence).starts
    assert start.seconds.value == pytest.approx(0.01)
    assert boxed(evidence).sentences[0] == "Starting takes 10.0 ms in bubblewrap."


def test_the_box_says_what_a_start_takes_and_that_the_analysis_runs_equally_fast(tmp_path: Path) -> None:
    bwrap = START
    podman = msgspec.structs.replace(START, options={"probe": "start_podman"})
    plain = msgspec.structs.replace(START, options={"probe": "start_process"})
    for process in range(3):
        starts = [record("here", process, case, s) for case, s in ((bwrap, 0.0185), (podman, 0.91), (plain, 0.009))]
        write(tmp_path, "here", HERE, process, record("here", process, KERNEL, 1.0), *starts)
        inside = record("here-bwrap", process, KERNEL, 1.005 + 0.001 * process)
        write(tmp_path, "here-bwrap", BWRAP, process, inside)
    assert boxed(gather(tmp_path)).sentences == (
        "Starting takes 3.70 ms in bubblewrap and 182 ms in podman; without a container 1.80 ms.",
        "The analysis itself runs equally fast in bubblewrap (difference below 1 %).",
    )


def test_an_analysis_that_is_slower_inside_is_given_as_a_factor(evidence: Evidence) -> None:
    assert boxed(evidence).sentences[1].startswith("The analysis itself takes 1.10 times as long")
    assert boxed(evidence).sentences[1].endswith("in bubblewrap.")


BUSY = {"samples": Samples(seconds=[1.0] * 6, flags=[1, 0, 0, 0, 0, 0], foreign=[0.5] * 6)}


@pytest.mark.parametrize(
    ("inside", "facts", "why"),
    [
        ([1.5], {}, "one process"),
        ([1.5, 1.5], {}, "from 2 processes: too few for an interval, which needs 3"),
        ([1.5, 12.0, 0.3], {}, "Too uncertain to compare: the 3 processes differ too much"),
        ([1.0, 1.0, 1.0], BUSY, "Other work disturbed most of the processes"),
    ],
)
def test_a_verdict_that_a_caveat_voids_is_not_printed(
    tmp_path: Path, inside: list[float], facts: dict[str, object], why: str
) -> None:
    evidence = pairs(tmp_path, inside, [1.0] * len(inside), **facts)
    box = boxed(evidence)
    assert box.sentences == ()
    assert why in box.missing
    assert "daasbench run " in box.missing.partition(": ")[2]
    [page] = report.write(evidence, tmp_path / "out", ["md"])
    assert not re.search(r"times as long \(|equally fast in|takes .* times", page.read_text())
    assert level(overhead(evidence))[0] == ("L2" if facts else "L1")


def test_an_engine_that_is_not_there_is_a_gap_and_no_number(evidence: Evidence, tmp_path: Path) -> None:
    [page] = report.write(evidence, tmp_path / "out", ["md"])
    text = page.read_text()
    assert "here-podman: 3 skipped: podman: not allowed here" in text
    with open(report.write(evidence, tmp_path / "out", ["csv"])[0], newline="") as sheet:
        assert {row["platform"] for row in csv.DictReader(sheet)} == {"here", "here-bwrap"}


def test_what_was_wrong_inside_is_not_compared(tmp_path: Path) -> None:
    for process in range(3):
        write(tmp_path, "here", HERE, process, record("here", process, KERNEL, 1.0))
        outcome = Outcome.WRONG if process == 1 else Outcome.OK
        write(tmp_path, "here-bwrap", BWRAP, process, record("here-bwrap", process, KERNEL, 0.1, outcome=outcome))
    found = overhead(gather(tmp_path))
    assert found.slow_downs == []
    assert [(gap.outcome, gap.platform) for gap in found.gaps] == [("wrong", "here-bwrap")]
