"""SIRT of sixteen slices at a time, projected and back-projected in registers (``daasbench.compute.simd``).

Sixteen slices have the same geometry and are the innermost axis, in the image ``[row, column, slice]`` as in the
residual ``[angle, detector pixel, slice]``: position and weight of a pixel in a ray are computed once for sixteen
slices, and each pixel is one vector.

Both directions are gathers that keep their sums in registers. Projection: eight neighbouring rays pass together
through sixteen lines of the image, for several neighbouring angles one after the other, so that these lines stay in
the first-level cache; the angles are divided among threads. Back-projection: a patch of 4 x 4 pixels is projected to
fewer than eight detector pixels at any angle. Tiles of such patches stay in the first-level cache, for a few angles
at a time; the tiles are divided among threads. The correction of a tile is added to the image as soon as it is
complete, so that no second volume is needed. The residual is computed as soon as a ray is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources
from daasbench.compute.simd import LANES, Threads, aligned_zeros, compiled, fma, load, splat, store

from .definition import LEAST_RAY, Reconstruction, inverse

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Index = NDArray[np.intp]

_RAYS, _LINES = 8, 16  # projected together: as many sums as there are registers, through these lines
_TOGETHER = 16  # most neighbouring angles that pass the same lines one after the other ...
_BATCHES = 4  # ... in at least this number of batches per thread
_PATCH, _PATCHES = 4, 4  # pixels of a patch, and patches of a tile, down and across
_TILE = _PATCH * _PATCHES
_FOUR = np.int32(_PATCH)  # of the width of a float32, so that loops become vectors
_ANGLES = 16  # back-projected at a time
_RIGHT = _ANGLES * _PATCH * _PATCH  # offset of the weights in the right ray, after those in the left ray


def prepare(problem: Problem, resources: Resources) -> Callable[[F32], Reconstruction]:
    """Return the function that turns a block of sinograms into a volume; the sums of rows and columns are set up."""
    detector = problem.blocks[0].shape[2]
    solver = _Solver(problem.angles, problem.centre, detector, resources.threads)

    def compute(sinograms: F32) -> Reconstruction:
        slices = sinograms.shape[0]
        volume = np.empty((slices, detector, detector), np.float32)
        residuals = np.zeros((slices, problem.iterations))
        for first in range(0, slices, LANES):
            batch = slice(first, first + LANES)
            solver.solve(sinograms[batch], residuals[batch])
            volume[batch] = solver.image()[..., : len(volume[batch])].transpose(2, 0, 1)
        return Reconstruction(volume, residuals)

    return compute


class _Solver:
    """The geometry, the weights R and C, and the image and residual of sixteen slices."""

    def __init__(self, angles: F64, centre: float, size: int, threads: int = 1) -> None:
        self._angles = np.column_stack([np.cos(angles), np.sin(angles)])
        self._share = Threads(threads)
        self._batches = _batches(self._angles, max(1, min(_TOGETHER, angles.size // (_BATCHES * threads))))
        self._centre, self._size = centre, size
        self._pitch = (size + 3) | 1  # one line of zeros before the image, two behind; odd, for the cache
        self._x = aligned_zeros(((size + 3) * self._pitch * LANES,))
        self._left = aligned_zeros((angles.size * (size + 3 + _RAYS) * LANES,))
        self._R, self._C = np.ones((angles.size, size), np.float32), np.ones((size, size), np.float32)
        self._R, self._C = self._weights()

    def _weights(self) -> tuple[F32, F32]:
        """Return f32[angles, detector] and f32[N, N]: the inverses of the sums of rows and of columns."""
        zeros = np.zeros((1, *self._R.shape), np.float32)
        self.image()[:] = 1
        self._project(zeros)
        row_sums = -self._rays()[..., 0]
        self._rays()[:] = 1
        self.image()[:] = 0
        self._back_project()
        column_sums = self.image()[..., 0]
        return inverse(row_sums, LEAST_RAY).astype(np.float32), inverse(column_sums, 0.0).astype(np.float32)

    def solve(self, sinograms: F32, residuals: F64) -> None:
        """Iterate on up to sixteen slices from an empty image."""
        self.image()[:] = 0
        for n in range(residuals.shape[1]):
            residuals[:, n] = np.sqrt(self._project(sinograms)[: len(residuals)])
            self._back_project()

    def _project(self, sinograms: F32) -> F64:
        """Compute the weighted residual R (y - A x); return f64[16]: the sums of the squares of y - A x."""
        squares = np.zeros((len(self._batches), LANES))
        rays = self._centre, sinograms, self._R, self._left, squares
        self._share(_project, len(self._batches), self._x, self._pitch, self._angles, self._batches, *rays)
        total: F64 = squares.sum(axis=0)
        return total

    def _back_project(self) -> None:
        """Add C A^T times the weighted residual to the image."""
        tiles = -(-self._size // _TILE)
        image = self._C, self._x, self._pitch
        self._share(_back_project, tiles * tiles, self._left, self._angles, self._centre, *image)

    def image(self) -> F32:
        """Return the image f32[N, N, 16], without its border."""
        framed: F32 = self._x.reshape(self._size + 3, self._pitch, LANES)
        return framed[1 : self._size + 1, 1 : self._size + 1]

    def _rays(self) -> F32:
        """Return the weighted residual f32[angles, detector, 16], without its border."""
        framed: F32 = self._left.reshape(len(self._angles), -1, LANES)
        return framed[:, 1 : self._size + 1]


def _batches(directions: F64, together: int) -> Index:
    """Return intp[batches, 2]: first and last + 1 of neighbouring angles whose rays run along rows, or columns."""
    down = np.abs(directions[:, 0]) >= np.abs(directions[:, 1])
    changes = np.flatnonzero(np.diff(down)) + 1
    starts = [np.arange(a, b, together) for a, b in zip([0, *changes], [*changes, down.size], strict=True)]
    first = np.concatenate(starts)
    return np.column_stack([first, np.append(first[1:], down.size)]).astype(np.intp)


@compiled()
def _project(
    first_batch: int,
    last: int,
    image: F32,
    pitch: int,
    directions: F64,
    batches: Index,
    centre: float,
    sinograms: F32,
    ray_weights: F32,
    left: F32,
    squares: F64,
) -> None:
    """Write the weighted residual of the rays of some batches, and each batch's sums of squares without weights."""
    length = left.size // directions.shape[0]
    for batch in range(first_batch, last):
        first, end = batches[batch, 0], batches[batch, 1]
        left[first * length : end * length] = 0
        _project_batch(image, pitch, directions, first, end, centre, sinograms.shape[2], left)
        for angle in range(first, end):
            scale = np.float32(1 / max(abs(directions[angle, 0]), abs(directions[angle, 1])))
            _finish(sinograms, angle, scale, ray_weights, left, angle * length, squares[batch])


