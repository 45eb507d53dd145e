"""Problems that the tests of spot finding share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.spot_finding import kernel
from daasbench.kernels.spot_finding.definition import Criteria
from daasbench.kernels.spot_finding.problem import Problem


@pytest.fixture(scope="session")
def generated() -> Callable[..., Problem]:
    """Return a function that makes a generated problem."""

    def make(size: str = "tiny", blocks: int = 1, seed: int = 1, **options: Any) -> Problem:
        made: Problem = kernel.make(kernel.sizes[size], kernel.options(**options), seed, blocks)
        return made

    return make


@pytest.fixture(scope="session")
def problem_of() -> Callable[..., Problem]:
    """Return a function that makes a problem of one block of given frames."""

    def make(frames: Any, mask: Any = None, **criteria: Any) -> Problem:
        block = np.ascontiguousarray(frames, np.int32)
        return Problem(
            blocks=[block],
            mask=np.zeros(block.shape[1:], bool) if mask is None else mask,
            criteria=Criteria(**criteria),
            planted=None,
            masked_pixels=0,
            lost_values=0,
        )

    return make


def frames_full_of_trouble(ny: int = 61, nx: int = 83, seed: int = 3) -> tuple[Any, Any]:
    """Return frames i32[6, ny, nx] and a mask with every special case of the definition.

    Sparse noise, counts of many millions on both sides of 2**24, values without data, spots on edges and corners, a
    frame of zeros, one without data; masked pixels that hold anything, and some pixels all of whose neighbours are
    masked.
    """
    rng = np.random.default_rng(seed)
    means = np.array([0.02, 0.4, 3.0, 40.0, 0.0, 0.0])[:, None, None]
    frames = rng.poisson(means, (6, ny, nx)).astype(np.int32)
    for frame in frames[:4]:
        rows, columns = rng.integers(0, ny, 60), rng.integers(0, nx, 60)
        frame[rows, columns] += rng.choice(
            [30, 900, 50_000, (1 << 20) - 1, 1 << 20, (1 << 24) - 1, 1 << 24, 1 << 30], 60
        )
        frame[rng.integers(0, ny, 40), rng.integers(0, nx, 40)] = -1
    frames[1, [0, 0, ny - 1, ny - 1, ny // 2], [0, nx - 1, 0, nx - 1, 0]] = 500
    frames[5] = -1
    mask = rng.random((ny, nx)) < 0.02
    mask[20:30, 40:50] = True
    mask[25, 45] = False
    frames[:, mask] = rng.integers(-2, 2**31 - 1, (6, int(mask.sum())))
    return frames, mask


@pytest.fixture(scope="session")
def trouble() -> tuple[Any, Any]:
    """Return frames and a mask with every special case of the definition."""
    return frames_full_of_trouble()
