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
from daasbench.reports.time_to_science.answer import AnswerBox, answer_box
from daasbench.reports.time_to_science.real_time import dataset_s, real_time
from daasbench.reports.time_to_science.starts import problem_starts

from daasbench.errors import OutputError, UnknownName
from daasbench.evidence import Evidence
from daasbench.model import Event, Outcome, StartEvidence, Work

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
WORK = Work(unit="frame", units=16, flop=16 * 9e6, bytes=16 * 27e6, input_bytes=16 * 18e6, output_bytes=8e3)
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


def launch(
    folder: Any, start: str, implementation: str, medians: list[float | None], *, seen: Any = None, size: str = "small",
    work: Work = WORK, **phases: float,
) -> None:  # fmt: skip
    """Add the starts of one implementation."""
    start_evidence = msgspec.structs.replace(WARM if start in ("warm", "uncompiled") else COLD, **(seen or {}))
    folder.add(
        implementation,
        medians,
        start=start,
        size=size,
        work=work,
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


def box_of(evidence: Evidence) -> AnswerBox:
    """Return the answer box; each sentence has 25 words at most, but for the command at its end."""
    box = answer_box(evidence, problem_starts(evidence))
    assert all(len(sentence.partition(": daasbench")[0].split()) <= 25 for sentence in box.sentences)
    assert len(box.sentences) <= 3
    return box


def steady(folder: Any, seconds: float = 0.0117, **facts: Any) -> Any:
    """Return a folder with the rate of numba and its warm starts, in three processes."""
    made = folder(scenario=SCENARIO)
    made.add("numba", [seconds, 1.01 * seconds, 0.99 * seconds], facts=facts)
    launch(made, "warm", "numba", [seconds, 1.01 * seconds, 0.99 * seconds])
    return made


def test_the_box_says_how_long_the_first_result_takes_and_what_keeps_up(filled: Any) -> None:
    launch(filled, "first", "numba", [0.012, 0.0121, 0.0119], first_call=9.0, read=0.9)
    first, memory, disk = box_of(filled.gather()).sentences
    assert first == (
        "With numba, the first result takes 10.7 s the very first time, 8.99 s of it compiling; from a warm start"
        " 1.38 s."
    )
    assert re.fullmatch(
        r"Frames in memory: keeps up with the Eiger2 4M, 2\.7\d times its rate \(2\.\d+ to 2\.\d+\)\.", memory
    )
    assert disk == "Frames read from disk first: does not (0.035 times its rate, projected)."


def test_the_page_says_of_each_implementation_how_long_it_takes_and_whether_it_keeps_up(
    filled: Any, tmp_path: Path
) -> None:
    said = plain(texts(filled.gather(), tmp_path)["time_to_science.html"])
    assert "With numba, the first result takes 3.08 s with its files on disk only, 1.40 s of it importing" in said
    assert "numpy (2 threads): Frames in memory: does not keep up with the Eiger2 4M" in said
    assert "Assumed: ID11, Eiger2 4M, 500 frames/s (source: the beamline's own page, 2026-11-01)." in said


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
    assert "not given too few processes" in page
    assert "Evidence of the starts: L1" in page


def test_a_start_that_could_not_be_made_cold_is_a_gap_with_its_reason(filled: Any, tmp_path: Path) -> None:
    page = plain(texts(filled.gather(), tmp_path)["time_to_science.html"])
    assert page.count("its files cannot be made cold: 9 MB of 20 MB") == 2
    assert "cold start" in page.partition("Not measured or not correct, and why")[2]


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


def test_with_an_interval_that_holds_one_it_cannot_be_told_yet(folder: Callable[..., Any]) -> None:
    made = folder(scenario=SCENARIO.replace("500.0", "1370.0"))
    launch(made, "warm", "numba", [0.011, 0.013, 0.012])
    _, memory, *_ = box_of(made.gather()).sentences
    assert "Frames in memory: whether it keeps up with the Eiger2 4M cannot be told yet, 0.97 times its rate" in memory


def disturb(made: Any) -> Any:
    """Let other programs use half of the machine during every repeat and start."""
    made.records["here"] = [
        msgspec.structs.replace(
            one,
            samples=msgspec.structs.replace(one.samples, foreign=[0.5] * len(one.samples.seconds)),
            start_evidence=one.start_evidence and msgspec.structs.replace(one.start_evidence, foreign=0.5),
        )
        for one in made.records["here"]
    ]
    return made


VERDICT = re.compile(r"keeps? up with the Eiger2 4M, |up with the Eiger2 4M, [\d.]+ times|is enough|are enough")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (
            lambda folder: frames_of_another_size(folder),
            "A measured frame has 17.2 MiB, one of the Eiger2 4M",
        ),
        (lambda folder: one_process(folder), "from one process: too few for an interval"),
        (lambda folder: steady(folder, exceeds_cache=False), "The frames fit into the processor's cache"),
        (lambda folder: disturb(steady(folder)), "Other work disturbed most of the processes"),
        (lambda folder: scattered(folder), "Too uncertain to compare: the 3 processes differ too much"),
    ],
)
def test_a_verdict_on_the_detector_that_a_caveat_voids_is_not_printed(
    folder: Callable[..., Any], tmp_path: Path, make: Callable[[Any], Any], why: str
) -> None:
    evidence = make(folder).gather()
    box = box_of(evidence)
    page = plain(texts(evidence, tmp_path)["time_to_science.html"])
    assert not VERDICT.search(page), VERDICT.search(page)
    assert why.lower() in " ".join([*box.sentences, box.missing]).lower()
    assert why in page


