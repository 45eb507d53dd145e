"""The verdict of several checks is the worst of them."""

from __future__ import annotations

import math
from itertools import permutations

import pytest

from daasbench.authoring.verdicts import worst_of
from daasbench.model import Verdict


def said(error: float | None, tolerance: float = 1.0, message: str = "") -> Verdict:
    """Return a verdict."""
    return Verdict(error=error, tolerance=tolerance, verified_by="oracle", message=message)


def test_of_correct_verdicts_the_largest_error_in_units_of_its_tolerance_is_worst():
    assert worst_of([said(1e-9, 1e-6), said(0.02, 1.0), said(9e-5, 1e-4)]).error == 9e-5


@pytest.mark.parametrize("none", [None, math.nan, math.inf])
def test_a_missing_number_is_worst_in_any_order(none):
    for order in permutations([said(0.1), said(3.0), said(none, message="none")]):
        assert worst_of(order).message == "none"


def test_a_wrong_verdict_is_worse_than_a_correct_one():
    exactly = said(0.0, 0.0)
    for order in permutations([said(0.999), exactly, said(2e-12, 1e-12)]):
        assert worst_of(order).error == 2e-12


def test_without_a_tolerance_every_error_is_wrong_and_zero_is_correct():
    assert worst_of([said(5.0, 1.0), said(1.0, 0.0)]).tolerance == 0
    assert worst_of([said(1.0, 0.0), said(2.0, 0.0)]).error == 2.0
    assert worst_of([said(0.0, 0.0), said(1e-9, 1.0)]).error == 1e-9


def test_of_equal_verdicts_the_first_is_taken():
    assert worst_of([said(0.5, 1.0, "first"), said(0.25, 0.5, "later")]).message == "first"