@compiled()
def _project_batch(
    image: F32, pitch: int, directions: F64, first: int, end: int, centre: float, size: int, left: F32
) -> None:
    """Add the image to the rays of some neighbouring angles, a few lines at a time."""
    length = left.size // directions.shape[0]
    places, weights = np.empty(_LINES * _RAYS, np.int32), np.empty(_LINES * _RAYS, np.float32)
    ranges = np.empty((end - first, 2), np.intp)
    down = abs(directions[first, 0]) >= abs(directions[first, 1])
    along, across = (pitch * LANES, LANES) if down else (LANES, pitch * LANES)
    for line in range(0, size, _LINES):
        lines = min(_LINES, size - line)
        most = 0
        for angle in range(first, end):
            found = ranges[angle - first]
            _range_of_rays(directions, angle, down, line, lines, centre, size, found)
            most = max(most, found[1] - found[0])
        for step in range(0, most, _RAYS):
            for angle in range(first, end):
                ray = ranges[angle - first, 0] + step
                if ray < ranges[angle - first, 1]:
                    start, shift, apart = _ray(directions, angle, down, line, ray, centre, size)
                    _locate_rays(start, shift, apart, lines, size, across, places, weights)
                    at = angle * length + (ray + 1) * LANES
                    _add_lines(image, (line + 1) * along, along, across, places, weights, lines, left, at)


@compiled(inline=True)
def _ray(
    directions: F64, angle: int, down: bool, line: int, ray: int, centre: float, size: int
) -> tuple[float, float, float]:
    """Return the position of a ray in a line of the image, in pixels, and the shifts per line and per ray."""
    major, minor = directions[angle, 0], directions[angle, 1]
    if not down:
        major, minor = minor, major
    middle = (size - 1) / 2
    return (ray - centre - (line - middle) * minor) / major + middle + 1, -minor / major, 1 / major


@compiled(inline=True)
def _range_of_rays(
    directions: F64, angle: int, down: bool, line: int, lines: int, centre: float, size: int, found: Index
) -> None:
    """Write the first and the last + 1 of the rays that cross one of some lines of the image."""
    start, shift, apart = _ray(directions, angle, down, line, 0, centre, size)
    drift = shift * (lines - 1)
    nearest, furthest = -start - max(drift, 0.0), size + 1 - start - min(drift, 0.0)
    low, high = min(nearest / apart, furthest / apart), max(nearest / apart, furthest / apart)
    found[0] = max(0, int(np.floor(low)))
    found[1] = min(size, int(np.ceil(high)) + 1)


