"""A real browser shows question, answer and trust line of the other reports on its first screen, at two widths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daasbench import registry
from daasbench.evidence import Evidence, gather
from tests.reports.test_page_in_a_browser import FIRST_SCREEN, browser, look
from tests.reports.test_scaling_report import STRONG, add_series
from tests.reports.test_time_to_science import SCENARIO, launch
from tests.test_container_overhead import BWRAP, HERE, KERNEL, START, record, write

__all__ = ["browser"]  # a fixture


def scaling(folder: Any, _: Path) -> Evidence:
    """Return series of ranks and of threads."""
    made = add_series(folder(scenario=STRONG), serial=0.3)
    evidence: Evidence = add_series(made, name="numba", by="threads").gather()
    return evidence


def time_to_science(folder: Any, _: Path) -> Evidence:
    """Return the rate and three kinds of starts."""
    made = folder(scenario=SCENARIO)
    made.add("numba", [0.0117, 0.0118, 0.0116])
    launch(made, "warm", "numba", [0.012, 0.0121, 0.0119])
    launch(made, "first", "numba", [0.012, 0.0121, 0.0119], first_call=9.0, read=0.9)
    launch(made, "warm", "numpy", [0.27, 0.28, 0.272])
    evidence: Evidence = made.gather()
    return evidence


def container_overhead(_: Any, path: Path) -> Evidence:
    """Return starts in bubblewrap, and a kernel outside and inside of it."""
    for process in range(3):
        start = record("here", process, START, 0.0185 + 0.0001 * process)
        write(path, "here", HERE, process, record("here", process, KERNEL, 1.0), start)
        write(path, "here-bwrap", BWRAP, process, record("here-bwrap", process, KERNEL, 1.01 + 0.002 * process))
    return gather(path)


@pytest.mark.parametrize("make", [scaling, time_to_science, container_overhead])
def test_the_first_screen_holds_question_answer_and_trust_line(
    browser: str, folder: Callable[..., Any], tmp_path: Path, make: Callable[[Any, Path], Evidence]
) -> None:
    evidence = make(folder, tmp_path / "evidence")
    page = registry.report(make.__name__).write(evidence, tmp_path, ["html"])[0]
    opened = tmp_path / "opened.html"
    opened.write_text(page.read_text().replace("<details>", "<details open>"))
    for width in (1280, 390):
        seen = look(browser, page, tmp_path, width)
        boxes = seen["boxes"]
        assert boxes["h1"][3] <= boxes[".answer"][1] < boxes[".trust"][1] < boxes["figure"][1] < FIRST_SCREEN - 100
        assert boxes[".trust"][3] <= FIRST_SCREEN
        assert seen["wide"] <= width
        assert seen["loaded"] == 0
    assert look(browser, opened, tmp_path, 390)["wide"] <= 390, "with its details opened"
