"""``daasbench.load`` and ``daasbench.ratio``: what a notebook sees."""

from __future__ import annotations

import inspect
import math
import re
from pathlib import Path

import pandas as pd
import pytest

import daasbench
from daasbench.errors import UnknownName, UsageError
from daasbench.evidence.table import COLUMNS
from daasbench.evidence.units import UNITS
from daasbench.statistics import ratio as ratio_of_medians

CASE = {
    "kernel": "tomography", "size": "small", "seed": 0, "input": None, "options": None, "basis": "measured",
    "platform": "here", "version": "1", "nodes": 1, "ranks": 1, "threads": 1, "gpus": 0, "cpu": "Zen", "commit": "c0",
    "run": "r0", "outcome": "ok",
}  # fmt: skip


def rows(implementation: str, *medians: float, **changes: object) -> list[dict[str, object]]:
    """Return the rows of one measurement: a median per process."""
    same = {**CASE, "implementation": implementation, **changes}
    return [{**same, "process": process, "median_s": median} for process, median in enumerate(medians)]


def table(*measurements: list[dict[str, object]]) -> pd.DataFrame:
    """Return measurements as a table, with missing values as `load` has them."""
    frame = pd.DataFrame([row for measurement in measurements for row in measurement])
    whole = dict.fromkeys(("seed", "nodes", "ranks", "threads", "gpus", "process"), "Int64")
    texts = [name for name in frame if name not in whole and name != "median_s"]
    return frame.astype(whole).astype(dict.fromkeys(texts, "str"))


def test_a_ratio_is_how_many_times_as_fast_the_new_one_is_with_the_interval_of_the_statistics() -> None:
    base, new = [4.0, 4.4, 4.2], [2.0, 2.2, 2.0]
    [row] = daasbench.ratio(table(rows("numpy", *base), rows("numba", *new)), base="numpy").to_dict("records")
    expected = ratio_of_medians(base=dict(enumerate(new)), new=dict(enumerate(base)))
    assert row["ratio"] == pytest.approx((4.0 * 4.4 * 4.2 / (2.0 * 2.2 * 2.0)) ** (1 / 3))
    assert (row["ratio"], row["low"], row["high"]) == (expected.value, expected.low, expected.high)
    assert (row["base"], row["new"], row["n"], row["method"]) == ("numpy", "numba", 3, "paired t on log ratios")
    assert row["differs"] == ""


def test_processes_of_different_runs_are_not_paired() -> None:
    both = table(rows("numpy", 4.0, 4.4, 4.2), rows("numpy", 2.0, 2.2, 2.0, commit="c1", run="r1"))
    [row] = daasbench.ratio(both, by="commit", base="c0", new="c1").to_dict("records")
    assert (row["method"], row["implementation"]) == ("Welch on log ratios", "numpy")


def test_one_process_gives_a_ratio_without_an_interval() -> None:
    [row] = daasbench.ratio(table(rows("numpy", 4.0), rows("numba", 2.0)), base="numpy").to_dict("records")
    assert row["ratio"] == 2.0
    assert math.isnan(row["low"])
    assert math.isnan(row["high"])


def test_two_processes_give_a_range_and_no_interval() -> None:
    [row] = daasbench.ratio(table(rows("numpy", 4.0, 6.0), rows("numba", 2.0, 2.0)), base="numpy").to_dict("records")
    assert (row["n"], row["method"], row["least"], row["greatest"]) == (2, "range", pytest.approx(2), pytest.approx(3))
    assert math.isnan(row["low"])
    assert math.isnan(row["high"])


@pytest.mark.parametrize(
    ("medians", "verdict"),
    [
        ([2.0, 2.1, 2.0], "faster"),
        ([8.0, 8.1, 8.0], "slower"),
        ([4.0, 4.2, 3.9], "no clear difference"),
        ([2.0, 2.0], "too few processes"),
        ([2.0, 8.0, 2.0], "too uncertain to compare"),
    ],
)
def test_the_verdict_is_that_of_the_reports(medians: list[float], verdict: str) -> None:
    both = table(rows("numpy", *[4.0, 4.1, 4.05][: len(medians)]), rows("numba", *medians))
    assert list(daasbench.ratio(both, base="numpy")["verdict"]) == [verdict]


def test_there_is_no_verdict_if_other_programs_disturbed_most_processes_of_either_side() -> None:
    quiet, busy = rows("numpy", 4.0, 4.1, 4.05), rows("numba", 2.0, 2.1, 2.0)
    for row, share in zip([*quiet, *busy], (0.0, 0.0, 0.0, 0.4, 0.4, 0.0), strict=True):
        row["foreign_cpu"] = share
    both = table(quiet, busy).astype({"foreign_cpu": "float64"})
    assert list(daasbench.ratio(both, base="numpy")["verdict"]) == ["the machine was busy"]
    both.loc[4, "foreign_cpu"] = 0.04
    assert list(daasbench.ratio(both, base="numpy")["verdict"]) == ["faster"]


def test_a_base_that_is_no_value_of_a_column_is_refused_with_an_example() -> None:
    both = table(rows("numpy", 4.0), rows("numba", 2.0))
    with pytest.raises(UsageError, match="is no value of a column; write for example by='threads', base=1, new=2"):
        daasbench.ratio(both, base={"implementation": "numpy"})  # type: ignore[arg-type]  # what a beginner writes


