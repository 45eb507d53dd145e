"""The report ``summary``: what it says, what it refuses to say, and that it says it the same way each time."""

from __future__ import annotations

import csv
import html.parser
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from daasbench.reports.summary import report

from daasbench.errors import OutputError, UnknownName
from daasbench.evidence import Evidence
from daasbench.model import Basis, Outcome

VOID = {"meta", "br", "link", "img", "input", "hr", "path", "use"}


class Reader(html.parser.HTMLParser):
    """Reads a page: its text, its ids, what it would load, and whether its elements nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.faults: list[str] = []
        self.feed(page)
        self.faults += [f"{tag} is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "srcset", "data", "action") or "url(" in (value or ""):
                self.references.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing, line {self.getpos()[0]}")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def written(evidence: Evidence, out: Path, *formats: str) -> dict[str, str]:
    """Return the files of the report by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in report.write(evidence, out, formats)}


def prose(evidence: Evidence, out: Path) -> str:
    """Return the text of the Markdown as a person reads it, white space folded: what the page says, undrawn."""
    text = " ".join(written(evidence, out, "md")["summary.md"].split()).replace("\\", "")
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def rows(text: str) -> dict[str, dict[str, str]]:
    """Return the lines of a sheet by implementation."""
    return {row["implementation"]: row for row in csv.DictReader(io.StringIO(text))}


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory, fill: Callable[[Path], Any]) -> Evidence:
    """Return evidence with every outcome."""
    gathered: Evidence = fill(tmp_path_factory.mktemp("every")).gather()
    return gathered


