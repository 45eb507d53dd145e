"""The lines below the table of a run: what its figures cannot say, and what looks impossible."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from daasbench.cli.run_table import OVER_THE_LIMIT, doubts
from daasbench.model import Case
from daasbench.statistics import Interval

CASE = Case(kernel="tomography", implementation="numba", version="1", size="small", threads=2)


def entry(fraction: float | None) -> Any:
    """Return an entry of three processes that agree, at this share of the machine's limit."""
    time = Interval(value=1.0, low=0.9, high=1.1, n=3, method="t")
    share = None if fraction is None else Interval(value=fraction, low=None, high=None, n=3, method="none")
    return SimpleNamespace(case=CASE, time=time, medians=[1.0, 1.0, 1.0], fraction=share)


@pytest.mark.parametrize(("fraction", "lines"), [(11.3, [OVER_THE_LIMIT]), (0.8, []), (None, [])])
def test_a_share_above_the_limit_of_the_machine_is_explained(fraction: float | None, lines: list[str]) -> None:
    assert doubts([entry(fraction)]) == lines
