"""The limits that a share is of: what the probes measured, and what they can only have measured disturbed."""

from __future__ import annotations

import numpy as np
import pytest

from daasbench.evidence import roofline
from daasbench.model import Limit, Limits


def limits(**rates: float) -> Limits:
    values = {name: Limit(value=rate, unit="B/s", low=rate, high=rate, repeats=5) for name, rate in rates.items()}
    return Limits(id="l", machine="m", threads=2, values=values)


@pytest.mark.parametrize(("read", "triad", "found"), [(52.0, 44.0, 52.0), (34.0, 48.5, 48.5)])
def test_a_read_that_was_slower_than_the_triad_is_not_the_limit(read: float, triad: float, found: float) -> None:
    (rates,) = roofline.rates([limits(read=read, triad=triad)])
    assert rates[:2] == pytest.approx([found, triad])


def test_a_limit_that_was_not_measured_stays_unknown() -> None:
    (rates,) = roofline.rates([limits(triad=44.0)])
    assert np.isnan(rates[0])
    assert rates[1] == 44.0
