"""Sums have a place while a scan adds to their voxels: no two blocks share it, none is written too early or twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daasbench.kernels.nanostrain.grid import NOWHERE
from daasbench.kernels.nanostrain.schedule import BLOCK, EMPTY, MASKED, Schedule, blocks_of, make_schedule


def _gridded(problem: Any, schedule: Schedule, scan: Any, parts: int) -> Any:
    """Return what a thread a part would make of a scan, in the words of the schedule alone; i64[voxels]."""
    sums = np.zeros((parts, schedule.places, BLOCK), np.int64)
    volume = np.full((blocks_of(problem.grid), BLOCK), -1)
    slots = schedule.slot_of_pixel.reshape(len(scan), -1)
    for part in range(parts):
        for angle in range(*schedule.first_angle[part : part + 2]):
            np.add.at(sums[part].reshape(-1), slots[angle], scan[angle].ravel())
            done = slice(*schedule.first_done[angle : angle + 2])
            for block, place in zip(schedule.blocks[done], schedule.at[done], strict=True):
                assert (volume[block] == -1).all(), "written twice"
                volume[block], sums[part, place] = sums[part, place], 0
    for block, places in zip(schedule.shared, schedule.shared_at, strict=True):
        assert (volume[block] == -1).all(), "written twice"
        volume[block] = sum(sums[part, place] for part, place in enumerate(places))
        sums[range(parts), places] = 0
    sums[:, MASKED] = 0
    assert not sums.any(), "counts are left over"
    return volume.ravel()[: problem.grid.voxels]


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
@pytest.mark.parametrize("grid", [[3, 5, 4], [16, 20, 20], [2, 2, 3]])
def test_any_number_of_threads_counts_every_photon_where_it_belongs(generated: Any, parts: int, grid: Any) -> None:
    problem = generated("gridding", angles=7, rows=13, columns=11, grid=grid)
    scan = problem.blocks[0][0].astype(np.int64)
    schedule = make_schedule(problem.grid, 7, parts)
    seen = problem.grid.voxel_of != NOWHERE
    right = np.bincount(problem.grid.voxel_of[seen], scan.ravel()[seen], problem.grid.voxels)
    assert np.array_equal(_gridded(problem, schedule, scan, parts), right)


def test_a_rocking_scan_needs_far_fewer_sums_than_voxels(generated: Any) -> None:
    problem = generated("gridding", angles=61, grid=[40, 20, 20])
    schedule = make_schedule(problem.grid, 61, 1)
    assert schedule.places < blocks_of(problem.grid) / 3
    assert schedule.shared.size == 0


def test_a_place_that_is_given_away_too_early_is_caught(generated: Any) -> None:
    problem = generated("gridding", angles=7, rows=13, columns=11, grid=[3, 5, 4])
    scan = np.ones((7, 13, 11), np.int64)
    schedule = make_schedule(problem.grid, 7, 1)
    late = schedule.blocks[np.repeat(np.arange(7), np.diff(schedule.first_done)) == 6]
    assert late.size
    early = schedule._replace(first_done=np.append(schedule.first_done[:6], [len(schedule.blocks)] * 2))
    with pytest.raises(AssertionError, match="left over"):
        _gridded(problem, early, scan, 1)


def test_blocks_without_pixels_are_written_too(generated: Any) -> None:
    problem = generated("gridding", angles=7, rows=13, columns=11, grid=[40, 20, 20])
    schedule = make_schedule(problem.grid, 7, 1)
    assert (schedule.at == EMPTY).any()
    assert np.array_equal(np.sort(schedule.blocks), np.arange(blocks_of(problem.grid)))