def frames_of_another_size(folder: Any) -> Any:
    made = folder(scenario=SCENARIO.replace("18e6", "72e6"))
    launch(made, "warm", "numba", [0.011, 0.013, 0.012])
    return made


def one_process(folder: Any) -> Any:
    made = folder(scenario=SCENARIO)
    launch(made, "warm", "numba", [0.012])
    return made


def scattered(folder: Any) -> Any:
    made = folder(scenario=SCENARIO)
    made.add("numba", [0.001, 0.01, 0.1])
    launch(made, "warm", "numba", [0.012, 0.0121, 0.0119])
    return made


def test_a_cached_rate_that_is_too_slow_is_still_too_slow(folder: Callable[..., Any]) -> None:
    evidence = steady(folder, seconds=0.27, exceeds_cache=False).gather()
    assert "Frames in memory: does not keep up with the Eiger2 4M" in box_of(evidence).sentences[1]


def test_the_box_names_the_size_of_frames_to_measure_where_they_are_not_the_detectors(
    folder: Callable[..., Any],
) -> None:
    tiny = Work(unit="frame", units=3, flop=1e6, bytes=1e6, input_bytes=3 * 211 * 197 * 4, output_bytes=8e3)
    made = folder(scenario=SCENARIO)
    made.add("numba", [0.0012, 0.00121, 0.00119], size="tiny", work=tiny)
    launch(made, "warm", "numba", [0.012, 0.0121, 0.0119], size="tiny", work=tiny)
    _, void, fix = box_of(made.gather()).sentences
    assert void == (
        "Whether it keeps up with the Eiger2 4M cannot be told: a measured frame has 162 KiB, one of the"
        " Eiger2 4M 17.2 MiB."
    )
    assert fix.startswith("Measure frames of that size: daasbench run ")
    assert fix.endswith(" --set cases.sizes=small")
    (problem,) = problem_starts(made.gather())
    assert dataset_s(problem, problem.starts[0]) is None


def test_the_sheet_has_no_keep_up_factor_for_frames_of_another_size_but_its_reason(
    folder: Callable[..., Any], tmp_path: Path
) -> None:
    sheet = texts(frames_of_another_size(folder).gather(), tmp_path)["time_to_science.csv"]
    [row] = csv.DictReader(io.StringIO(sheet))
    assert row["keep_up_factor"] == ""
    assert row["keep_up_missing_because"] == "frames of another size"


def test_reading_first_is_a_projection_from_disk_where_that_was_measured(filled: Any, tmp_path: Path) -> None:
    page = plain(texts(filled.gather(), tmp_path)["time_to_science.html"])
    left = 1 / (0.9 / 16 + 1e-5 / 16 + 0.0117 / 16) / 500
    assert f"Frames read from disk first: does not ({left:.2g} times its rate, projected)." in page
    assert "Frames read from a file in memory first: does not (0.085 times its rate, projected)." in page


def test_an_uncompiled_start_of_what_compiles_nothing_is_explained_and_not_in_the_answer(
    folder: Callable[..., Any], tmp_path: Path
) -> None:
    made = folder(scenario=SCENARIO)
    nothing = {"compiled_before": 0, "compiled_after": 0}
    launch(made, "warm", "numpy", [0.27, 0.28, 0.272], seen=nothing)
    launch(made, "uncompiled", "numpy", [0.27, 0.28, 0.272], seen=nothing, read=0.01)
    evidence = made.gather()
    assert "if its code is not compiled yet" not in box_of(evidence).sentences[0]
    page = plain(texts(evidence, tmp_path)["time_to_science.html"])
    assert "compiles nothing, so its uncompiled start is a second warm start" in page
    assert "nothing to compile" in page
    assert "compile " not in page.partition("What the words mean")[0].replace("nothing to compile ", "")


def test_an_uncompiled_start_that_is_faster_than_a_warm_one_is_explained(
    folder: Callable[..., Any], tmp_path: Path
) -> None:
    made = folder(scenario=SCENARIO)
    launch(made, "warm", "numba", [0.012, 0.0121, 0.0119])
    launch(made, "uncompiled", "numba", [0.012, 0.0121, 0.0119], read=0.01)
    page = plain(texts(made.gather(), tmp_path)["time_to_science.html"])
    assert "The uncompiled starts of numba (2 threads) took less time than its warm ones. Compiling cannot" in page


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