@compiled(inline=True)
def _locate_rays(
    start: float, shift: float, apart: float, lines: int, size: int, across: int, places: Any, weights: F32
) -> None:
    """Write, for eight rays, the left pixel in each line (from the line's first), and the weight of the right pixel."""
    for i in range(lines):
        position = start + i * shift
        base = np.floor(min(position, position + (_RAYS - 1) * apart))
        offset, step = np.float32(position - base), np.float32(apart)
        least, last = np.float32(-base), np.float32(size + 1 - base)
        origin = np.int32(base)
        for q in range(_RAYS):
            p = min(max(offset + np.float32(q) * step, least), last)
            pixel = np.int32(p)
            places[i * _RAYS + q] = (origin + pixel) * np.int32(across)
            weights[i * _RAYS + q] = p - np.float32(pixel)


@compiled(inline=True)
def _add_lines(
    image: F32,
    base: int,
    along: int,
    across: int,
    places: Any,
    weights: F32,
    lines: int,
    sums: F32,
    at: int,
) -> None:
    """Add some lines of the image to eight rays, whose sums stay in registers."""
    s0, s1, s2, s3 = load(sums, at), load(sums, at + 16), load(sums, at + 32), load(sums, at + 48)
    s4, s5, s6, s7 = load(sums, at + 64), load(sums, at + 80), load(sums, at + 96), load(sums, at + 112)
    for i in range(lines):
        line = base + i * along
        p = np.uint64(i * _RAYS)
        s0 = _between(image, line + places[p], across, weights[p], s0)
        s1 = _between(image, line + places[p + 1], across, weights[p + 1], s1)
        s2 = _between(image, line + places[p + 2], across, weights[p + 2], s2)
        s3 = _between(image, line + places[p + 3], across, weights[p + 3], s3)
        s4 = _between(image, line + places[p + 4], across, weights[p + 4], s4)
        s5 = _between(image, line + places[p + 5], across, weights[p + 5], s5)
        s6 = _between(image, line + places[p + 6], across, weights[p + 6], s6)
        s7 = _between(image, line + places[p + 7], across, weights[p + 7], s7)
    for lane, total in enumerate((s0, s1, s2, s3, s4, s5, s6, s7)):
        store(sums, at + lane * LANES, total)


@compiled(inline=True)
def _between(image: F32, place: int, across: int, weight: float, total: Any) -> Any:
    """Return `total` plus the image between a pixel and its neighbour."""
    pixel = load(image, place)
    return fma(splat(weight), load(image, place + across) - pixel, total + pixel)


@compiled(inline=True)
def _finish(sinograms: F32, angle: int, scale: Any, ray_weights: F32, left: F32, row: int, squares: F64) -> None:
    """Turn the sums of a projection into its weighted residual, and add up the squares of the residual."""
    slices, _, detector = sinograms.shape
    measured = np.zeros(LANES, np.float32)
    for k in range(detector):
        for z in range(slices):
            measured[z] = sinograms[z, angle, k]
        at = row + (k + 1) * LANES
        residual = load(measured, 0) - splat(scale) * load(left, at)
        store(left, at, residual)
        weight = ray_weights[angle, k]
        for z in range(LANES):
            squares[z] += np.float64(left[at + z]) ** 2
            left[at + z] *= weight
    left[row + (detector + 1) * LANES : row + (detector + 3 + _RAYS) * LANES] = 0


@compiled()
def _back_project(
    first: int, end: int, left: F32, directions: F64, centre: float, pixel_weights: F32, image: F32, pitch: int
) -> None:
    """Add the weighted back-projection to some tiles of the image."""
    size = pixel_weights.shape[0]
    tiles = (size + _TILE - 1) // _TILE
    for tile in range(first, end):
        top, side = tile // tiles * _TILE, tile % tiles * _TILE
        sums = np.zeros(_TILE * _TILE * LANES, np.float32)
        _sum_tile(left, directions, centre, size, top, side, sums)
        for patch in range(_PATCHES * _PATCHES):
            row, column = top + patch // _PATCHES * _PATCH, side + patch % _PATCHES * _PATCH
            for i in range(min(_PATCH, size - row)):
                for j in range(min(_PATCH, size - column)):
                    pixel = ((row + i + 1) * pitch + column + j + 1) * LANES
                    total = load(sums, ((patch * _PATCH + i) * _PATCH + j) * LANES)
                    weight = splat(pixel_weights[row + i, column + j])
                    store(image, pixel, fma(weight, total, load(image, pixel)))


