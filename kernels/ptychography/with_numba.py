"""All operations on a frame in the cache, one after the other: sixteen columns or rows at a time, in registers.

The passes over a frame of 128 kB (n = 128), which stays in the second-level cache:

1. by strips of sixteen columns: exit wave from probe, object and last wave; transform down the columns;
2. by strips of sixteen rows, transposed in registers: transform along the rows, replace the modulus, transform back;
3. by strips of columns: transform back; next wave; its contribution to the object's sums.

Each strip is transformed in the first-level cache (``daasbench.compute.transforms``), and only the wave is written
from the second-level cache to memory. Each thread computes successive frames, sorted by row, and has its own sums,
which cover only the rows of these frames. The sums are always added in the same order, so that every call gives the
same result. The probe's sums need the new object, and therefore the waves are read a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources
from daasbench.compute.simd import LANES, Threads, aligned_zeros, compiled, fma, load, splat, store
from daasbench.compute.transforms import Plan, forward, inverse
from daasbench.compute.transposes import transpose

from .definition import INERTIA, LARGEST, PROBE_FROM, Reconstruction, faint_amplitude
from .layout import STEP, Layout, lay_out
from .with_llvm import larger, modulus, ratio, root, unless_negative

if TYPE_CHECKING:
    from .problem import Problem

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Index = NDArray[np.int64]
Total = Callable[[Any], Any]
"""Adds an array over all ranks, in place, and returns it."""

_LARGEST, _INERTIA = np.float32(LARGEST), np.float32(INERTIA)


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Reconstruction]:
    """Return the function that turns the frames of a scan into object, probe and R."""
    return reconstruction(problem, resources.threads)


def reconstruction(
    problem: Problem, threads: int, mine: slice | None = None, total: Total = lambda array: array
) -> Callable[[Any], Reconstruction]:
    """Return the function that reconstructs from the frames `mine` of a scan (default: all).

    `total` adds sums over all ranks.
    """
    own = problem.corners if mine is None else problem.corners[mine]
    layout = lay_out(own, problem.pixels, problem.shape, threads)
    state = _State(layout, Threads(threads))

    def compute(diffraction: Any) -> Reconstruction:
        state.begin(diffraction, problem.probe)
        light = total(np.array([state.amplitude_sum]))[0]
        errors = []
        for iteration in range(1, problem.iterations + problem.finish + 1):
            missed = state.project(alternating=iteration > problem.iterations)
            errors.append(total(np.array([missed]))[0] / light)
            total(state.object_sums)
            state.update_object()
            if iteration >= PROBE_FROM:
                state.add_probe()
                total(state.probe_sums)
                state.update_probe()
        return Reconstruction(
            object=layout.image(state.image), probe=layout.wave(state.light), r=np.array(errors, np.float32)
        )

    return compute


class _State:
    """The arrays of a reconstruction, and its steps."""

    def __init__(self, layout: Layout, share: Threads) -> None:
        size, frames, chunks = layout.pixels**2, len(layout.frames), len(layout.bounds) - 1
        self.layout, self._share, self._frames, self._chunks = layout, share, frames, chunks
        self.targets = aligned_zeros((frames * size,))
        self.waves = aligned_zeros((frames * 2 * size,))
        self.image = aligned_zeros((layout.rows * 2 * layout.width,))
        self.object_sums = aligned_zeros((layout.rows * 3 * layout.width,))
        self.probe_sums = aligned_zeros((3 * size,))
        self._chunk_sums = aligned_zeros((int(layout.starts[-1]),))
        self._chunk_probes = aligned_zeros((chunks * 3 * size,))

    def begin(self, diffraction: Any, probe: Any) -> None:
        """Read the frames of a scan, and start from an empty object."""
        layout = self.layout
        self.light = layout.strips(probe)
        self.faint = np.float32(layout.pixels * faint_amplitude(probe))
        sums = np.zeros(self._frames)
        self._share(_read, self._frames, diffraction, layout.frames, layout.detector, self.targets, sums)
        self.amplitude_sum = float(sums.sum())
        self.image.reshape(layout.rows, 2, layout.width)[:, 0] = 1
        self.image.reshape(layout.rows, 2, layout.width)[:, 1] = 0
        self.waves.reshape(-1, self.light.size)[:] = self.light  # the sum for an empty object

    def project(self, *, alternating: bool) -> float:
        """Replace the waves by the next iteration's and set the object's sums; return Σ | |F g| - √I |."""
        layout = self.layout
        place = layout.width, layout.corners, layout.bounds, layout.starts, layout.tops
        missed = np.zeros(len(layout.frames))
        self._share(
            _project, self._chunks, self.targets, self.waves, self.light, self.image, *place, layout.plan,
            layout.pixels, self.faint, alternating, self._chunk_sums, missed,
        )  # fmt: skip
        covered = layout.starts, layout.tops, layout.width
        self._share(_gather, layout.rows, self._chunk_sums, *covered, self.object_sums)
        return float(missed.sum())

    def update_object(self) -> None:
        """Set the object that fits its sums."""
        sums = self.object_sums.reshape(self.layout.rows, 3, self.layout.width)
        inertia = _INERTIA * sums[:, 2].max()
        self._share(_update_object, self.layout.rows, self.object_sums, self.layout.width, inertia, self.image)

    def add_probe(self) -> None:
        """Set the probe's sums from waves and object."""
        layout = self.layout
        place = layout.width, layout.corners, layout.bounds, layout.pixels
        strips = self._chunks * layout.pixels // LANES
        self._share(_add_probe, strips, self.waves, self.image, *place, self._chunk_probes)
        np.sum(self._chunk_probes.reshape(-1, self.probe_sums.size), axis=0, out=self.probe_sums)

    def update_probe(self) -> None:
        """Set the probe that fits its sums."""
        sums, light = self.probe_sums.reshape(-1, 3, LANES), self.light.reshape(-1, 2, LANES)
        inertia = _INERTIA * sums[:, 2].max()
        light[:] = (inertia * light + sums[:, :2]) / (inertia + sums[:, 2:])


