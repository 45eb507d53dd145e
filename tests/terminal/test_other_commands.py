"""Every command but ``run`` in a real terminal of 60, 80 and 200 columns."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .pseudo_terminal import lines_of, run_in_terminal

COMMAND = [sys.executable, "-m", "daasbench"]
PIP = "-m pip install"  # a command is never broken: it could not be copied


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["list"],
        ["show", "kernel", "tomography"],
        ["show", "report", "summary"],
        ["doctor"],
        ["doctor", "--all"],
        ["doctor", "--platform", "here"],
        ["status", "--help"],
        ["results", "--help"],
    ],
    ids=" ".join,
)
def test_no_line_is_wider_than_the_terminal(tmp_path: Path, words: list[str], columns: int) -> None:
    code, written = run_in_terminal([*COMMAND, *words], tmp_path, columns)
    assert code == 0, written
    lines = [line for line in lines_of(written) if PIP not in line]
    assert len(lines) > 1
    assert [line for line in lines if len(line) > columns] == []


def test_a_terminal_in_latin_1_gets_a_table(tmp_path: Path) -> None:
    code, written = run_in_terminal([*COMMAND, "list"], tmp_path, 80, {"PYTHONIOENCODING": "latin-1"})
    assert code == 0, written
    assert "azimuthal_integration" in written