def test_each_problem_and_each_number_of_threads_has_a_row_of_its_own() -> None:
    both = table(
        rows("numpy", 4.0, 4.0, 4.0),
        rows("numba", 2.0, 2.0, 2.0),
        rows("numba", 1.0, 1.0, 1.0, threads=2),
        rows("numpy", 9.0, 9.0, 9.0, size="tiny"),
        rows("numba", 3.0, 3.0, 3.0, size="tiny"),
    )
    found = daasbench.ratio(both, base="numpy")
    assert found[["size", "threads", "ratio", "differs"]].values.tolist() == [
        ["small", 1, 2.0, ""], ["small", 2, 4.0, "threads 1 -> 2"], ["tiny", 1, pytest.approx(3.0), ""],
    ]  # fmt: skip


def test_threads_are_compared_within_one_implementation_only() -> None:
    both = table(rows("numpy", 4.0), rows("numba", 2.0), rows("numba", 1.0, threads=2), rows("other", 1.0, threads=2))
    with pytest.raises(UsageError, match="also differ in implementation"):
        daasbench.ratio(both, by="threads", base=1, new=2)
    [row] = daasbench.ratio(both[both["implementation"] != "other"], by="threads", base=1, new=2).to_dict("records")
    assert (row["implementation"], row["ratio"]) == ("numba", 2.0)


def test_platforms_are_compared_with_the_number_of_threads_that_each_has() -> None:
    both = table(rows("numba", 2.0, threads=2), rows("numba", 1.0, platform="site", threads=64, cpu="Milan", run="r1"))
    [row] = daasbench.ratio(both, by="platform", base="here").to_dict("records")
    assert (row["new"], row["ratio"], row["differs"]) == ("site", 2.0, "threads 2 -> 64, cpu Zen -> Milan")


def test_bases_that_differ_are_never_pooled() -> None:
    both = table(rows("numpy", 4.0), rows("numpy", 5.0, run="r1"), rows("numba", 2.0, run="r2"))
    with pytest.raises(UsageError, match=r"2 bases fit implementation 'numba' of tomography; they differ in run"):
        daasbench.ratio(both, base="numpy")


def test_another_processor_is_not_the_same_measurement() -> None:
    both = table(rows("numpy", 4.0), rows("numba", 2.0, cpu="Milan"))
    with pytest.raises(UsageError, match="also differ in cpu"):
        daasbench.ratio(both, base="numpy")


def test_a_wrong_process_excludes_its_measurement() -> None:
    bad = rows("numba", 2.0, 2.0, 2.0)
    bad[1]["outcome"] = "wrong"
    with pytest.raises(UsageError, match="no problem has correct results of both"):
        daasbench.ratio(table(rows("numpy", 4.0, 4.0, 4.0), bad), base="numpy")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"base": "numpi"}, "no implementation 'numpi'; did you mean 'numpy'"),
        ({"base": "numpy", "new": "nmba"}, "no implementation 'nmba'; did you mean 'numba'"),
        (
            {"base": "numpy", "by": "implementations"},
            "no column to compare 'implementations'; did you mean 'implementation'",
        ),
        ({"base": "tiny", "by": "size"}, "no column to compare 'size'"),
    ],
)
def test_a_wrong_name_is_a_sentence_with_the_nearest(arguments: dict[str, str], sentence: str) -> None:
    with pytest.raises(UnknownName, match=re.escape(sentence)):
        daasbench.ratio(table(rows("numpy", 4.0), rows("numba", 2.0)), **arguments)


def test_a_process_that_is_in_the_table_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="more than one row of the same process"):
        daasbench.ratio(table(rows("numpy", 4.0), rows("numpy", 4.0), rows("numba", 2.0)), base="numpy")


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(UsageError, match=r"not a table of daasbench\.load"):
        daasbench.ratio(table(rows("numpy", 4.0))[["kernel", "median_s"]], base="numpy")


def test_the_ratio_of_two_columns_is_a_sentence_that_names_the_function_for_tables() -> None:
    column = pd.Series([1.0, 2.0])
    with pytest.raises(TypeError, match=r"two mappings from process to median, not Series; .*daasbench\.ratio\(table"):
        ratio_of_medians(column, column)  # type: ignore[arg-type]  # what a person tries first


# --- load -----------------------------------------------------------------------------------------------------


def test_a_table_knows_the_unit_of_each_column_as_the_page_has_it(checkout: Path) -> None:
    page = (checkout / "docs" / "reference" / "table.md").read_text()
    documented = {
        name: unit.strip().replace("`", "")
        for name, unit in re.findall(r"^\| `(\w+)` \| ([^|]*)\|", page, re.MULTILINE)
    }
    assert documented == UNITS
    assert tuple(UNITS) == COLUMNS


def test_help_of_load_names_every_column() -> None:
    text = inspect.getdoc(daasbench.load) or ""
    assert [name for name in COLUMNS if not re.search(rf"\b{name}\b", text)] == []
    assert "The tidy table" in text


@pytest.mark.parametrize("wrong", [None, 3, {"results": 1}, [["results"]]])
def test_what_is_no_folder_is_a_sentence(wrong: object) -> None:
    with pytest.raises(UsageError, match=r'is not the path of a folder; write load\("results"\) or load\(\["monday"'):
        daasbench.load(wrong)  # type: ignore[arg-type]  # what is wrong with it
