"""The packages of the field, through their adapters: RELION finds the drift, scikit-image does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daasbench.kernels.motion_correction import oracle

from daasbench.errors import MissingRequirement


@pytest.fixture
def relion(program: Any) -> None:
    program("relion_run_motioncorr", fix="apt install relion")


@pytest.mark.usefixtures("relion")
def test_relion_finds_the_drift_and_we_are_no_worse(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated(movies=2)
    peer, ours = compute(problem, "relion"), compute(problem, "numba")
    found = verdict(problem, peer, "relion")
    assert found.ok, found
    assert found.verified_by == "truth"
    drifts = problem.specimens[0].drifts
    assert oracle.drift_error(ours.shifts, drifts) <= oracle.drift_error(peer.shifts, drifts)


@pytest.mark.usefixtures("relion")
def test_relion_is_compared_with_the_reference_where_no_truth_is_known(
    generated: Any, without_truth: Any, compute: Any, verdict: Any
) -> None:
    movies = generated().blocks[0]
    for kind in ("u1", "u2", "f4"):
        problem = without_truth(movies.astype(kind))
        found = verdict(problem, compute(problem, "relion"), "relion")
        assert found.ok, found
        assert found.verified_by == "oracle"


@pytest.mark.usefixtures("relion")
def test_relion_aligns_also_a_block_that_it_was_not_given_before(generated: Any, without_truth: Any) -> None:
    from daasbench.kernels.motion_correction import kernel

    from daasbench.contracts import Resources

    problem, other = generated(), generated(seed=4)
    run = kernel.implementations["relion"].load()(without_truth(problem.blocks[0]), Resources(threads=2))
    assert oracle.drift_error(run(other.blocks[0]).shifts, other.specimens[0].drifts) < 0.1


@pytest.mark.usefixtures("relion")
def test_relion_refuses_odd_frames_in_one_sentence(generated: Any, without_truth: Any, compute: Any) -> None:
    with pytest.raises(MissingRequirement, match="odd number of pixels"):
        compute(without_truth(generated().blocks[0][:, :, :75]), "relion")


def test_the_message_without_relion_says_how_to_install_it(
    generated: Any, compute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingRequirement, match="apt install relion"):
        compute(generated(), "relion")


def test_scikit_image_finds_whole_pixels(needs: Any, generated: Any, without_truth: Any, compute: Any) -> None:
    needs("skimage")
    frame = generated(pixels=128).blocks[0][0, 0]
    steps = np.array([[0, 0], [0, 0], [0, 0], [0, 0], [3, -2]])
    movies = np.stack([np.roll(frame, step, axis=(0, 1)) for step in steps])[None]
    result = compute(without_truth(movies), "skimage")
    np.testing.assert_allclose(result.shifts[0], steps, atol=0.05)


def test_scikit_image_is_wrong_at_few_electrons(needs: Any, generated: Any, compute: Any, verdict: Any) -> None:
    needs("skimage")
    problem = generated(dose=5.0)
    found = verdict(problem, compute(problem, "skimage"), "skimage")
    assert not found.ok
    assert found.verified_by == "truth"
