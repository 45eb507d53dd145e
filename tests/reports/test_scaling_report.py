"""The report ``scaling``: what it says of scaling series whose law is known, and what it refuses to say."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from daasbench.reports.scaling import report

from daasbench.evidence import Evidence, gather
from daasbench.model import Basis, Outcome, Samples, Work
from daasbench.statistics.scaling_laws import Law

STRONG = 'question = "How much sooner?"\nintent = "strong"\n'
WEAK = 'question = "How much more?"\nintent = "weak"\n'
SERIAL = 0.04
POINTS = (1, 2, 4, 8)


def work(times: float = 1.0) -> Work:
    return Work(unit="update", units=100 * times, flop=1e6 * times, bytes=1e6 * times, input_bytes=1e6 * times)


def samples(median_s: float, share: float | None) -> Samples:
    """Return seven equal samples, the first of which is a warm-up, with so large a share of MPI in the others."""
    count = 7
    talk: dict[str, Any] = {} if share is None else {
        "mpi_s": [0.9 * median_s] + [share * median_s] * (count - 1),
        "mpi_least_s": [0.0] + [0.5 * share * median_s] * (count - 1),
        "mpi_most_s": [median_s] + [1.5 * share * median_s] * (count - 1),
        "mpi_calls": [130] * count, "mpi_timer_s": [1e-4 * median_s] * count,
    }  # fmt: skip
    return Samples(
        seconds=[median_s] * count, flags=[1] + [0] * (count - 1), cpu_s=[median_s] * count, foreign=[0.0] * count,
        get_s=[0.0] * count, block=[0] * count, round=[0] * count, at_s=[1.0 * i for i in range(count)], **talk,
    )  # fmt: skip


def add_series(
    made: Any, law: Law = Law.AMDAHL, points: tuple[int, ...] = POINTS, *, name: str = "mpi", sets: int = 3,
    share: float | None = 0.1, by: str = "ranks", scatter: float = 0.01, serial: float = SERIAL, **facts: Any,
) -> Any:  # fmt: skip
    """Add a series that follows a law, on a machine that is large enough."""
    chance = np.random.default_rng(11)
    made.machines.setdefault("here", msgspec.structs.replace(made.other_machine(), id="m9", usable_cores=64))
    for steps in points:
        grown = steps if law is Law.GUSTAFSON else 1
        each = grown / float(law.speed(np.array([steps]), serial)[0])
        medians = [0.8 * each * float(np.exp(chance.normal(0, scatter))) for _ in range(sets)]
        made.add(name, medians, kernel="halo", work=work(grown), grown=grown, **{"threads": 1, by: steps}, **facts)
        last = made.records["here"][-sets:]
        made.records["here"][-sets:] = [
            msgspec.structs.replace(one, samples=samples(median, share if by == "ranks" else None))
            for one, median in zip(last, medians, strict=True)
        ]
    return made


def files(evidence: Evidence, out: Path, *formats: str) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in report.write(evidence, out, formats)}


def prose(evidence: Evidence, out: Path) -> str:
    return " ".join(files(evidence, out, "md")["scaling.md"].split()).replace("\\", "")


def lines(evidence: Evidence, out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files(evidence, out, "csv")["scaling.csv"])))


def test_speed_up_and_efficiency_are_those_of_the_law_with_their_intervals(folder: Any, tmp_path: Path) -> None:
    rows = lines(add_series(folder(scenario=STRONG)).gather(), tmp_path)
    assert [row["ranks"] for row in rows] == ["1", "2", "4", "8"]
    for row in rows[1:]:
        true = float(Law.AMDAHL.speed(np.array([int(row["ranks"])]), SERIAL)[0])
        assert float(row["speed_up_low"]) < true < float(row["speed_up_high"])
        assert float(row["efficiency"]) == pytest.approx(float(row["speed_up"]) / int(row["ranks"]))
        assert float(row["speed_up_high"]) > float(row["speed_up_low"])


@pytest.mark.parametrize(("law", "text"), [(Law.AMDAHL, STRONG), (Law.GUSTAFSON, WEAK)])
def test_the_law_of_each_intent_is_found_and_called_projected(folder: Any, tmp_path: Path, law: Law, text: str) -> None:
    evidence = add_series(folder(scenario=text), law).gather()
    row = lines(evidence, tmp_path)[0]
    assert row["projected_law"] == law.value
    assert float(row["projected_serial_fraction_low"]) <= SERIAL <= float(row["projected_serial_fraction_high"])
    assert f"Projected by {law.value}'s law, not measured" in prose(evidence, tmp_path)


def test_a_speed_up_is_of_geometric_means_and_not_of_arithmetic_ones(folder: Any, tmp_path: Path) -> None:
    made = folder(scenario=STRONG)
    made.machines["here"] = msgspec.structs.replace(made.other_machine(), id="m9", usable_cores=64)
    for ranks, medians in ((1, [1.0, 4.0, 16.0]), (2, [1.0, 1.0, 1.0])):
        made.add("mpi", medians, kernel="halo", work=work(), ranks=ranks, threads=1)
        last = made.records["here"][-3:]
        made.records["here"][-3:] = [
            msgspec.structs.replace(one, samples=samples(m, 0.1)) for one, m in zip(last, medians, strict=True)
        ]
    row = lines(made.gather(), tmp_path)[1]
    assert float(row["speed_up"]) == pytest.approx(4.0)  # the mean of the ratios is 7
    assert float(row["speed_up_low"]) < 0.2


def test_weak_scaling_counts_the_work_and_not_the_time_alone(folder: Any, tmp_path: Path) -> None:
    rows = lines(add_series(folder(scenario=WEAK), Law.GUSTAFSON, serial=0.0, scatter=0.001).gather(), tmp_path)
    assert [float(row["speed_up"]) for row in rows[1:]] == pytest.approx([2, 4, 8], rel=0.01)
    assert [row["grown"] for row in rows] == ["1", "2", "4", "8"]


def test_one_process_claims_nothing(folder: Any, tmp_path: Path) -> None:
    evidence = add_series(folder(scenario=STRONG), sets=1).gather()
    assert {row["speed_up"] for row in lines(evidence, tmp_path)} == {""}
    assert "a fit needs 3 or more per point" in lines(evidence, tmp_path)[0]["projection_missing_because"]
    assert "not given 1 process: too few" in prose(evidence, tmp_path)


def test_a_wrong_point_enters_nothing_and_keeps_its_reason(folder: Any, tmp_path: Path) -> None:
    right = add_series(folder(scenario=STRONG))
    wrong = {"error": 0.9, "message": "a plane is missing"}
    for number in (True, False):  # very fast, and one process of three that is wrong
        made = add_series(folder(scenario=STRONG))
        made.add("mpi", [1e-6] * 3, kernel="halo", work=work(), ranks=16, threads=1, outcome=Outcome.WRONG, facts=wrong)
        if number:
            made.records["here"][-3:-1] = [
                msgspec.structs.replace(one, outcome=Outcome.OK) for one in made.records["here"][-3:-1]
            ]
        rows = lines(made.gather(), tmp_path / f"wrong-{number}")
        assert rows[:4] == lines(right.gather(), tmp_path / "right")
        assert (rows[4]["ranks"], rows[4]["speed_up"], rows[4]["time_s"]) == ("16", "", "")
        assert "a plane is missing" in rows[4]["message"]


def test_the_first_verified_point_is_the_base_where_the_first_failed(folder: Any, tmp_path: Path) -> None:
    made = folder(scenario=STRONG)
    made.machines["here"] = msgspec.structs.replace(made.other_machine(), id="m9", usable_cores=64)
    made.add("mpi", [None] * 3, kernel="halo", work=None, ranks=1, threads=1, outcome=Outcome.FAILED,
             facts={"message": "killed: out of memory"})  # fmt: skip
    evidence = add_series(made, points=(2, 4, 8)).gather()
    assert [row["base"] for row in lines(evidence, tmp_path)] == ["", "2", "2", "2"]
    said = prose(evidence, tmp_path)
    assert "Use 8 ranks, the most that were measured: they are 3." in said
    assert "as fast as 2" in said
    assert "killed: out of memory" in said


def test_ranks_that_share_cores_are_named_and_are_no_point(folder: Any, tmp_path: Path) -> None:
    made = add_series(folder(scenario=STRONG))
    made.machines["here"] = msgspec.structs.replace(made.machines["here"], usable_cores=4)
    rows = lines(made.gather(), tmp_path)
    assert rows[3]["speed_up"] == ""
    assert "oversubscribed: 8 cores on a machine with 4" in rows[3]["message"]


def test_communication_is_the_share_of_what_counts_and_blank_where_there_is_none(folder: Any, tmp_path: Path) -> None:
    made = add_series(folder(scenario=STRONG), share=0.1)
    add_series(made, name="numba", by="threads")
    evidence = made.gather()
    by_name = {(row["implementation"], row["cores"]): row for row in lines(evidence, tmp_path)}
    talk = by_name["mpi", "8"]
    assert float(talk["mpi_share"]) == pytest.approx(0.1)  # the warm-up had 0.9
    assert (float(talk["mpi_share_least_rank"]), float(talk["mpi_share_most_rank"])) == pytest.approx((0.05, 0.15))
    assert float(talk["mpi_clock_share"]) == pytest.approx(1e-4)
    silent = by_name["numba", "8"]
    assert (silent["mpi_share"], silent["mpi_missing_because"]) == ("", "it does not use MPI")


@pytest.mark.parametrize(("calls", "share"), [(0, 0.0), (5, None)])
def test_no_call_and_no_clock_are_reasons_and_not_zero(
    folder: Any, tmp_path: Path, calls: int, share: float | None
) -> None:
    made = add_series(folder(scenario=STRONG), share=share)
    if share is not None:
        made.records["here"] = [
            msgspec.structs.replace(
                one, samples=msgspec.structs.replace(one.samples, mpi_calls=[calls] * len(one.samples.seconds))
            )
            for one in made.records["here"]
        ]
    row = lines(made.gather(), tmp_path)[2]
    assert row["mpi_share"] == ""
    assert row["mpi_missing_because"] == (
        "no call to MPI through mpi4py in a repeat" if share is not None else "its ranks' time in MPI was not measured"
    )


def test_records_that_break_the_declared_intent_are_not_shown_as_scaling(folder: Any, tmp_path: Path) -> None:
    said = prose(add_series(folder(scenario=WEAK), Law.AMDAHL).gather(), tmp_path)
    assert (
        "Not shown as scaling: halo / mpi, size small, on this machine: declared as weak, but on 1 rank 1,000,000 bytes"
        in said
    )
    assert not lines(add_series(folder(scenario=WEAK), Law.AMDAHL).gather(), tmp_path / "sheet")


def test_what_was_projected_is_no_point(folder: Any, tmp_path: Path) -> None:
    made = add_series(folder(scenario=STRONG))
    made.add("mpi", [0.001] * 3, kernel="halo", work=work(), ranks=64, threads=1, basis=Basis.PROJECTED)
    assert [row["ranks"] for row in lines(made.gather(), tmp_path)] == ["1", "2", "4", "8"]
    assert "1 case is projected or rehearsed, not measured, and not shown here" in prose(made.gather(), tmp_path)


def test_strong_and_weak_runs_of_one_folder_are_told_apart(folder: Any, tmp_path: Path) -> None:
    made = add_series(folder(scenario="question = 'Both?'\n"))
    made = add_series(made, Law.GUSTAFSON, points=(2, 4))
    rows = lines(made.gather(), tmp_path)
    assert [(row["intent"], row["ranks"]) for row in rows] == [
        ("strong", "1"), ("strong", "2"), ("strong", "4"), ("strong", "8"), ("weak", "1"), ("weak", "2"), ("weak", "4"),
    ]  # fmt: skip


def test_of_series_of_two_commits_of_the_suite_the_newest_is_shown(folder: Any, tmp_path: Path) -> None:
    old = add_series(folder(scenario=STRONG), commit="0aaa", started="2026-11-20T10:{:02d}:00+00:00")
    new = add_series(folder(scenario=STRONG), points=(1, 2), serial=0.5)
    evidence = gather(old.write(), new.write())
    rows = lines(evidence, tmp_path)
    assert [row["ranks"] for row in rows] == ["1", "2"]
    assert float(rows[1]["speed_up"]) == pytest.approx(1.333, rel=0.05)
    assert "1 series measured with an older version of daasbench is excluded" in prose(evidence, tmp_path)


def test_points_of_two_commits_of_the_suite_are_not_compared(folder: Any, tmp_path: Path) -> None:
    made = add_series(folder(scenario=STRONG), points=(1,))
    evidence = add_series(made, points=(2,), commit="0fff").gather()
    assert not lines(evidence, tmp_path)
    assert "2 cases are measured on one core count only with their version of daasbench, and excluded" in prose(
        evidence, tmp_path
    )


def test_as_many_cores_on_more_nodes_are_named_where_they_are_no_point(folder: Any, tmp_path: Path) -> None:
    made = add_series(folder(scenario=STRONG), points=(1, 2, 4))
    evidence = add_series(made, points=(2,), nodes=2).gather()
    assert [(row["ranks"], row["nodes"]) for row in lines(evidence, tmp_path)] == [("1", "1"), ("2", "1"), ("4", "1")]
    text = prose(evidence, tmp_path)
    assert "halo / mpi, size small, on this machine: 2 cores on 2 nodes are not shown, because as many on 1 are" in text
    assert "one core count only" not in text


def test_the_page_is_whole_and_a_projection_is_drawn_dashed(folder: Any, tmp_path: Path) -> None:
    page = files(add_series(folder(scenario=STRONG)).gather(), tmp_path, "html")["scaling.html"]
    assert page.count("<svg") == 1
    assert "stroke-dasharray" in page
    assert "fitted law (projected)" in page
    assert "Dashed: the law that was fitted, a projection, not measured." in page
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", page)
    two = files(add_series(folder(scenario=STRONG), points=(1, 2)).gather(), tmp_path / "two", "html")["scaling.html"]
    assert "projected)" not in two


def test_evidence_without_any_series_says_what_to_run(folder: Any, tmp_path: Path) -> None:
    evidence = folder().add("numpy", [0.5, 0.51, 0.52]).gather()
    assert "daasbench run strong_scaling" in files(evidence, tmp_path, "html")["scaling.html"]
    assert "1 case is measured on one core count only with its version of daasbench, and excluded" in prose(
        evidence, tmp_path
    )


def test_the_same_evidence_gives_the_same_bytes_in_two_processes(folder: Callable[..., Any], tmp_path: Path) -> None:
    path = add_series(add_series(folder(scenario=STRONG)), name="numba", by="threads").write()
    program = (
        "import sys; from pathlib import Path; from daasbench.evidence import gather;"
        "from daasbench.reports.scaling import report; report.write(gather(sys.argv[1]), Path(sys.argv[2]))"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", program, str(path), str(tmp_path / seed)],
            check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
    for name in ("scaling.html", "scaling.md", "scaling.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