@compiled()
def _sum_tile(left: F32, directions: F64, centre: float, size: int, top: int, side: int, sums: F32) -> None:
    """Add the contributions of all rays to a tile, patch by patch, a few angles at a time."""
    length = left.size // directions.shape[0]
    places = np.empty(_ANGLES * _PATCH * _PATCH, np.int32)
    weights = np.empty(2 * _RIGHT, np.float32)
    for angle in range(0, directions.shape[0], _ANGLES):
        count = min(_ANGLES, directions.shape[0] - angle)
        for patch in range(_PATCHES * _PATCHES):
            row, column = top + patch // _PATCHES * _PATCH, side + patch % _PATCHES * _PATCH
            if row < size and column < size:
                x, y = column - (size - 1) / 2, row - (size - 1) / 2
                for a in range(count):
                    cosine, sine = directions[angle + a, 0], directions[angle + a, 1]
                    position = x * cosine + y * sine + centre + 1
                    _locate_pixels(position, cosine, sine, a, length, size, places, weights)
                _add_angles(left, angle * length, places, weights, count, sums, patch * _PATCH * _PATCH * LANES)


@compiled(inline=True)
def _locate_pixels(
    position: float, cosine: float, sine: float, angle: int, length: int, detector: int, places: Any, weights: F32
) -> None:
    """Write, for 4 x 4 pixels at one angle, the left ray, and the weights in the left and the right ray."""
    reach = _PATCH - 1
    base = np.floor(position + min(reach * cosine, 0.0) + min(reach * sine, 0.0))
    offset, across, down = np.float32(position - base), np.float32(cosine), np.float32(sine)
    least, last = np.float32(-base), np.float32(detector + 1 - base)
    origin = np.int32(angle * length + int(base) * LANES)
    height = np.float32(1 / max(abs(cosine), abs(sine)))
    fall = height * height
    first = np.uint64(angle * _PATCH * _PATCH)
    for q in range(_PATCH * _PATCH):
        step = np.int32(q)
        t = offset + np.float32(step % _FOUR) * across + np.float32(step // _FOUR) * down
        t = min(max(t, least), last)
        ray = np.int32(t)
        fade = fall * (t - np.float32(ray))
        at = first + np.uint64(q)
        places[at] = origin + ray * np.int32(LANES)
        weights[at] = max(np.float32(0), height - fade)
        weights[at + np.uint64(_RIGHT)] = max(np.float32(0), height - fall + fade)


@compiled(inline=True)
def _add_angles(left: F32, base: int, places: Any, weights: F32, angles: int, sums: F32, at: int) -> None:
    """Add some angles to 4 x 4 pixels, whose sums stay in registers."""
    s0, s1, s2, s3 = load(sums, at), load(sums, at + 16), load(sums, at + 32), load(sums, at + 48)
    s4, s5, s6, s7 = load(sums, at + 64), load(sums, at + 80), load(sums, at + 96), load(sums, at + 112)
    s8, s9, s10, s11 = load(sums, at + 128), load(sums, at + 144), load(sums, at + 160), load(sums, at + 176)
    s12, s13, s14, s15 = load(sums, at + 192), load(sums, at + 208), load(sums, at + 224), load(sums, at + 240)
    for a in range(angles):
        p = np.uint64(a * 16)
        s0 = _rays_at(left, base, places, weights, p, s0)
        s1 = _rays_at(left, base, places, weights, p + np.uint64(1), s1)
        s2 = _rays_at(left, base, places, weights, p + np.uint64(2), s2)
        s3 = _rays_at(left, base, places, weights, p + np.uint64(3), s3)
        s4 = _rays_at(left, base, places, weights, p + np.uint64(4), s4)
        s5 = _rays_at(left, base, places, weights, p + np.uint64(5), s5)
        s6 = _rays_at(left, base, places, weights, p + np.uint64(6), s6)
        s7 = _rays_at(left, base, places, weights, p + np.uint64(7), s7)
        s8 = _rays_at(left, base, places, weights, p + np.uint64(8), s8)
        s9 = _rays_at(left, base, places, weights, p + np.uint64(9), s9)
        s10 = _rays_at(left, base, places, weights, p + np.uint64(10), s10)
        s11 = _rays_at(left, base, places, weights, p + np.uint64(11), s11)
        s12 = _rays_at(left, base, places, weights, p + np.uint64(12), s12)
        s13 = _rays_at(left, base, places, weights, p + np.uint64(13), s13)
        s14 = _rays_at(left, base, places, weights, p + np.uint64(14), s14)
        s15 = _rays_at(left, base, places, weights, p + np.uint64(15), s15)
    for lane, total in enumerate((s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15)):
        store(sums, at + lane * LANES, total)


@compiled(inline=True)
def _rays_at(left: F32, base: int, places: Any, weights: F32, pixel: Any, total: Any) -> Any:
    """Return `total` plus the contributions of the rays to the left and right of a pixel."""
    place = base + places[pixel]
    total = fma(splat(weights[pixel]), load(left, place), total)
    return fma(splat(weights[pixel + np.uint64(_RIGHT)]), load(left, place + LANES), total)
