"""The packages of the field, through their adapters, see the same object in the same place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daasbench.kernels.tomography import kernel
from daasbench.kernels.tomography.definition import pixel_grid

PEERS = {"algotom": "algotom", "astra": "astra", "skimage": "skimage"}


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize(("detector", "centre"), [(64, None), (63, None), (64, 29.3)])
def test_a_peer_reconstructs_the_known_object(
    needs: Any, generated: Any, compute: Any, verdict: Any, name: str, detector: int, centre: float | None
) -> None:
    needs(PEERS[name])
    problem = generated(2, 90, detector, centre=centre)
    found = verdict(problem, compute(problem, name), name)
    assert found.ok, found
    assert found.verified_by == "truth"


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_agrees_with_the_definition_where_no_truth_is_known(
    needs: Any, generated: Any, problem_of: Any, compute: Any, verdict: Any, name: str
) -> None:
    needs(PEERS[name])
    problem = problem_of(generated(2, 90, 64).blocks[0])
    found = verdict(problem, compute(problem, name), name)
    assert found.ok, found
    assert found.verified_by == "oracle"


def test_scikit_image_and_the_reference_are_the_same_where_their_grids_are(
    needs: Any, generated: Any, compute: Any
) -> None:
    needs("skimage")
    problem = generated(1, 60, 63)
    peer, ours = compute(problem, "skimage"), compute(problem, "numpy")
    inside = peer != 0  # it masks the corners
    assert np.abs(peer - ours)[inside].max() < 1e-5


def test_the_reference_inverts_astras_projector_as_astra_does(
    needs: Any, generated: Any, problem_of: Any, compute: Any
) -> None:
    needs("astra")
    import astra
    from daasbench.kernels.tomography.peers.with_astra import linear_projector

    problem = generated(1, 90, 64)
    picture = compute(problem, "numpy")[0]
    data, sinogram = astra.create_sino(picture, linear_projector(problem.angles, 64, 64))
    astra.data2d.delete(data)
    back = problem_of(sinogram[None])
    ours, theirs = compute(back, "numba")[0], compute(back, "astra")[0]
    middle = slice(16, 48)
    assert np.linalg.norm((ours - theirs)[middle, middle]) < 0.03 * np.linalg.norm(theirs[middle, middle])


def joseph(image: Any, angles: Any) -> Any:
    """Return f64[angles, size]: line integrals, each line sampled once a row or column, whichever it crosses steeper.

    Joseph, IEEE Trans. Med. Imaging 1, 192 (1982), doi:10.1109/TMI.1982.4307572: ASTRA's "linear" projector.
    """
    size = len(image)
    grid, padded = pixel_grid(size), np.arange(-1, size + 1)
    sums = np.zeros((angles.size, size))
    for projection, angle in zip(sums, angles, strict=True):
        steps, lines = (np.cos(angle), np.sin(angle)), image
        if abs(steps[0]) < abs(steps[1]):
            steps, lines = steps[::-1], image.T
        for along, line in zip(grid, lines, strict=True):
            across = (grid - along * steps[1]) / steps[0] + (size - 1) / 2
            projection += np.interp(across, padded, np.pad(line.astype(float), 1)) / abs(steps[0])
    return sums


@pytest.mark.parametrize("size", [64, 63])
def test_our_pixels_and_angles_are_those_of_astras_linear_projection(needs: Any, generated: Any, size: int) -> None:
    needs("astra")
    import astra
    from daasbench.kernels.tomography.peers.with_astra import linear_projector

    problem = generated(1, 60, size)
    rows, columns = (index.ravel() for index in np.indices((size, size)))
    grid = pixel_grid(size)
    density = problem.phantoms[0].density(np.zeros(size**2, int), grid[columns], grid[rows])
    image = density.reshape(size, size).astype(np.float32)
    data, theirs = astra.create_sino(image, linear_projector(problem.angles, size, size))
    astra.data2d.delete(data)
    ours, exact = joseph(image, problem.angles), problem.blocks[0][0]
    assert np.linalg.norm(ours - theirs) < 1e-4 * np.linalg.norm(theirs)
    assert np.linalg.norm(exact - theirs) < 0.02 * np.linalg.norm(exact)  # the phantom's are exact, not of pixels


def test_every_implementation_names_what_it_needs_and_the_command_that_brings_it() -> None:
    for implementation in kernel.implementations.values():
        if implementation.peer or implementation.backend == "cuda":
            assert implementation.requires
            assert implementation.fix.startswith("pip install 'daasbench[")
    assert kernel.implementations["astra"].fix == "pip install 'daasbench[peers-gpl]'"
