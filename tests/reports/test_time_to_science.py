"""The report on starts: every phase with its number or its reason, and no claim above the evidence."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from daasbench.reports.time_to_science import report
from daasbench.reports.time_to_science.real_time import dataset_s, real_time
from daasbench.reports.time_to_science.starts import problem_starts

from daasbench.errors import OutputError, UnknownName
from daasbench.evidence import Evidence
from daasbench.model import Event, Outcome, StartEvidence

SCENARIO = """question = "How soon is the first result there?"
[beamline]
name = "ID11"
detector = "Eiger2 4M"
unit = "frame"
units_per_s = 500.0
unit_bytes = 18e6
dataset_units = 3600
source = "the beamline's own page"
date = 2026-11-01
"""
PHASES = {"make": 0.4, "interpreter": 0.2, "import": 0.5, "read": 0.1, "put": 0.0, "setup": 0.08, "get": 1e-5}
WARM = StartEvidence(
    evicted_by="",
    files=900, memory_bytes=300_000_000, left_bytes=300_000_000, came_bytes=0, read_bytes=0, major_faults=0,
    compiled_before=8, compiled_after=8,
)  # fmt: skip
COLD = msgspec.structs.replace(
    WARM,
    evicted_by="posix_fadvise",
    left_bytes=9_000_000,
    came_bytes=291_000_000,
    read_bytes=295_000_000,
    major_faults=120,
)


def launch(folder: Any, start: str, implementation: str, medians: list[float | None], **phases: float) -> None:
    """Add the starts of one way."""
    start_evidence = WARM if start in ("warm", "uncompiled") else COLD
    folder.add(
        implementation,
        medians,
        start=start,
        facts={"start_evidence": start_evidence, "phases": {**PHASES, "first_call": 0.5, **phases}},
    )


@pytest.fixture
def filled(folder: Callable[..., Any]) -> Any:
    """Return a folder with two ways, three states, a gap and the rate of one way."""
    made = folder(scenario=SCENARIO)
    made.add("numba", [0.0117, 0.0118, 0.0116])
    launch(made, "warm", "numba", [0.012, 0.0121, 0.0119])
    launch(made, "cold", "numba", [0.012, 0.0121, 0.0119], **{"import": 1.4, "read": 0.9})
    launch(made, "uncompiled", "numba", [0.012], first_call=9.0)
    launch(made, "warm", "numpy", [0.27, 0.28, 0.272])
    skipped = {"reason": "capacity", "message": "its files cannot be made cold: 9 MB of 20 MB; measure it elsewhere"}
    made.add("numpy", [None], start="cold", outcome=Outcome.SKIPPED, facts=skipped)
    return made


def journal(folder: Any, **detail: Any) -> Evidence:
    """Return the evidence with a journal that tells of the job."""
    path = folder.write()
    message = {"platform": "here", "ended_at": "2026-11-22T10:20:00Z", "began_at": "2026-11-22T10:00:03Z", **detail}
    events = [
        Event(at="2026-11-22T10:00:00Z", event="submitting", job="here"),
        Event(at="2026-11-22T10:00:02Z", event="submitted", job="here"),
        Event(at="2026-11-22T10:20:04Z", event="accounted", job="here", detail=message),
    ]
    lines = b"\n".join(map(msgspec.json.encode, events)) + b'\n{"torn'
    (path / "runs" / folder.run / "journal.jsonl").write_bytes(lines)
    from daasbench.evidence import gather

    return gather(path)


def texts(evidence: Evidence, out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in report.write(evidence, out)}


def plain(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<body>")[2])))


def test_the_page_says_how_long_each_start_takes_and_what_most_of_it_is(filled: Any, tmp_path: Path) -> None:
    said = plain(texts(filled.gather(), tmp_path)["time_to_science.html"])
    assert "numba (2 threads) has its first result of 16 frames after 1.38 s [1.38, 1.38] from a warm start" in said
    assert "3.08 s [3.08, 3.08] from a cold start" in said
    assert "most of the uncompiled start is compile, 8.99 s" in said


def test_the_phases_of_the_sheet_add_up_to_the_first_result(filled: Any, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(texts(filled.gather(), tmp_path)["time_to_science.csv"])))
    good = [row for row in rows if row["first_result_s"]]
    assert len(good) == 4
    names = ("interpreter", "import", "read", "put", "setup", "compile", "compute", "get")
    for row in good:
        assert sum(float(row[f"{name}_s"]) for name in names) == pytest.approx(float(row["first_result_s"]), rel=1e-3)
        assert row["context_s"] == row["start_s"] == row["queue_s"] == ""


def test_a_phase_that_was_not_measured_is_named_with_its_reason(filled: Any, tmp_path: Path) -> None:
    said = plain(texts(filled.gather(), tmp_path)["time_to_science.html"])
    assert "GPU context: no GPU is used" in said
    assert "start of ranks or workers: a single process computes" in said
    assert "stage-in, queue, boot and stage-out: the journal does not have the end of the job" in said


def test_the_times_around_the_job_come_from_the_journal(filled: Any, tmp_path: Path) -> None:
    message = journal(filled, queued_at="2026-11-22T10:00:02Z", started_at="2026-11-22T10:00:02.500Z")
    made = texts(message, tmp_path)
    assert "stage-in 2.00 s, queue 500 ms, boot 500 ms, stage-out 4.00 s" in plain(made["time_to_science.html"])
    assert "time_to_science-s1-job.svg" in made
    without = texts(journal(filled), tmp_path / "other")
    assert "queue: the platform has no queue" in plain(without["time_to_science.html"])


def test_a_start_in_one_process_claims_no_ratio(filled: Any, tmp_path: Path) -> None:
    page = plain(texts(filled.gather(), tmp_path)["time_to_science.html"])
    assert "no claim one process only" in page
    assert "Evidence of the starts: L1" in page


def test_a_start_that_could_not_be_made_cold_is_a_gap_with_its_reason(filled: Any, tmp_path: Path) -> None:
    page = plain(texts(filled.gather(), tmp_path)["time_to_science.html"])
    assert page.count("its files cannot be made cold: 9 MB of 20 MB") == 2
    assert "cold start" in page.partition("Gaps, each with its reason")[2]


def test_the_rate_is_that_of_the_steady_case_where_there_is_one(filled: Any) -> None:
    (problem,) = problem_starts(filled.gather())
    numba, numpy = real_time(problem)
    assert (numba.from_start, numpy.from_start) == (False, True)
    assert numba.factor is not None
    assert numba.factor.value == pytest.approx(16 / 0.0117 / 500, rel=1e-2)
    assert numba.keeps_up is True
    assert numba.workers == (1, 1)
    assert numpy.keeps_up is False
    assert numpy.workers is not None
    assert numpy.workers[0] >= 8


def test_without_an_interval_nothing_is_said_to_keep_up(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder(scenario=SCENARIO)
    launch(made, "warm", "numba", [0.012])
    page = plain(texts(made.gather(), tmp_path)["time_to_science.html"])
    assert "is not claimed: one process gives no interval" in page
    assert "keeps up with Eiger2 4M of ID11: keep-up" not in page


def test_with_an_interval_that_holds_one_it_cannot_be_told_yet(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder(scenario=SCENARIO.replace("500.0", "1370.0"))
    launch(made, "warm", "numba", [0.011, 0.013, 0.012])
    assert "It cannot be told yet whether numba (2 threads) keeps up with Eiger2 4M of ID11: keep-up factor" in plain(
        texts(made.gather(), tmp_path)["time_to_science.html"]
    )


def test_a_frame_of_another_size_than_the_detectors_is_named(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder(scenario=SCENARIO.replace("18e6", "72e6"))
    launch(made, "warm", "numba", [0.011, 0.013, 0.012])
    said = plain(texts(made.gather(), tmp_path)["time_to_science.html"])
    assert "has 17.2 MiB, one of the detector 68.7 MiB" in said


def test_what_reading_leaves_of_a_keep_up_factor_is_told_as_a_projection(filled: Any, tmp_path: Path) -> None:
    page = plain(texts(filled.gather(), tmp_path)["time_to_science.html"])
    left = 1 / (0.1 / 16 + 1e-5 / 16 + 0.0117 / 16) / 500
    message = (
        "That is for frames in memory: if each is read first, as fast as in a warm start, and nothing is done"
        " meanwhile, it is"
    )
    assert f"{message} {left:.3g} × (projected)" in page.replace("\u2009", " ")
    assert page.count("That is for frames in memory") == 2


def test_a_whole_data_set_is_projected_and_named_so(filled: Any, tmp_path: Path) -> None:
    evidence = filled.gather()
    (problem,) = problem_starts(evidence)
    warm = problem.by_implementation[0][0]
    took_s = dataset_s(problem, warm)
    once = 0.2 + 0.5 + 0.08 + (0.5 - 0.012)
    assert took_s == pytest.approx(once + 3600 / 16 * (0.1 + 1e-5 + 0.0117), rel=1e-2)
    assert "projected, not measured" in plain(texts(evidence, tmp_path)["time_to_science.html"])


def test_without_a_beamline_nothing_is_said_of_keeping_up(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder()
    launch(made, "warm", "numba", [0.011, 0.013, 0.012])
    page = plain(texts(made.gather(), tmp_path)["time_to_science.html"])
    assert "Keeping up with the detector" not in page


def test_evidence_without_a_start_says_how_to_get_one(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = texts(folder().add("numba", [0.01, 0.011]).gather(), tmp_path)
    assert "No start was measured yet" in made["time_to_science.html"]
    assert 'start = ["warm", "cold"]' in made["time_to_science.html"]


def test_the_same_records_give_the_same_bytes(filled: Any, tmp_path: Path) -> None:
    evidence = journal(filled)
    one, other = (texts(evidence, tmp_path / name) for name in "ab")
    assert one == other
    assert {name.rpartition(".")[2] for name in one} == {"html", "md", "csv", "svg"}


def test_the_page_needs_no_network_and_its_links_lead_somewhere(filled: Any, tmp_path: Path) -> None:
    page = texts(filled.gather(), tmp_path)["time_to_science.html"]
    assert not re.findall(r'(?:src|href)="https?:', page)
    for target in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{target}"' in page


def test_an_unknown_format_and_a_folder_that_is_a_file_are_refused(filled: Any, tmp_path: Path) -> None:
    evidence = filled.gather()
    with pytest.raises(UnknownName, match="html"):
        report.write(evidence, tmp_path, ["pdf"])
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="--out"):
        report.write(evidence, tmp_path / "file", ["md"])
