"""What the evidence allows to be claimed: levels, decisions, cores, and how many measurements ended how."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from daasbench.reports.blocks.provenance import _limits
from daasbench.reports.summary import report

import daasbench
from daasbench.evidence.claims import Decision, EvidenceLevel, compare, decision, problem_results
from daasbench.evidence.cores import cores_used
from daasbench.evidence.entries import entries
from daasbench.evidence.tally import tally
from daasbench.model import Case, Limit, Limits, Outcome, Record, Samples
from daasbench.statistics import Interval, across_processes, ratio

MakeFolder = Callable[..., Any]


def interval(low: float | None, high: float | None) -> Interval:
    return Interval(value=1.5, low=low, high=high, n=3, method="x")


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (1.1, 3.0, Decision.FASTER),
        (0.5, 0.9, Decision.SLOWER),
        (0.9, 1.2, Decision.UNDECIDED),
        (None, None, Decision.UNKNOWN),
        (5.0, 20.0, Decision.UNCERTAIN),
        (0.01, 0.9, Decision.UNCERTAIN),
    ],
)
def test_a_ratio_decides_only_with_an_interval_within_a_factor_of_three(
    low: float | None, high: float | None, found: Decision
) -> None:
    assert decision(interval(low, high)) is found
    assert found.claimed == (found in (Decision.FASTER, Decision.SLOWER))


def test_two_processes_are_too_few_for_level_two_and_for_a_comparison(folder: MakeFolder) -> None:
    made = folder().add("numba", [0.01, 0.0101]).add("numpy", [0.3, 0.31], threads=1)
    (problem,) = problem_results(entries(made.gather()))
    (group,) = problem.groups
    assert group.level is EvidenceLevel.VERIFIED
    assert not group.decided
    assert group.rivals[0].decision is Decision.UNKNOWN
    assert (group.fastest.time.least, group.fastest.time.greatest) == pytest.approx((0.01, 0.0101), rel=0.05)


def test_an_interval_beyond_a_factor_of_three_reaches_neither_level_two_nor_a_decision(folder: MakeFolder) -> None:
    made = folder().add("numba", [0.01, 0.04, 0.1]).add("numpy", [0.9, 0.91, 0.9], threads=1)
    (problem,) = problem_results(entries(made.gather()))
    (group,) = problem.groups
    assert group.level is EvidenceLevel.VERIFIED
    assert not group.decided
    assert compare(group.fastest, group.reference).decision is Decision.UNCERTAIN  # type: ignore[union-attr]


def test_three_steady_processes_reach_level_two_and_a_decision(folder: MakeFolder) -> None:
    made = folder().add("numba", [0.01, 0.0101, 0.01]).add("numpy", [0.3, 0.31, 0.3], threads=1)
    (problem,) = problem_results(entries(made.gather()))
    (group,) = problem.groups
    assert group.level is EvidenceLevel.INTERVAL
    assert group.decided


def test_the_time_of_an_entry_is_that_of_its_compute_phase(folder: MakeFolder) -> None:
    made = folder().add("numba", [0.01, 0.02, 0.1])
    (entry,) = entries(made.gather())
    assert entry.phase("compute") == entry.time.value


def test_a_phase_that_took_no_time_in_a_process_has_its_median(folder: MakeFolder) -> None:
    made = folder().add("numba", [0.01, 0.02, 0.1])
    (entry,) = entries(made.gather())
    assert entry.phase("put") == 0.0
    assert entry.phase("setup") == pytest.approx(0.08)


def record(repeat_s: float = 0.01, repeats: int = 100, used: float | None = None, **facts: Any) -> Record:
    samples = Samples(seconds=[repeat_s] * repeats, flags=[0] * repeats)
    given = {"outcome": Outcome.OK, "verified_by": "truth"} | facts
    return Record(
        key="k", run="r", job="j", platform="here", process=0, schema=1, samples=samples, cores_used=used,
        case=Case(kernel="k", implementation="numba", version="1", threads=2), **given,
    )  # fmt: skip


def test_repeats_that_are_short_beside_a_tick_show_no_cores() -> None:
    assert cores_used([record(0.001, 6, 3.04)], 2) is None
    assert cores_used([record(0.0003, 100, 1.9)], 2) is None


def test_long_repeats_show_the_cores_of_all_processes_together() -> None:
    assert cores_used([record(0.1, 10, 1.8), record(0.1, 10, 2.0)], 4) == pytest.approx(1.9)


def test_no_more_cores_are_shown_than_the_machine_has() -> None:
    assert cores_used([record(0.1, 10, 2.08)], 2) == 2
    assert cores_used([record(0.1, 10, 4.4)], 2) == pytest.approx(4.4)  # no error of a counter: it is shown


def test_cores_that_were_not_observed_are_not_shown() -> None:
    assert cores_used([record(0.1, 10, None)], 2) is None


def test_a_skipped_measurement_is_not_an_incorrect_one() -> None:
    records = [record(), record(), record(outcome=Outcome.SKIPPED, message="no GPU", verified_by=None)]
    found = tally(records)
    assert (found.correct, found.measured, found.skipped) == (2, 2, 1)
    assert found.all_correct
    assert found.skipped_because == {"no GPU": 1}


@pytest.mark.parametrize("outcome", [Outcome.WRONG, Outcome.FAILED, Outcome.TIMEOUT])
def test_a_measurement_without_a_correct_result_is_counted_as_such(outcome: Outcome) -> None:
    found = tally([record(), record(outcome=outcome)], missing=3)
    assert (found.measured, found.correct, found.incorrect, found.missing) == (2, 1, 1, 3)
    assert not found.all_correct


def test_a_result_that_nothing_verified_is_not_counted_as_correct() -> None:
    found = tally([record(verified_by=None)])
    assert (found.correct, found.unverified, found.all_correct) == (0, 1, False)


def test_no_measurement_is_not_all_correct() -> None:
    assert not tally([]).all_correct


def test_every_output_has_the_same_time_ratio_and_share(folder: MakeFolder, tmp_path: Path) -> None:
    made = folder().add("numba", [0.01, 0.013, 0.011, 0.02]).add("numpy", [0.3, 0.31, 0.5, 0.3], threads=1)
    evidence = made.gather()
    (group,) = problem_results(entries(evidence))[0].groups
    fast, slow = group.entries
    table = evidence.table
    medians = {name: dict(enumerate(mine["median_s"])) for name, mine in table.groupby("implementation", observed=True)}
    report.write(evidence, tmp_path, ["csv"])
    sheet = csv.DictReader((tmp_path / "summary.csv").read_text().splitlines())
    (row,) = [one for one in sheet if one["implementation"] == "numba"]
    same_time = across_processes(list(medians["numba"].values()))
    assert fast.time == same_time
    assert float(row["time_s"]) == pytest.approx(same_time.value)
    assert fast.phase("compute") == same_time.value
    assert fast.times_as_fast_as(slow) == ratio(base=medians["numba"], new=medians["numpy"])
    ratios = daasbench.ratio(table, base="numpy", new="numba").iloc[0]
    faster = fast.times_as_fast_as(slow)
    assert (ratios["ratio"], ratios["low"], ratios["high"]) == (faster.value, faster.low, faster.high)
    share = across_processes(table[table["implementation"] == "numba"]["limit_fraction"].tolist())
    assert float(row["limit_fraction"]) == pytest.approx(share.value)
    assert share.value * same_time.value == pytest.approx(
        table["limit_fraction"].iloc[0] * table["median_s"].iloc[0]
    )  # the share is that of the time


def test_a_limit_whose_repeats_were_disturbed_says_so(folder: MakeFolder) -> None:
    values = {
        "triad": Limit(value=48.5e9, unit="B/s", low=48e9, high=48.5e9, repeats=7),
        "read": Limit(value=34e9, unit="B/s", low=33e9, high=34e9, repeats=7),
        "fft_float32": Limit(value=130e9, unit="flop/s", low=8.94e9, high=130e9, repeats=7),
    }
    _, rows, _ = _limits(Limits(id="l", machine="m", threads=2, values=values))
    triad, read, fft = (row.spread for row in rows)
    assert "disturbed" not in triad
    assert "a read is not slower than a triad, whose rate is used" in read
    assert "only the fastest repeat counts" in fft
