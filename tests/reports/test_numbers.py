"""Numbers as words."""

from __future__ import annotations

import pytest
from daasbench.reports.blocks import numbers


@pytest.mark.parametrize(
    ("seconds", "low", "high", "said"),
    [
        (0.0117, 0.0115, 0.0119, ("11.7 ms", "[11.5, 11.9]")),
        (0.0117, None, None, ("11.7 ms", "")),
        (2.5e-6, 2.45e-6, 2.55e-6, ("2.50 µs", "[2.45, 2.55]")),
        (1.98, 0.07, 57.7, ("1.98 s", "[0.0700, 57.7]")),
        (0.0, None, None, ("0 s", "")),
        (1234.5, 1234.4, 1234.6, ("1234 s", "[1234, 1235]")),
    ],
)
def test_a_time_has_its_unit_and_as_many_digits_as_its_interval_supports(
    seconds: float, low: float | None, high: float | None, said: tuple[str, str]
) -> None:
    assert numbers.duration(seconds, low, high) == said


def test_a_rate_has_a_prefix_and_the_plural_of_its_unit() -> None:
    assert numbers.rate(980_000, 975_000, 985_000, "spectrum") == ("980 k spectra/s", "[975, 985]")
    assert numbers.rate(22.7, None, None, "GB") == ("22.7 GB/s", "")


def test_a_small_cost_is_given_for_many_units() -> None:
    assert numbers.price(2.1e-4, "EUR", "frame") == ("0.210 EUR", "per 1000 frames")
    assert numbers.price(3.5, "EUR", "transform") == ("3.50 EUR", "per transform")


def test_numbers_round_up_into_the_next_digit() -> None:
    assert numbers.number(9.999) == "10.0"
    assert numbers.number(0.00001234) == "1.23 × 10⁻⁵"
    assert numbers.short(100_000) == "100 k"
    assert numbers.short(1000) == "1000"


def test_counts_agree_with_their_nouns() -> None:
    assert numbers.counted(1, "process") == "1 process"
    assert numbers.counted(3, "process") == "3 processes"
    assert numbers.spans([0, 1, 2, 5]) == "0–2, 5"
    assert numbers.listed(["a", "b", "c"]) == "a, b and c"


def test_a_figure_and_its_interval_are_one_text() -> None:
    assert numbers.joined(("11.7 ms", "[11.5, 11.9]")) == "11.7 ms [11.5, 11.9]"
    assert numbers.joined(("11.7 ms", "")) == "11.7 ms"
