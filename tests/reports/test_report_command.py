"""``daasbench report`` and ``daasbench results``: which files are written, and what is said of several folders."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import daasbench
from daasbench.cli import daasbench as command_line
from daasbench.cli import report as report_module

Say = Callable[..., Any]


@pytest.fixture
def measured(folder: Callable[..., Any]) -> Path:
    """Return a results folder with two implementations, one of which is partly skipped."""
    made = folder().add("numba", [0.01, 0.011, 0.0105])
    facts = {"outcome": "skipped", "message": "no NVIDIA GPU in this machine; use a machine that has one"}
    return made.add("cupy", [None, None], facts=facts, threads=1).write()


# --- report ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formats", [["csv", "md", "html"], ["csv,md,html"], ["csv", "md,html", "csv"]], ids=str)
def test_every_format_that_was_asked_for_is_written(
    say: Say, measured: Path, tmp_path: Path, formats: list[str]
) -> None:
    said = say("report", "summary", "--results", measured, *(word for one in formats for word in ("--format", one)))
    assert said.code == 0, said.err
    suffixes = {path.suffix for path in (tmp_path / "report").iterdir()}
    assert suffixes == {".csv", ".md", ".html"}


def test_the_page_is_opened_in_the_web_browser_on_demand(
    say: Say, measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(report_module.webbrowser, "open", lambda url: not opened.append(url))
    assert say("report", "summary", "--results", measured).err == ""
    assert opened == []
    said = say("report", "summary", "--results", measured, "--open")
    assert (said.code, said.err) == (0, "")
    assert opened == [(tmp_path / "report" / "summary.html").as_uri()]


def test_without_a_web_browser_the_file_is_named(
    say: Say, measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module.webbrowser, "open", lambda url: False)
    said = say("report", "summary", "--results", measured, "--open")
    assert said.code == 0
    assert said.err == f"note: no web browser was found; open this file: {tmp_path}/report/summary.html\n"


def test_several_folders_are_named_and_so_are_cases_whose_processes_are_counted_together(
    say: Say, folder: Callable[..., Any]
) -> None:
    monday, tuesday = folder().add("numba", [0.01, 0.011, 0.012]), folder()
    tuesday.run = "20261123-100000-cd34"
    tuesday.add("numba", [0.02, 0.021, 0.022]).add("numpy", [0.3, 0.31, 0.32])
    said = say("report", "summary", "--results", monday.write(), "--results", tuesday.write())
    assert said.code == 0
    assert f"note: this report joins the records of 2 folders: {monday.path}, {tuesday.path}\n" in said.err
    assert "note: 1 case was measured in more than one run; the report counts the processes of all runs" in said.err


def test_one_folder_with_one_run_needs_no_note(say: Say, measured: Path) -> None:
    assert say("report", "summary", "--results", measured).err == ""
    assert say("report", "summary", "--results", measured, "--results", f"{measured}/.").err == ""


# --- results --------------------------------------------------------------------------------------------------


def test_the_table_names_what_all_rows_share_once_and_puts_reasons_below(say: Say, measured: Path) -> None:
    lines = say("results", "--results", measured).out.splitlines()
    assert lines[0] == "run 20261122-100000-ab12, platform here, kernel azimuthal_integration, size small"
    assert lines[1].split() == ["implementation", "process", "outcome", "one", "repeat", "(95", "%)", "rate"]
    assert any(line.startswith("numba (2 threads)  3 of 3") and "frames/s" in line for line in lines)
    assert lines[-2] == "[1] no NVIDIA GPU in this machine; use a machine that has one"
    assert lines[-1] == "95 %: interval of the repeats within one process; reports have the interval of all processes"
    assert max(map(len, lines[1:-1])) <= 80


def test_json_has_every_column_with_every_digit_and_null_for_missing(say: Say, measured: Path) -> None:
    message = json.loads(say("results", "--results", measured, "--json").out)
    table = daasbench.load(measured)
    assert message["schema"] == 1
    assert [list(row) for row in message["rows"]] == [list(table.columns)] * len(table)
    for row, median in zip(message["rows"], table["median_s"], strict=True):
        assert row["median_s"] == (None if pd.isna(median) else median)
        assert row["gpu"] is None


@pytest.mark.parametrize("words", [[], ["--json"], ["--csv", "-"], ["--parquet", "-"]], ids=" ".join)
def test_only_the_chosen_columns_are_printed_in_their_order(measured: Path, words: list[str], capfdbinary: Any) -> None:
    columns = ["implementation", "median_s", "process"]
    arguments = ["results", "--results", str(measured), "--columns", ",".join(columns), *words]
    command_line.main(arguments, prog_name="daasbench", standalone_mode=False)
    out = capfdbinary.readouterr().out
    if "--parquet" in words:
        assert list(pd.read_parquet(io.BytesIO(out)).columns) == columns
    elif "--csv" in words:
        assert list(pd.read_csv(io.BytesIO(out)).columns) == columns
    elif "--json" in words:
        assert list(json.loads(out)["rows"][0]) == columns
    else:
        assert out.split(b"\n")[0].split() == [b"implementation", b"median_s", b"process"]


def test_data_on_standard_output_are_alone_there(say: Say, measured: Path, tmp_path: Path) -> None:
    said = say("results", "--results", measured, "--json", "--csv", tmp_path / "table.csv")
    json.loads(said.out)
    assert said.err == f"5 rows in {tmp_path}/table.csv\n"


def test_folders_may_be_given_to_load_as_a_list(measured: Path) -> None:
    one = daasbench.load(measured)
    pd.testing.assert_frame_equal(one, daasbench.load([measured]))
    assert one.attrs["units"]["median_s"] == "s"
