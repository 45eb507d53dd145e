"""The packages with which XPCS is compared compute what their adapters declare."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daasbench.kernels.xpcs import kernel


@pytest.mark.parametrize("frames", [5, 64, 300])
def test_scikit_beam_has_the_same_lags_and_the_same_g2(needs: Any, generated: Any, compute: Any, frames: int) -> None:
    needs("skbeam")
    problem = generated(frames)
    np.testing.assert_allclose(compute(problem, "skbeam"), compute(problem, "numba"), atol=1e-6)
    from skbeam.core.utils import multi_tau_lags

    theirs = multi_tau_lags(len(problem.schedule.rows), 8)[1]
    assert set(problem.schedule.lags) <= set(theirs)


def test_dynamix_meets_its_own_definition_and_where_the_beam_is_steady_ours(
    needs: Any, generated: Any, compute: Any, verdict: Any
) -> None:
    needs("dynamix")
    needs("pyopencl")
    problem = generated(400, 60, 100)
    theirs, ours = compute(problem, "dynamix"), compute(problem, "numba")
    found = verdict(problem, theirs, "dynamix")
    assert found.ok, found
    assert found.error > 0
    assert np.abs(theirs - ours)[1:8, 2:].max() < 0.005  # hundreds of independent speckles in every frame
    assert not verdict(problem, theirs + 2e-4, "dynamix").ok


def test_dynamix_keeps_the_first_ring_where_every_pixel_is_in_one(
    needs: Any, generated: Any, problem_of: Any, compute: Any, verdict: Any
) -> None:
    needs("dynamix")
    needs("pyopencl")
    problem = problem_of(generated(60).blocks[0] + 1)
    found = verdict(problem, compute(problem, "dynamix"), "dynamix")
    assert found.ok, found


def test_every_peer_names_what_it_needs_and_the_command_that_brings_it() -> None:
    fixes = {
        implementation.name: implementation.fix
        for implementation in kernel.implementations.values()
        if implementation.peer
    }
    assert fixes == {
        "skbeam": "pip install 'daasbench[peers-built]'",
        "dynamix": "pip install 'daasbench[peers]'",
    }
