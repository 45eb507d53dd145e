"""ASTRA, through its adapter, iterates to the same volume: its linear projector is ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daasbench.kernels.tomography_iterative import kernel
from daasbench.kernels.tomography_iterative.definition import Reconstruction

from daasbench.authoring.folder import implementation


@pytest.mark.parametrize(
    ("detector", "options"),
    [(64, {}), (63, {}), (64, {"centre": 29.3}), (64, {"arc_deg": 180.0}), (64, {"photons": None})],
)
def test_astra_is_right_by_its_tolerance(
    needs: Any, generated: Any, compute: Any, verdict: Any, detector: int, options: Any
) -> None:
    needs("astra")
    problem = generated(2, 45, detector, **options)
    found = verdict(problem, compute(problem, "astra"), "astra")
    assert found.ok, found


def test_a_renamed_peer_is_judged_as_it_declares(generated: Any, compute: Any) -> None:
    problem = generated(2, 45, 64)
    complete = compute(problem, "numpy")
    result = Reconstruction(complete.volume * np.float32(1.001), np.empty((0, 0)))
    theirs = implementation("toolbox", peer=True, judged_as="no_residuals")
    expectation = kernel.expect(problem, kernel.options())
    assert kernel.verify(problem, expectation, 0, result, theirs.judged_as).ok
    assert not kernel.verify(problem, expectation, 0, result, "").ok
    assert not kernel.verify(problem, expectation, 0, complete._replace(volume=result.volume), "").ok


def test_our_error_after_30_iterations_is_astras(needs: Any, generated: Any, compute: Any) -> None:
    needs("astra")
    problem = generated(2, 60, 96)
    truth = np.stack([problem.phantoms[0].density(one, 96) for one in np.eye(2)])
    ours, theirs = (np.linalg.norm(compute(problem, name).volume - truth) for name in ("numba", "astra"))
    assert abs(ours - theirs) / theirs < 0.005


def test_every_implementation_names_what_it_needs_and_the_command_that_brings_it() -> None:
    for declared in kernel.implementations.values():
        if declared.peer or declared.backend == "cuda":
            assert declared.requires
            assert declared.fix.startswith("pip install 'daasbench[")