@pytest.fixture(scope="module")
def files(evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the whole report on every outcome."""
    return written(evidence, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def text(files: dict[str, str]) -> str:
    """Return the text of its page, white space folded."""
    return " ".join(Reader(files["summary.html"]).text.split())


def test_the_page_comes_first_and_every_format_is_written(
    files: dict[str, str], evidence: Evidence, tmp_path: Path
) -> None:
    assert list(files)[:3] == ["summary.html", "summary.md", "summary.csv"]
    assert report.write(evidence, tmp_path, ["csv"])[0].name == "summary.csv"


def test_an_unknown_format_is_refused_with_those_that_are_known(evidence: Evidence, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="html"):
        report.write(evidence, tmp_path, ["htm"])


def test_a_folder_that_cannot_be_written_is_one_sentence(evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="--out"):
        report.write(evidence, tmp_path / "file", ["md"])


def test_the_same_records_give_the_same_bytes_in_another_process(
    fill: Callable[[Path], Any], files: dict[str, str], tmp_path: Path
) -> None:
    program = (
        "import sys; from pathlib import Path; from daasbench.evidence import gather;"
        "from daasbench.reports.summary import report; report.write(gather(sys.argv[1]), Path(sys.argv[2]), ())"
    )
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    subprocess.run(
        [sys.executable, "-c", program, str(fill(tmp_path / "results").write()), str(tmp_path / "out")],
        env=os.environ | {"PYTHONHASHSEED": seed}, check=True,
    )  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(files)
    for name, before in files.items():
        assert (tmp_path / "out" / name).read_text(encoding="utf-8") == before, name


def test_two_writes_in_one_process_are_equal(evidence: Evidence, files: dict[str, str], tmp_path: Path) -> None:
    assert written(evidence, tmp_path) == files


def test_the_page_is_well_formed_and_loads_nothing(files: dict[str, str]) -> None:
    text = files["summary.html"]
    reader = Reader(text)
    assert reader.faults == []
    assert "script" not in reader.tags
    assert len(reader.ids) == len(set(reader.ids))
    outward = [reference for reference in reader.references if not re.match(r"#|url\(#|.*: url\(#", reference)]
    assert outward == []
    for target in re.findall(r'href="#([^"]+)"', text):
        assert target in reader.ids
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_figures_have_words_for_who_does_not_see_them(files: dict[str, str]) -> None:
    text = files["summary.html"]
    figures = re.findall(r"<svg[^>]*>", text)
    assert len(figures) >= 4
    assert all('role="img"' in figure and "aria-labelledby" in figure for figure in figures)
    assert text.count("<desc id=") == len(figures)


def test_every_outcome_appears_with_its_explanation(text: str) -> None:
    assert "pip install 'daasbench[gpu]'" in text
    assert "killed: out of memory" in text
    assert "It did not end within its time limit." in text
    assert "bins 3 to 9 differ" in text
    assert "It is planned. Run the same scenario again to measure it." in text
    outcomes = "1 failed, 3 skipped, 1 stopped at the time limit, 3 wrong and 1 not yet run"
    assert f"Not measured or not correct: {outcomes} (reasons below)." in text


def test_a_wrong_result_enters_no_comparison(files: dict[str, str]) -> None:
    racy = rows(files["summary.csv"])["racy"]
    assert racy["time_s"] == racy["times_as_fast_as_reference"] == racy["cost_per_unit"] == ""
    assert racy["error"] == "0.7"
    assert not re.search(r"racy \(2 threads\)", files["summary.html"])  # a name in sentences and figures


def test_one_wrong_process_of_three_spoils_the_implementation(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder().add("numpy", [0.3, 0.3, 0.3], threads=1).add("numba", [0.01, 0.011])
    made.add("numba", [0.01], outcome=Outcome.WRONG, facts={"process": 2, "key": "late"})
    found = rows(written(made.gather(), tmp_path, "csv")["summary.csv"])
    assert found["numba"]["time_s"] == ""
    assert found["numba"]["outcome"] == "ok: 2 of 3 processes; wrong: 1 of 3 processes"
    assert found["numpy"]["times_as_fast_as_reference"] == ""


def test_a_failed_process_is_named_beside_the_figure_of_the_others(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder().add("numba", [0.01, 0.011])
    made.add("numba", [None], outcome=Outcome.FAILED, facts={"process": 2, "key": "late", "message": "node lost"})
    text = prose(made.gather(), tmp_path)
    assert "ok: 2 of 3 processes; failed: 1 of 3 processes" in text
    assert "Process 3: node lost" in text


def test_one_process_claims_neither_interval_nor_order(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder(scenario='question = "Which?"').add("numba", [0.01]).add("numpy", [0.3], threads=1)
    files = written(made.gather(), tmp_path, "md", "csv")
    said = files["summary.md"]
    assert "No comparison is claimed: fewer than 3 processes give no interval." in said
    assert "Evidence: L1" in said
    assert "is the fastest" not in said
    assert "as fast as" not in said
    numba = rows(files["summary.csv"])["numba"]
    assert numba["time_s_low"] == numba["times_as_fast_as_reference"] == ""


def test_a_clear_difference_is_decided_and_a_small_one_cannot_be_told_yet(
    folder: Callable[..., Any], tmp_path: Path
) -> None:
    clear = folder().add("numba", [0.01, 0.0101, 0.0102]).add("numpy", [0.3, 0.31, 0.3], threads=1)
    text = prose(clear.gather(), tmp_path)
    assert "numba (2 threads) is the fastest of 2 correct implementations on this machine" in text
    close = folder().add("numba", [0.01, 0.0103, 0.0099]).add("numpy", [0.0101, 0.01, 0.0104], threads=1)
    text = prose(close.gather(), tmp_path)
    assert "There is no clear difference between numba (2 threads) and numpy (1 thread) on this machine." in text
    assert re.search(
        r"\*\*There is no clear difference between numba and numpy \(1\.\d+ times \(.*\) as fast\)\.", text
    )
    assert "is the fastest of" not in text


def test_a_result_that_nothing_verified_is_not_compared(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder().add("numpy", [0.3, 0.3, 0.31], threads=1)
    made.add("numba", [0.01, 0.01, 0.011], facts={"verified_by": None, "error": None, "tolerance": None})
    found = rows(written(made.gather(), tmp_path, "csv")["summary.csv"])
    assert found["numba"]["evidence_level"] == "L0"
    assert found["numba"]["times_as_fast_as_reference"] == ""


def test_two_machines_that_agree_reach_level_three(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder()
    made.machines["there"] = type(made).other_machine()
    for platform in ("here", "there"):
        made.add("numba", [0.01, 0.0101, 0.0102], platform=platform)
        made.add("numpy", [0.3, 0.31, 0.3], threads=1, platform=platform)
    assert "Evidence: L3" in prose(made.gather(), tmp_path)


def test_two_names_for_one_machine_do_not_reach_level_three(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder()
    for platform in ("here", "there"):
        made.add("numba", [0.01, 0.0101, 0.0102], platform=platform)
        made.add("numpy", [0.3, 0.31, 0.3], threads=1, platform=platform)
    text = prose(made.gather(), tmp_path)
    assert "Evidence: L2" in text
    assert "Evidence: L3" not in text


def test_what_was_projected_or_rehearsed_shares_no_column_with_what_was_measured(files: dict[str, str]) -> None:
    assert {row["basis"] for row in rows(files["summary.csv"]).values()} == {"measured"}
    assert set(rows(files["summary-projected.csv"])) == {"model"}
    assert set(rows(files["summary-rehearsed.csv"])) == {"standin"}
    tables = re.findall(r"<table>.*?</table>", files["summary.html"], flags=re.DOTALL)
    with_model = [one for one in tables if ">model<" in one and "One repeat" in one]
    assert len(with_model) == 1
    assert "projected from a model, not measured" in with_model[0]
    assert ">numba<" not in with_model[0]
    assert "Projected, not measured" in files["summary.md"]


def test_only_projected_figures_answer_nothing(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder().add("model", [0.1, 0.1, 0.11], basis=Basis.PROJECTED)
    assert "No measurement answers this question yet." in prose(made.gather(), tmp_path)


def test_no_cell_says_nan_or_none(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder().add("numba", [0.01, 0.011], work=None)
    made.add("racy", [0.01], outcome=Outcome.WRONG, facts={"error": None, "tolerance": None})
    made.add("gone", [None], outcome=Outcome.FAILED, work=None)
    for name, text in written(made.gather(), tmp_path).items():
        shown = Reader(text).text if name.endswith("html") else text
        assert not re.search(r"\b(nan|none|inf|NaN|None|NaT|<NA>)\b(?! seen)", shown), name


def test_hostile_words_stay_words(folder: Callable[..., Any], tmp_path: Path) -> None:
    evil = '<script>alert(1)</script> | & "quoted" </svg> `x` [a](javascript:b)'
    made = folder(scenario="question = '''" + evil + "'''\n")
    made.add("num<b>a", [0.01, 0.011], platform="here", size="<i>big</i>", version="1<2")
    made.add("x|y", [None], outcome=Outcome.FAILED, size="<i>big</i>", facts={"message": evil})
    files = written(made.gather(), tmp_path)
    reader = Reader(files["summary.html"])
    assert reader.faults == []
    assert not {"script", "b", "i"} & set(reader.tags)
    assert reader.text.count("<script>alert(1)</script>") >= 3
    assert "<script>" not in files["summary.md"].split("## How to reproduce")[0]
    assert rows(files["summary.csv"])["x|y"]["message"] == evil


def test_the_sheet_names_units_and_gives_the_price_its_source(files: dict[str, str]) -> None:
    numba = next(
        row
        for row in csv.DictReader(io.StringIO(files["summary.csv"]))
        if row["implementation"] == "numba" and row["kernel"] == "azimuthal_integration"
    )
    assert {"time_s", "units_per_s", "limit_fraction", "unit", "cores_used"} <= set(numba)
    assert float(numba["time_s_low"]) < float(numba["time_s"]) < float(numba["time_s_high"])
    assert float(numba["units_per_s"]) == pytest.approx(16 / float(numba["time_s"]))
    assert float(numba["times_as_fast_as_reference_low"]) > 20
    assert (numba["currency"], numba["price_date"], numba["price_source"]) == ("EUR", "2026-11-01", "own books")
    expected = 0.85 / 3600 * float(numba["time_s"]) / 16
    assert float(numba["cost_per_unit"]) == pytest.approx(expected, rel=1e-6)


def test_measured_and_generated_inputs_are_told_apart(text: str) -> None:
    assert "measured data: tooth.h5, content hash f00dcafe" in text
    assert "generated data: size small, seed 1" in text


def test_a_noisy_machine_is_seen(text: str) -> None:
    assert re.search(r"Other programs disturbed \d+ of \d+ samples", text)
    assert "The frequency governor is 'powersave'" in text
    assert "This machine is virtual (kvm)" in text
    assert "the probe ended with signal 9" in text


def test_the_page_says_how_to_measure_again(text: str) -> None:
    assert "git checkout 0123abcd" in text
    assert "daasbench run results/runs/20261122-100000-ab12/scenario.toml" in text
    assert 'question = "Which way is the fastest here?"' in text
    assert "numpy 2.4.0" in text


def test_a_kernel_that_is_not_installed_is_reported_all_the_same(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder().add("fast", [0.01, 0.0101, 0.01], kernel="elsewhere")
    made.add("numpy", [0.3, 0.3, 0.31], kernel="elsewhere", threads=1)
    text = prose(made.gather(), tmp_path)
    assert "fast (2 threads) is the fastest of 2 correct implementations" in text
    assert "Not installed where this report was written: elsewhere / fast and elsewhere / numpy." in text


def test_a_problem_without_a_correct_result_is_named(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder().add("numba", [0.0117, 0.0118]).add("endless", [None], outcome=Outcome.TIMEOUT, size="large")
    said = written(made.gather(), tmp_path, "html")["summary.html"]
    assert re.search(r"No implementation has a correct result: Azimuthal integration .*\(size large\)", said)


def test_an_older_commit_is_listed_and_not_compared(folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder().add("numba", [0.01, 0.0101], commit="new")
    made.add("numba", [0.02, 0.0201], commit="old", started="2026-10-01T10:{:02d}:00+00:00", facts={"process": 7})
    found = prose(made.gather(), tmp_path)
    assert re.search(r"numba \(2 threads\) reaches 1[56]\d\d frames/s", found)
    assert "measured with an older commit" in found


def test_processes_of_different_runs_are_not_paired(folder: Callable[..., Any]) -> None:
    from daasbench.evidence.entries import entries

    made = folder().add("numba", [0.01, 0.012, 0.011]).add("numpy", [0.1, 0.12, 0.11], threads=1)
    fast, slow = entries(made.gather())
    paired = fast.times_as_fast_as(slow)
    assert paired is not None
    assert paired.method.startswith("paired")
    apart = folder()
    apart.add("numba", [0.01, 0.012, 0.011]).add("numpy", [0.1, 0.12, 0.11], threads=1, platform="there")
    fast, slow = entries(apart.gather())
    welch = fast.times_as_fast_as(slow)
    assert welch is not None
    assert welch.method.startswith("Welch")


def test_importing_the_report_imports_no_plotting() -> None:
    program = (
        "import sys; import daasbench.reports.summary;"
        "print([name for name in ('matplotlib', 'jinja2', 'pandas', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_many_records_keep_every_line_and_say_which_figures_are_left_out(
    folder: Callable[..., Any], tmp_path: Path
) -> None:
    made = folder()
    for problem in range(100):
        for implementation in range(25):
            made.add(f"way{implementation}", [0.01 + 0.001 * implementation + 1e-4 * n for n in range(4)], seed=problem)
    evidence = made.gather()
    assert len(evidence.records) == 10_000
    files = written(evidence, tmp_path)
    assert len(list(csv.DictReader(io.StringIO(files["summary.csv"])))) == 2500
    text = " ".join(Reader(files["summary.html"]).text.split())
    assert "Figures are drawn for 4 of 100 problems" in text
    assert "Shown: the fastest 14 of 25 correct implementations." in text
    assert files["summary.html"].count("<svg") < 20