@compiled()
def _read(first: int, end: int, diffraction: Any, frames: Index, detector: Index, targets: F32, sums: F64) -> None:
    """Write the amplitudes of some frames, times n, in the order of the transform, and the sums of the frames."""
    pixels = detector.size
    for f in range(first, end):
        frame, total = diffraction[frames[f]], 0.0
        for strip in range(pixels // LANES):
            for x in range(pixels):
                at = f * pixels * pixels + (strip * pixels + x) * LANES
                for lane in range(LANES):
                    counts = np.float32(frame[detector[strip * LANES + lane], detector[x]])
                    amplitude = np.sqrt(max(counts, np.float32(0)))
                    total += amplitude
                    targets[at + lane] = np.float32(pixels) * amplitude if counts >= 0 else np.float32(-1)
        sums[f] = total


@compiled()
def _project(
    first_chunk: int,
    end: int,
    targets: F32,
    waves: F32,
    light: F32,
    image: F32,
    width: int,
    corners: Index,
    bounds: Index,
    starts: Index,
    tops: Index,
    plan: Plan,
    pixels: int,
    faint: Any,
    alternating: bool,
    sums: F32,
    missed: F64,
) -> None:
    """Replace the waves of some chunks by the next iteration's, and set each chunk's sums of the object."""
    strips, size = pixels // LANES, pixels * pixels
    for chunk in range(first_chunk, end):
        frame, lines = np.empty(2 * size, np.float32), np.empty(pixels * STEP, np.float32)
        sums[starts[chunk] : starts[chunk + 1]] = 0
        for f in range(bounds[chunk], bounds[chunk + 1]):
            row, column = corners[f, 0], corners[f, 1]
            for strip in range(strips):
                at, seen = strip * pixels * STEP, row * 2 * width + column + strip * LANES
                _exit_waves(light, image, width, waves, 2 * size * f, at, seen, pixels, alternating, frame)
                forward(frame, at, plan)
            total = np.float64(0)
            for strip in range(strips):
                total += _rows(frame, lines, strip, targets, f * size + strip * pixels * LANES, pixels, faint, plan)
            missed[f] = total / pixels
            for strip in range(strips):
                at, seen = strip * pixels * STEP, row * 2 * width + column + strip * LANES
                into = starts[chunk] + (row - tops[chunk, 0]) * 3 * width + column + strip * LANES
                inverse(frame, at, plan)
                _next_waves(light, image, width, waves, 2 * size * f, at, seen, pixels, alternating, frame, sums, into)


@compiled()
def _exit_waves(
    light: F32, image: F32, width: int, waves: F32, first: int, at: int, seen: int, pixels: int,
    alternating: bool, frame: F32,
) -> None:  # fmt: skip
    """Write ``2 P O - ψ``, or ``P O`` if alternating, of sixteen columns."""
    for y in range(pixels):
        p, o = at + y * STEP, seen + y * 2 * width
        px, py = load(light, p), load(light, p + 16)
        ox, oy = load(image, o), load(image, o + width)
        x, y_ = px * ox - py * oy, fma(px, oy, py * ox)
        if not alternating:
            x, y_ = x + x - load(waves, first + p), y_ + y_ - load(waves, first + p + 16)
        store(frame, p, x)
        store(frame, p + 16, y_)


@compiled()
def _rows(frame: F32, lines: F32, strip: int, targets: F32, first: int, pixels: int, faint: Any, plan: Plan) -> float:
    """Transform sixteen rows, replace their moduli, transform them back; return Σ | |F g| - √I |, times n."""
    begin = strip * LANES * STEP
    for x in range(0, pixels, LANES):
        p = begin + x * pixels * 2
        transpose(frame, p, STEP, lines, x * STEP, STEP)
        transpose(frame, p + 16, STEP, lines, x * STEP + 16, STEP)
    forward(lines, np.int64(0), plan)
    missed, zero = splat(np.float32(0)), splat(np.float32(0))
    least, scale = splat(faint), splat(np.float32(1) / np.float32(pixels * pixels))
    for k in range(pixels):
        x, y, wanted = load(lines, k * STEP), load(lines, k * STEP + 16), load(targets, first + k * LANES)
        found = root(fma(x, x, y * y))
        missed = missed + unless_negative(wanted, modulus(found - wanted), zero)
        factor = unless_negative(wanted, ratio(wanted * scale, larger(found, least)), scale)
        store(lines, k * STEP, x * factor)
        store(lines, k * STEP + 16, y * factor)
    inverse(lines, np.int64(0), plan)
    for x in range(0, pixels, LANES):
        p = begin + x * pixels * 2
        transpose(lines, x * STEP, STEP, frame, p, STEP)
        transpose(lines, x * STEP + 16, STEP, frame, p + 16, STEP)
    store(lines, 0, missed)
    total = np.float64(0)
    for lane in range(LANES):
        total += lines[lane]
    return total


@compiled()
def _next_waves(
    light: F32, image: F32, width: int, waves: F32, first: int, at: int, seen: int, pixels: int,
    alternating: bool, frame: F32, sums: F32, into: int,
) -> None:  # fmt: skip
    """Write the next waves of sixteen columns, and add P* ψ and |P|² to the object's sums."""
    for y in range(pixels):
        p, o, t = at + y * STEP, seen + y * 2 * width, into + y * 3 * width
        px, py = load(light, p), load(light, p + 16)
        wx, wy = load(frame, p), load(frame, p + 16)
        if not alternating:
            ox, oy = load(image, o), load(image, o + width)
            wx = wx + load(waves, first + p) - (px * ox - py * oy)
            wy = wy + load(waves, first + p + 16) - fma(px, oy, py * ox)
        store(waves, first + p, wx)
        store(waves, first + p + 16, wy)
        store(sums, t, fma(px, wx, fma(py, wy, load(sums, t))))
        store(sums, t + width, fma(px, wy, load(sums, t + width)) - py * wx)
        store(sums, t + 2 * width, fma(px, px, fma(py, py, load(sums, t + 2 * width))))


@compiled()
def _gather(first: int, end: int, chunk_sums: F32, starts: Index, tops: Index, width: int, sums: F32) -> None:
    """Add the sums of all chunks that cover some rows, always in the same order."""
    line = 3 * width
    for row in range(first, end):
        mine = sums[row * line : (row + 1) * line]
        mine[:] = 0
        for chunk in range(starts.size - 1):
            if tops[chunk, 0] <= row < tops[chunk, 1]:
                at = starts[chunk] + (row - tops[chunk, 0]) * line
                for k in range(line):
                    mine[k] += chunk_sums[at + k]


@compiled()
def _update_object(first: int, end: int, sums: F32, width: int, inertia: float, image: F32) -> None:
    """Set some rows of the object to ``(α O + sums) / (α + weights)``, cut to its largest modulus."""
    hold, largest, one = np.float32(inertia), _LARGEST, np.float32(1)
    for row in range(first, end):
        for k in range(width):
            at, o = row * 3 * width + k, row * 2 * width + k
            weight = one / (hold + sums[at + 2 * width])
            x = (hold * image[o] + sums[at]) * weight
            y = (hold * image[o + width] + sums[at + width]) * weight
            cut = largest / max(np.sqrt(x * x + y * y), largest)
            image[o], image[o + width] = x * cut, y * cut


@compiled()
def _add_probe(
    first: int, end: int, waves: F32, image: F32, width: int, corners: Index, bounds: Index, pixels: int, sums: F32
) -> None:
    """Set each chunk's sums ``O* ψ`` and ``|O|²``, strip by strip, so that they stay in the first-level cache."""
    strips, size = pixels // LANES, pixels * pixels
    for task in range(first, end):
        chunk, strip = task // strips, task % strips
        into = chunk * 3 * size + strip * pixels * 3 * LANES
        sums[into : into + pixels * 3 * LANES] = 0
        for f in range(bounds[chunk], bounds[chunk + 1]):
            seen = corners[f, 0] * 2 * width + corners[f, 1] + strip * LANES
            _add_strip(waves, 2 * size * f + strip * pixels * STEP, image, width, seen, pixels, sums, into)


@compiled()
def _add_strip(waves: F32, first: int, image: F32, width: int, seen: int, pixels: int, sums: F32, into: int) -> None:
    for y in range(pixels):
        p, o, t = first + y * STEP, seen + y * 2 * width, into + y * 3 * LANES
        ox, oy = load(image, o), load(image, o + width)
        wx, wy = load(waves, p), load(waves, p + 16)
        store(sums, t, fma(ox, wx, fma(oy, wy, load(sums, t))))
        store(sums, t + 16, fma(ox, wy, load(sums, t + 16)) - oy * wx)
        store(sums, t + 32, fma(ox, ox, fma(oy, oy, load(sums, t + 32))))
