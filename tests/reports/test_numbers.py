"""Numbers as words."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from daasbench.reports.blocks import intervals, numbers
from rich.console import Console

from daasbench.cli import figures
from daasbench.cli.run_table import show_run
from daasbench.evidence.digits import rate_unit
from daasbench.evidence.entries import entries


@pytest.mark.parametrize(
    ("seconds", "low", "high", "said"),
    [
        (0.0117, 0.0115, 0.0119, ("11.7 ms", "(11.5 to 11.9)")),
        (0.0117, 0.0102, 0.0131, ("12 ms", "(10 to 13)")),
        (0.0117, None, None, ("11.7 ms", "")),
        (2.5e-6, 2.45e-6, 2.55e-6, ("2.50 µs", "(2.45 to 2.55)")),
        (1.98, 0.07, 57.7, ("2.0 s", "(0.070 to 57.7)")),
        (0.0, None, None, ("0 s", "")),
        (1234.5, 1234.4, 1234.6, ("1230 s", "(± 0.008 %)")),
        (1.38, 1.38, 1.38, ("1.38 s", "(± less than 0.001 %)")),
    ],
)
def test_a_time_has_its_unit_and_at_most_three_digits_as_its_interval_leaves(
    seconds: float, low: float | None, high: float | None, said: tuple[str, str]
) -> None:
    assert numbers.duration(seconds, low, high) == said


def test_a_rate_has_the_plural_of_its_unit_and_both_ends_in_the_unit_of_the_value() -> None:
    rate = numbers.rate(980_000, 975_000, 985_000, "spectrum")
    assert rate == ("980\u202f000 spectra/s", "(975\u202f000 to 985\u202f000)")
    assert numbers.rate(11_500, 1_120, 119_000, "frame") == ("12\u202f000 frames/s", "(1100 to 119\u202f000)")
    assert numbers.rate(1.23e6, 1.1e6, 1.4e6, "frame") == ("1.2 million frames/s", "(1.1 to 1.4 million)")
    assert numbers.rate(22.7, None, None, "GB") == ("22.7 GB/s", "")


def test_a_small_cost_is_given_for_many_units() -> None:
    assert numbers.price(2.1e-4, "EUR", "frame") == ("0.210 EUR", "per 1000 frames")
    assert numbers.price(3.5, "EUR", "transform") == ("3.50 EUR", "per transform")


def test_numbers_round_up_into_the_next_digit() -> None:
    assert numbers.number(9.999) == "10.0"
    assert numbers.number(0.00001234) == "1.23 × 10⁻⁵"
    assert numbers.number(999_999) == "1.00 million"
    assert numbers.short(100_000) == "100\u202f000"
    assert numbers.short(1000) == "1000"
    assert numbers.short(3e6) == "3 million"


def test_counts_agree_with_their_nouns() -> None:
    assert numbers.counted(1, "process") == "1 process"
    assert numbers.counted(3, "process") == "3 processes"
    assert numbers.spans([0, 1, 2, 5]) == "0 to 2, 5"
    assert numbers.listed(["a", "b", "c"]) == "a, b and c"


def test_a_figure_and_its_interval_are_one_text() -> None:
    assert numbers.joined(("11.7 ms", "[11.5, 11.9]")) == "11.7 ms [11.5, 11.9]"
    assert numbers.joined(("11.7 ms", "")) == "11.7 ms"


@pytest.mark.parametrize(
    ("medians", "range_"),
    [
        ([0.016, 0.0158, 0.0162, 0.0161, 0.0159], " to "),
        ([0.016, 0.013, 0.018], " to "),
        ([0.016, 0.0162], " to "),
        ([0.016], ""),
        ([0.016, 0.03, 0.009], "(too uncertain to compare)"),
        ([0.0000016, 0.0000015, 0.0000017], ""),
    ],
)
def test_the_terminal_and_a_page_show_the_same_speed(
    folder: Callable[..., Any], medians: list[float], range_: str
) -> None:
    (entry,) = entries(folder().add("numba", medians).gather())
    assert entry.speed is not None
    shown = figures.with_range(entry.speed, rate_unit(entry.speed.value, entry.unit))
    page, below = (text.replace(numbers.GROUP, " ") for text in intervals.speed(entry))
    assert shown[0] == page
    assert shown[1].strip("()") in below
    assert range_ in shown[1]


def test_the_terminal_names_the_implementations_that_have_too_few_processes(folder: Callable[..., Any]) -> None:
    made = folder().add("numba", [0.01, 0.0101, 0.0102]).add("numpy", [0.2, 0.21])
    shown = StringIO()
    show_run(made.write(), Console(file=shown, width=200))
    text = shown.getvalue()
    assert "numpy has cases with 2 processes: too few for an interval, and no comparison." in text
