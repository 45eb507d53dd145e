"""What ``daasbench run`` shows in a real terminal of 60, 80 and 200 columns, and in a pipe."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ..study.campaign import COMMAND
from .pseudo_terminal import lines_of, run_in_terminal

KERNEL = """\
import numpy as np
from daasbench import kernel
@kernel(unit="frame", oracle=lambda inputs, got: abs(int(got) - int(inputs["frames"].sum())), tolerance=0.5)
def frame_sums(inputs):
    return int(inputs["frames"].sum())
@frame_sums.inputs(tiny={"n": 4})
def frames(n, rng):
    return {"frames": rng.poisson(3, (n, 64, 64)).astype("u4")}
@frame_sums.implementation("by_rows", threads=False)
def by_rows(inputs):
    return sum(int(row.sum()) for row in inputs["frames"].reshape(-1, 64))
@frame_sums.implementation("wrong", threads=False)
def wrong(inputs):
    return int(inputs["frames"].sum()) + 1
@frame_sums.implementation("raises", threads=False)
def raises(inputs):
    raise ValueError("my beamline exploded")
@frame_sums.implementation("absent", threads=False, requires=("not_there_at_all",))
def absent(inputs):
    return None
"""
SCENARIO = """\
question = "How fast are sums?"
platforms = ["here"]
[[cases]]
kernel = "./sums.py"
sizes = ["tiny"]
threads = 1
cache = true
[repeat]
processes = 2
min_repeats = 3
max_repeats = 3
"""
DAASBENCH = [sys.executable, "-c", COMMAND]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a user's kernel, its scenario, and a finished run."""
    made = tmp_path_factory.mktemp("terminal")
    (made / "sums.py").write_text(KERNEL)
    (made / "sums.toml").write_text(SCENARIO)
    return made


@pytest.fixture(scope="module")
def first(folder: Path) -> tuple[int, str]:
    """Return how the first run ended in a terminal of 60 columns, and what it wrote."""
    return run_in_terminal([*DAASBENCH, "run", "./sums.toml"], folder, 60)


@pytest.fixture(scope="module")
def again(folder: Path, first: tuple[int, str]) -> dict[int, str]:
    """Return what the same command writes again, by the columns of the terminal."""
    return {width: run_in_terminal([*DAASBENCH, "run", "./sums.toml"], folder, width)[1] for width in (60, 80, 200)}


def test_every_measurement_has_a_line_that_says_what_which_process_and_how_fast(first):
    code, written = first
    assert code == 1
    text = " ".join(lines_of(written))
    for number in range(1, 11):
        assert f"[{number}/10] frame_sums · " in text
    assert re.search(
        r"frame_sums · numpy \(1 thread\) · tiny · within the cache · process [12] of 2:"
        r" [\d.]+ [mµn]?s, .+ frames/s, ok",
        text,
    )
    assert "process 0" not in text


def test_the_bar_says_what_is_going_on(first):
    text = "\n".join(lines_of(first[1]))
    assert "  starting" in text
    assert re.search(r"━ +\d+/10 [\d:]+ .*(making the inputs|measuring )", text)


def test_the_bar_is_whole_in_a_narrow_terminal_and_shows_the_time_since_the_start(first):
    bars = [line for line in lines_of(first[1]) if "━" in line]
    assert bars
    for line in bars:
        assert len(line) <= 60
        assert re.match(r"[━╸╺]{16} +\d+/[\d?]+ \d+:\d\d:\d\d", line), line


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_table_fits_the_terminal(again, width):
    lines = lines_of(again[width])
    table = lines[lines.index("frame_sums") if "frame_sums" in lines else 0 :]
    rows = [line for line in table if line.startswith("  ")]
    assert any(re.match(r"  (numpy|by_rows) +[\d. ]+ (million )?frames/s", row) for row in rows), table
    assert all(len(row) <= width for row in rows), rows
    assert not any("…" in row for row in rows)
    row = next(row for row in rows if row.startswith("  numpy"))
    assert row.endswith(" ok")
    assert "here" not in row  # the only platform
    assert ("each" in row) == (width >= 80)
    assert all(len(line) <= width for line in lines if "measurements done" in line), lines


def test_reasons_are_below_the_rows_with_place_and_log(again, folder):
    text = again[200].replace("\r\n", "\n")
    lines = lines_of(text)
    assert "  skipped: absent (the Python package not_there_at_all is not installed)" in lines
    assert "  failed: raises (sums.py:17 in raises: ValueError: my beamline exploded)" in lines
    assert any(line.startswith("  wrong: wrong (repeat 0 (block 0): error 1 is not within 0.5") for line in lines)
    assert f"To install what is missing: {sys.executable} -m pip install not_there_at_all" in lines
    [log] = [line.removeprefix("log: ") for line in lines if line.startswith("log: ")]
    assert (folder / log).is_file()


def test_outcomes_have_colours_unless_they_are_switched_off(again, folder):
    assert "\x1b[32mok" in again[80]
    assert "\x1b[1;31mfailed: " in again[80]
    assert "\x1b[33mskipped: " in again[80]
    _, plain = run_in_terminal([*DAASBENCH, "run", "./sums.toml"], folder, 80, {"NO_COLOR": "1"})
    assert not re.search(r"\x1b\[[\d;]*3[0-7]m", plain)


def test_the_log_command_prints_what_the_jobs_wrote(again, folder):
    lines = lines_of(again[200])
    [command] = [line.partition(": ")[2] for line in lines if line.startswith("to read it")]
    _, _, run, job = command.split(" ", 1)[1].split(" ")
    code, written = run_in_terminal([*DAASBENCH, "show", "log", run[:20], job[:3]], folder, 80)
    assert code == 0
    assert "ValueError: my beamline exploded" in written
    assert "Traceback" in written
