"""The lines below the table of a run: what its figures cannot say, and what looks impossible."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from daasbench.reports.blocks.caveats import uncertain

from daasbench.cli.run_table import OVER_THE_LIMIT, doubts
from daasbench.model import Case
from daasbench.statistics import Interval, processes_needed

CASE = Case(kernel="tomography", implementation="numba", version="1", size="small", threads=2)


def entry(fraction: float | None) -> Any:
    """Return an entry of three processes that agree, at this share of the machine's limit."""
    time = Interval(value=1.0, low=0.9, high=1.1, n=3, method="t")
    share = None if fraction is None else Interval(value=fraction, low=None, high=None, n=3, method="none")
    return SimpleNamespace(case=CASE, time=time, medians=[1.0, 1.0, 1.0], fraction=share)


@pytest.mark.parametrize(("fraction", "lines"), [(11.3, [OVER_THE_LIMIT]), (0.8, []), (None, [])])
def test_a_share_above_the_limit_of_the_machine_is_explained(fraction: float | None, lines: list[str]) -> None:
    assert doubts([entry(fraction)]) == lines


@pytest.mark.parametrize(("seen", "asked"), [(1, 5), (3, 5), (5, 10), (12, 24)])
def test_the_terminal_asks_for_as_many_processes_as_a_page_does(seen: int, asked: int) -> None:
    """By one rule: five, or twice as many as were too few."""
    wide = entry(None)
    wide.time = Interval(value=1.0, low=0.1, high=9.0, n=seen, method="t")
    wide.medians = [1.0] * seen
    assert processes_needed(seen) == asked
    assert doubts([wide])[0].endswith(f"--set repeat.processes={asked}")
    assert uncertain("wide", seen).words == ("--set", f"repeat.processes={asked}")
