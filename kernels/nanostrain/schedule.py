"""The voxels to which a scan adds at each angle; a sum is needed only from the first to the last pixel of its voxel.

A rocking scan moves through reciprocal space: each frame adds to a sheet of voxels, and a voxel is complete a few
angles later. Sixteen voxels are processed together (a *block*: consecutive in the volume, a cache line of each result).
A block gets a *place* in the sums at the first angle that adds to it; after the last angle it is written, and its place
is used again for another block. So the sums of the moving sheet remain in the cache of the core, while the sums of the
whole volume would be read from memory and written to it many times.

If several threads share the pixels of a position, each has a part of the angles and its own sums; blocks that more than
one part adds to are *shared*: they keep their places, and are added and written at the end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .grid import NOWHERE, Grid

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

BLOCK = 16  # voxels
MASKED = 0  # the place to which masked pixels are added; it is never read
EMPTY = 1  # the place of blocks without pixels: nothing is added to it
_FREE_FROM = 2
_NEVER = -1


class Schedule(NamedTuple):
    """The places to which counts are added, and the angles after which sums are complete.

    Attributes
    ----------
    pixels
        Number of pixels per frame.
    places
        Number of blocks of sums that a part needs at the same time.
    slot_of_pixel
        i32[angles * pixels]: ``16 * place + k`` for voxel k of the block at that place.
    first_angle
        i64[parts + 1]: first angle of each part.
    first_done
        i64[angles + 1]: index in `blocks` and `at` of the first block that is complete after each angle.
    blocks, at
        i32: complete blocks, and their places.
    shared
        i32: blocks that more than one part adds to.
    shared_at
        i32[shared, parts]: their places in each part; EMPTY if the part does not add to them.
    """

    pixels: int
    places: int
    slot_of_pixel: I32
    first_angle: I64
    first_done: I64
    blocks: I32
    at: I32
    shared: I32
    shared_at: I32


def make_schedule(grid: Grid, angles: int, parts: int) -> Schedule:
    """Return the schedule of a scan whose angles are shared between `parts` threads."""
    voxel_of = grid.voxel_of.reshape(angles, -1)
    first_angle = np.arange(parts + 1, dtype=np.int64) * angles // parts
    first, last = _lifetimes(voxel_of, blocks_of(grid))
    part_of = np.searchsorted(first_angle, np.stack([first, last]), side="right") - 1
    is_shared = (first != _NEVER) & (part_of[0] != part_of[1])
    shared = np.flatnonzero(is_shared).astype(np.int32)
    shared_at = np.full((shared.size, parts), EMPTY, np.int32)
    slots, done, most = np.empty(voxel_of.shape, np.int32), [], _FREE_FROM
    for part in range(parts):
        place = np.full(first.size, EMPTY, np.int32)
        free, highest = list[int](), _FREE_FROM
        for angle in range(*first_angle[part : part + 2]):
            touched = _touched(voxel_of[angle])
            new = touched[place[touched] == EMPTY]
            fresh = max(0, new.size - len(free))
            place[new] = [free.pop() for _ in range(new.size - fresh)] + list(range(highest, highest + fresh))
            highest += fresh
            slots[angle] = _slots(voxel_of[angle], place)
            own = np.flatnonzero((last == angle) & ~is_shared)
            done.append((own, place[own]))
            free.extend(place[own][first[own] != _NEVER].tolist())
        shared_at[:, part], most = place[shared], max(most, highest)
    return Schedule(
        pixels=voxel_of.shape[1],
        places=most,
        slot_of_pixel=slots.ravel(),
        first_angle=first_angle,
        first_done=np.cumsum([0, *(own.size for own, _ in done)], dtype=np.int64),
        blocks=np.concatenate([own for own, _ in done]).astype(np.int32),
        at=np.concatenate([at for _, at in done]).astype(np.int32),
        shared=shared,
        shared_at=shared_at,
    )


def blocks_of(grid: Grid) -> int:
    """Return the number of blocks of a grid; the last block may extend beyond it."""
    return -(-grid.voxels // BLOCK)


def _touched(voxel_of: I32) -> I64:
    blocks: I64 = np.unique(voxel_of[voxel_of != NOWHERE] // BLOCK)
    return blocks


def _slots(voxel_of: I32, place: I32) -> I32:
    inside = place[voxel_of // BLOCK] * BLOCK + voxel_of % BLOCK  # for NOWHERE: any place
    slots: I32 = np.where(voxel_of != NOWHERE, inside, MASKED * BLOCK)
    return slots


def _lifetimes(voxel_of: I32, blocks: int) -> tuple[I64, I64]:
    """Return the first and the last angle that add to each block; blocks without pixels may be written at any angle."""
    first, last = np.full(blocks, _NEVER), np.arange(blocks) % len(voxel_of)
    for angle, frame in enumerate(voxel_of):
        touched = _touched(frame)
        first[touched] = np.where(first[touched] == _NEVER, angle, first[touched])
        last[touched] = angle
    return first, last
