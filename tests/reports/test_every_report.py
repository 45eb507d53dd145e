"""What holds for every report that ships: the contract, the goal, and what happens where it cannot be written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daasbench import registry
from daasbench.evidence import Evidence
from daasbench.testing.reports import ReportContract

GOAL = 'question = "Which?"\n[goal]\ndeadline_s = 900\ndataset_gb = 0.5\n'
NOTE = "The goal (deadline_s = 900, dataset_gb = 0.5) is recorded, but this version does not check it yet."
NAMES = registry.names("reports")


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory, fill: Callable[[Path], Any]) -> Evidence:
    """Return evidence with every outcome."""
    gathered: Evidence = fill(tmp_path_factory.mktemp("every")).gather()
    return gathered


class TestSummary(ReportContract):
    """The contract, of the summary."""

    report = registry.report("summary")


class TestScaling(ReportContract):
    """The contract, of scaling."""

    report = registry.report("scaling")


class TestTimeToScience(ReportContract):
    """The contract, of time to science; its figures are files of their own, where there are any."""

    report = registry.report("time_to_science")

    @pytest.fixture
    def evidence(self, folder: Callable[..., Any]) -> Evidence:
        """Return evidence with a start, so that there is a figure."""
        from daasbench.model import StartEvidence

        start_evidence = StartEvidence(
            evicted_by="", files=9, memory_bytes=3, left_bytes=3, came_bytes=0, read_bytes=0, major_faults=0,
            compiled_before=8, compiled_after=8,
        )  # fmt: skip
        made = folder().add("numba", [0.01, 0.011], start="warm", facts={"start_evidence": start_evidence})
        gathered: Evidence = made.gather()
        return gathered


@pytest.mark.parametrize("name", NAMES)
def test_a_goal_is_said_to_be_recorded_and_not_judged(folder: Callable[..., Any], tmp_path: Path, name: str) -> None:
    made = folder(scenario=GOAL).add("numba", [0.01, 0.011])
    if name == "time_to_science":
        made.add("numba", [0.01, 0.011], start="warm")
    for path in registry.report(name).write(made.gather(), tmp_path, ["html", "md"]):
        assert path.read_text().replace("\\_", "_").count(NOTE) == 1


@pytest.mark.parametrize("name", NAMES)
def test_without_a_goal_no_report_speaks_of_one(folder: Callable[..., Any], tmp_path: Path, name: str) -> None:
    made = folder(scenario='question = "Which?"\n[goal]\n').add("numba", [0.01, 0.011])
    for path in registry.report(name).write(made.gather(), tmp_path, ["html", "md"]):
        assert "is recorded" not in path.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_report_that_cannot_be_written_is_a_usage_error(
    folder: Callable[..., Any], say: Callable[..., Any], name: str
) -> None:
    results = folder().add("numba", [0.01, 0.011]).write()
    said = say("report", name, "--results", results, "--out", "/dev/null/x")
    assert said.code == 2
    assert said.err == (
        "daasbench: /dev/null/x: cannot be written (Not a directory); nothing of the report was written, the records"
        " are untouched; a file has the name of a folder: rename it, or name another path with --out\n"
    )


def test_a_folder_in_the_place_of_the_page_is_named(
    folder: Callable[..., Any], say: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "out" / "summary.html").mkdir(parents=True)
    results = folder().add("numba", [0.01, 0.011]).write()
    said = say("report", "summary", "--results", results, "--out", tmp_path / "out")
    assert said.code == 2
    assert "out/summary.html: cannot be written (Is a directory); nothing of the report was written" in said.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["summary.html"]


def test_machines_beyond_those_that_are_shown_are_counted(folder: Callable[..., Any], tmp_path: Path) -> None:
    import msgspec

    made = folder()
    for number in range(14):
        machine = msgspec.structs.replace(made.other_machine(), id=f"m{number}", host=f"node-{number}")
        made.machines[f"p{number}"] = machine
        made.add("numba", [0.01, 0.011], platform=f"p{number}")
    for path in registry.report("summary").write(made.gather(), tmp_path, ["html", "md"]):
        assert "2 more machines are in the records." in path.read_text()
