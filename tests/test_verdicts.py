"""Verdicts of several checks become one: that which is wrong, or comes closest to it."""

from __future__ import annotations

import math
from itertools import permutations

import pytest

from daasbench.authoring.verdicts import worst_of
from daasbench.model import Verdict


def said(error: float | None, tolerance: float = 1.0, message: str = "") -> Verdict:
    """Return a verdict."""
    return Verdict(error=error, tolerance=tolerance, verified_by="oracle", message=message)


def test_of_right_verdicts_that_comes_first_whose_error_is_the_largest_part_of_its_tolerance():
    assert worst_of([said(1e-9, 1e-6), said(0.02, 1.0), said(9e-5, 1e-4)]).error == 9e-5


@pytest.mark.parametrize("none", [None, math.nan, math.inf])
def test_no_number_is_the_worst_whichever_comes_first(none):
    for order in permutations([said(0.1), said(3.0), said(none, message="none")]):
        assert worst_of(order).message == "none"


def test_what_is_wrong_comes_before_what_is_right():
    exactly = said(0.0, 0.0)
    for order in permutations([said(0.999), exactly, said(2e-12, 1e-12)]):
        assert worst_of(order).error == 2e-12


def test_without_a_tolerance_any_error_is_infinitely_wrong_and_none_is_right():
    assert worst_of([said(5.0, 1.0), said(1.0, 0.0)]).tolerance == 0
    assert worst_of([said(1.0, 0.0), said(2.0, 0.0)]).error == 2.0
    assert worst_of([said(0.0, 0.0), said(1e-9, 1.0)]).error == 1e-9


def test_of_equal_ones_the_first_is_taken():
    assert worst_of([said(0.5, 1.0, "first"), said(0.25, 0.5, "later")]).message == "first"
