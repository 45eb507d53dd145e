"""The transpose of 16 x 16 numbers is that of numpy, wherever rows and columns lie."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from daasbench.compute.simd import LANES, compiled
from daasbench.compute.transposes import transpose


@compiled()
def transposed(source: Any, first: int, step: int, target: Any, start: int, stride: int) -> None:
    transpose(source, first, step, target, start, stride)


@pytest.mark.parametrize(("first", "step"), [(0, 16), (5, 17), (32, 48)])
@pytest.mark.parametrize(("start", "stride"), [(0, 16), (3, 40)])
def test_rows_become_columns_and_nothing_beside_them_is_written(first: int, step: int, start: int, stride: int) -> None:
    source = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    target = np.full(1000, np.nan, np.float32)
    transposed(source, first, step, target, start, stride)
    rows, columns = first + step * np.arange(LANES)[:, None], start + stride * np.arange(LANES)[:, None]
    lanes = np.arange(LANES)
    np.testing.assert_array_equal(target[columns + lanes], source[rows + lanes].T)
    assert np.isnan(np.delete(target, (columns + lanes).ravel())).all()


def test_twice_is_nothing_and_source_and_target_may_be_the_same() -> None:
    numbers = np.arange(256, dtype=np.float32)
    transposed(numbers, 0, LANES, numbers, 0, LANES)
    np.testing.assert_array_equal(numbers, np.arange(256).reshape(16, 16).T.ravel())
    transposed(numbers, 0, LANES, numbers, 0, LANES)
    np.testing.assert_array_equal(numbers, np.arange(256))


def test_what_is_no_flat_float32_array_is_refused_when_compiled() -> None:
    with pytest.raises(numba.TypingError):
        transposed(np.zeros(256), 0, LANES, np.zeros(256), 0, LANES)
    with pytest.raises(numba.TypingError):
        transposed(np.zeros((16, 16), np.float32), 0, LANES, np.zeros(256, np.float32), 0, LANES)
