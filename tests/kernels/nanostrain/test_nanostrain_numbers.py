"""Voxels are those of silx and xsocs, photons are conserved, fits are scipy's, and what is wrong is caught."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.nanostrain import crystal, gaussian, with_numba, with_numpy
from daasbench.kernels.nanostrain.grid import NOWHERE
from daasbench.kernels.nanostrain.oracle import FIT_TOLERANCE, VOLUME_TOLERANCE, scipy_fit


def test_scattering_vectors_are_those_of_xsocs(needs: Any) -> None:
    needs("xsocs")
    from xsocs.process.qspace.QSpaceConverter import qspace_conversion

    geometry = dataclasses.replace(
        crystal.make_geometry(3, 20, 30),
        phi=np.array([10.0, 11.0, 12.0]),
        nu=np.full(3, 4.0),
        centre=(25.5, -7.25),
        pixel_m=(1e-4, 2e-4),
    )
    whole = 2 * np.tan(np.deg2rad(0.5)) * geometry.distance_m
    theirs = qspace_conversion(
        geometry.shape,
        geometry.centre,
        [whole / pixel for pixel in geometry.pixel_m],
        geometry.energy_kev * 1000,
        geometry.phi,
        geometry.eta,
        geometry.nu,
        geometry.delta,
    )
    ours = np.stack([geometry.q(angle) for angle in range(3)])
    assert np.abs(ours - theirs).max() < 2e-7 * np.abs(theirs).max()  # it rounds h c


def test_pixels_fall_into_the_voxels_of_silx_bit_for_bit(needs: Any, generated: Any) -> None:
    needs("silx")
    from silx.math.chistogramnd_lut import histogramnd_get_lut

    grid, geometry, mask = (generated(), generated().geometry, generated().mask)
    grid = grid.grid
    q = np.stack([geometry.q(angle) for angle in range(geometry.angles)]).reshape(-1, 3)
    q[np.tile(mask.ravel(), geometry.angles)] = np.nan  # as xsocs does
    edges = np.stack([grid.low, grid.high], axis=1)
    table, hits, _ = histogramnd_get_lut(q, edges, list(grid.shape), last_bin_closed=True)
    assert np.array_equal(np.where(table < 0, NOWHERE, table), grid.voxel_of)
    assert np.array_equal(hits.ravel(), grid.hits)


def test_volumes_are_those_of_silx(needs: Any, generated: Any, compute: Any) -> None:
    needs("silx")
    problem = generated("gridding")
    theirs, ours = compute(problem, "silx").volumes, compute(problem, "numba").volumes
    assert np.abs(ours - theirs).max() <= VOLUME_TOLERANCE * theirs.max()
    assert (np.abs(ours - theirs) <= VOLUME_TOLERANCE * theirs).all()


def test_every_pixel_that_is_not_masked_hits_the_grid(generated: Any) -> None:
    problem = generated()
    assert problem.grid.hits.sum() == (~problem.mask).sum() * problem.geometry.angles
    assert problem.mask.any()


@pytest.mark.parametrize("positions", [1, 2, 15, 16, 17, 49])
@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_positions_and_threads_counts_every_photon(
    generated: Any, compute: Any, positions: int, threads: int
) -> None:
    problem = generated("gridding", positions=positions, angles=5, rows=13, columns=11, grid=[3, 5, 4])
    ours, right = compute(problem, "numba", threads), compute(problem, "numpy")
    assert np.array_equal(ours.photons, problem.blocks[0][:, :, ~problem.mask].sum(axis=(1, 2), dtype=np.int64))
    assert np.allclose(ours.volumes, right.volumes, rtol=VOLUME_TOLERANCE, atol=0)


def test_counts_of_32_bits_are_exact_beyond_what_float32_holds(generated: Any, compute: Any) -> None:
    problem = generated("gridding", positions=3, angles=3, rows=9, columns=9, grid=[2, 2, 2])
    frames = np.random.default_rng(0).integers(0, 2**22, problem.blocks[0].shape).astype(np.uint32) | 1
    problem = dataclasses.replace(problem, blocks=[frames])
    assert (frames[:, :, ~problem.mask].sum(axis=(1, 2)) > 2**24).all()
    for implementation in ("numba", "numpy"):
        assert np.array_equal(compute(problem, implementation).photons, frames[:, :, ~problem.mask].sum(axis=(1, 2)))
    assert np.allclose(compute(problem, "numba").volumes, compute(problem, "numpy").volumes, rtol=VOLUME_TOLERANCE)


def test_gridding_is_linear(generated: Any, compute: Any) -> None:
    problem = generated("gridding", blocks=2)
    both = dataclasses.replace(problem, blocks=[problem.blocks[0] + problem.blocks[1]])
    total = compute(problem, "numba", block=0).volumes + compute(problem, "numba", block=1).volumes
    assert np.allclose(compute(both, "numba").volumes, total, rtol=1e-6)


def test_more_beam_changes_areas_and_nothing_else(generated: Any, compute: Any) -> None:
    problem = generated("fits")
    brighter = dataclasses.replace(problem, blocks=[problem.blocks[0] * np.float32(8)])
    once, eight = compute(problem, "numba").gaussians, compute(brighter, "numba").gaussians
    assert np.allclose(eight[..., 0], 8 * once[..., 0], rtol=1e-9)
    assert np.allclose(eight[..., 1:], once[..., 1:], rtol=1e-9)


def test_an_exact_gaussian_is_found_again() -> None:
    bins = np.arange(40)
    for height, centre, sigma in ((3.0, 20.3, 2.5), (1e4, 0.4, 6.0), (1e-3, 38.0, 1.1)):
        found = gaussian.fit(height * np.exp(-0.5 * ((bins - centre) / sigma) ** 2))
        assert found is not None
        assert np.allclose(found, [height, centre, sigma], rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_fits_of_noise_and_of_peaks_at_the_edge_are_scipys(generated: Any, seed: int) -> None:
    """Where both find a Gaussian: a Gaussian closest to noise need not exist."""
    grid, rng = generated().grid, np.random.default_rng(seed)
    rows = []
    for _ in range(20):
        parts = [
            rng.uniform(1, 50) * np.exp(-0.5 * ((np.arange(n) - rng.uniform(-1, n)) / rng.uniform(1, 5)) ** 2)
            for n in grid.shape
        ]
        rows.append(rng.poisson(np.concatenate(parts) + 0.2))
    projections = np.array(rows, np.float32)
    ours, plain = with_numba._fits(grid, projections), with_numpy.fit_all(grid, projections)
    assert np.array_equal(np.isnan(ours), np.isnan(plain))
    there = ~np.isnan(plain[..., 0])
    assert there.mean() > 0.75
    apart = np.abs(ours - plain)[there] / np.abs(plain[there][:, [0, 2, 2]])
    assert apart.max() < FIT_TOLERANCE
    costs = []
    for position, axis in np.argwhere(there):
        start = grid.starts[axis]
        signal = projections[position, start : start + grid.shape[axis]].astype(float)
        axis_values = grid.centres(axis)

        def missed(at: Any, axis_values: Any = axis_values, signal: Any = signal) -> float:
            area, centre, sigma = at
            model = area / (gaussian.SQRT_2_PI * sigma) * np.exp(-0.5 * ((axis_values - centre) / sigma) ** 2)
            return float(((model - signal) ** 2).sum())

        costs.append(missed(ours[position, axis]) / missed(scipy_fit(axis_values, signal)))
    assert np.median(costs) == pytest.approx(1, abs=1e-9)
    assert np.mean(np.array(costs) < 1 + 1e-9) > 0.95


@pytest.mark.parametrize("implementation", ["numpy", "numba"])
def test_where_there_is_no_peak_the_fit_is_not_a_number(
    generated: Any, compute: Any, verdict: Any, implementation: str
) -> None:
    problem = generated("fits")
    problem.blocks[0][2, :16] = 0
    found = compute(problem, implementation).gaussians
    assert np.isnan(found[2, 0]).all()
    assert np.isfinite(found[2, 1:]).all()
    untrue = dataclasses.replace(problem, crystals=None)
    result = compute(untrue, implementation)
    assert verdict(untrue, result, implementation).ok
    result.gaussians[2, 0] = 0
    assert not verdict(untrue, result, implementation).ok, "a failure became a number"


def _half_a_voxel_off(result: Any) -> Any:
    return dataclasses.replace(result, volumes=np.roll(result.volumes, 1, axis=3))


def _masked_pixels_counted(result: Any) -> Any:
    return dataclasses.replace(result, photons=result.photons + 4000)


@pytest.mark.parametrize("mutant", [_half_a_voxel_off, _masked_pixels_counted])
def test_a_wrong_gridding_is_caught(generated: Any, compute: Any, verdict: Any, mutant: Any) -> None:
    problem = generated("gridding")
    result = compute(problem, "numba")
    assert verdict(problem, result, "numba").ok
    assert not verdict(problem, mutant(result), "numba").ok


def test_starting_values_do_not_pass_for_a_fit(
    generated: Any, verdict: Any, compute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = generated("fits")
    monkeypatch.setattr(gaussian, "CONVERGED", 1e9)  # the first step ends it
    result = compute(problem, "numpy")
    monkeypatch.undo()
    found = verdict(problem, result, "numpy")
    assert not found.ok, found


@pytest.mark.parametrize("sigmas", [3e-6, 0.05])
def test_centres_that_are_off_are_caught(generated: Any, compute: Any, verdict: Any, sigmas: float) -> None:
    problem = generated("all")
    result = compute(problem, "numba")
    result.gaussians[:, 2, 1] += sigmas * crystal.WIDTHS[2]
    assert not verdict(problem, result, "numba").ok


def test_projections_are_those_of_xsocs(needs: Any, generated: Any, compute: Any) -> None:
    needs("xsocs")
    from xsocs.util import project

    problem = generated()
    grid = problem.grid
    for scan, ours in zip(problem.blocks[0], compute(problem, "numba").projections, strict=True):
        theirs = project(with_numpy.photon_volume(grid, scan).astype(float), grid.hits.reshape(grid.shape))
        assert np.allclose(ours, np.concatenate(theirs), rtol=VOLUME_TOLERANCE, atol=0)


def test_a_peers_processes_end_with_the_one_that_asks(tmp_path: Any) -> None:
    """Also when that is killed and can tell nobody."""
    import os
    import signal
    import subprocess
    import sys
    import time

    code = (
        "import numpy as np, time, multiprocessing\n"
        "from daasbench.kernels.nanostrain.peers.processes import Processes\n"
        "def double(block, out): out['twice'][...] = 2 * block\n"
        "blocks = [np.arange(5.0), np.ones(5)]\n"
        "made = Processes(blocks, {'twice': ((), np.float64)}, double, 2)\n"
        "assert (made(blocks[1])['twice'] == 2).all() and (made(np.full(5, 3.0))['twice'] == 6).all()\n"
        "print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "time.sleep(1000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        children = [int(pid) for pid in asking.stdout.readline().split()]
        asking.send_signal(signal.SIGKILL)
    assert len(children) == 2
    deadline = time.monotonic() + 140
    while time.monotonic() < deadline and any(_runs(pid) for pid in children):
        time.sleep(0.05)
    left = [pid for pid in children if _runs(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def _runs(pid: int) -> bool:
    """Return whether a process is there, and not only its entry in the table."""
    from pathlib import Path

    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
