"""Sums are computed directly from packed frames: no unpacked frame is ever written to memory.

Sixteen frames are processed together, in blocks of 2048 pixels. A block of each frame is unpacked to bit planes, which
remain in the cache. For 64 pixels the low byte of each frame is made from its eight planes, or the low two bytes if a
frame has counts above 255. The tile [16 frames, 64 pixels] is transposed, so that the sixteen values of a pixel are one
register, which is added to the sixteen sums of the pixel's bin. One addition serves sixteen frames.

The high planes show which pixels are above 16 bits or without data: the OR of sixteen planes is one bit per pixel. Few
of them are not masked; these are corrected one by one.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Reason: numba infers the types of the compiled functions.
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import InputError, Resources
from daasbench.compute.addresses import i64_at, trailing_zeros, u16_at, u32_at
from daasbench.compute.simd import Threads, compiled
from daasbench.formats.bit_planes import GROUP, any_bit, spread1, spread2, spread2_low, spread4, work_bytes
from daasbench.formats.bitshuffle import block_elements, next_planes, skip_blocks
from daasbench.formats.chunks import CUT_OFF, HEADER, SAID, WRONG_BLOCK, FileImage, chunks_of
from daasbench.formats.frame_tiles import FRAMES, add1, add2, turn1, turn2
from daasbench.formats.lz4 import SLACK

from .powder import NO_DATA
from .profiles import Profiles, finish

if TYPE_CHECKING:
    from .problem import Problem

_address: Any = np.int64  # addresses from numpy are unsigned, and the two kinds cannot be mixed
STRETCH = 8 * GROUP  # pixels whose high planes are tested together
FLUSH = 1 << 16  # pixels, below 2**16 each, whose sums fit into 32 bits
LOW = 0xFFFF
SUM_BYTES = 4 * FRAMES  # of each bin


def prepare(problem: Problem, resources: Resources) -> Callable[[FileImage], Profiles]:
    """Return ``compute(image)``; threads share the batches of frames, and parts of the detector."""
    share = Threads(resources.threads)
    bins, pixels = problem.bins, problem.mask.size
    bin_of_pixel = np.append(
        problem.bin_of_pixel, np.full(GROUP, bins, np.uint16)
    )  # the last group may extend past the detector
    used = np.packbits(bin_of_pixel < bins, bitorder="little")
    solid_angle = problem.solid_angle

    def compute(image: FileImage) -> Profiles:
        chunks = chunks_of(image)
        batches = -(-image.frames // FRAMES)
        parts = -(-share.count // batches)
        signal = np.zeros((parts, image.frames, bins + 1), np.uint64)
        lost = np.zeros(signal.shape)
        status = np.zeros((parts, image.frames), np.int64)
        packed = image.content, chunks.offset, chunks.size
        results = signal, lost, status
        share(_integrate, batches * parts, *packed, bin_of_pixel, used, solid_angle, pixels, *results)
        if status.any():
            part, frame = np.argwhere(status)[0]
            raise InputError(f"frame {frame} cannot be unpacked: {SAID[int(status[part, frame])]}")
        return finish(signal.sum(axis=0)[:, :bins], lost.sum(axis=0)[:, :bins], problem.norm, problem.q)

    return compute


@compiled()
def _integrate(first_item, end, content, offset, size, bin_of_pixel, used, solid_angle, pixels, signal, lost, status):
    parts, frames, _ = signal.shape
    for item in range(first_item, end):
        first, part = item // parts * FRAMES, item % parts
        last = min(first + FRAMES, frames)
        start = _address(content.ctypes.data)
        _batch(
            start,
            offset[first:last],
            size[first:last],
            start + content.size,
            bin_of_pixel,
            used,
            solid_angle,
            pixels,
            part,
            parts,
            signal[part, first:last],
            lost[part, first:last],
            status[part, first:last],
        )


@compiled()
def _batch(base, offset, size, readable, bin_of_pixel, used, solid_angle, pixels, part, parts, signal, lost, status):
    """Add part `part` of `parts` of up to sixteen frames to `signal` and `lost` [frames, bins + 1]."""
    frames, bins = signal.shape
    block, at = 0, np.empty(frames, np.int64)
    for frame in range(frames):
        source = base + offset[frame]
        here = block_elements(source, source + size[frame], pixels, 4)
        if here < 0 or (frame > 0 and here != block):
            status[frame] = -here if here < 0 else WRONG_BLOCK
            return
        block = here
    whole = pixels // 8 * 8
    blocks = -(-whole // block)
    first, last = blocks * part // parts, blocks * (part + 1) // parts
    step = block * 4 + SLACK + work_bytes()  # from the planes of one frame to those of the next
    memory = np.empty(step * frames, np.uint8)
    planes = _address(memory.ctypes.data)
    sums = _aligned(bins * SUM_BYTES)
    work = _aligned(8 * GROUP * FRAMES)
    pending = 0
    for frame in range(frames):
        at[frame] = skip_blocks(base + offset[frame] + HEADER, base + offset[frame] + size[frame], first)
    for number in range(first, last):
        here = min(block, whole - number * block)
        for frame in range(frames):
            if at[frame] >= 0:
                end = base + offset[frame] + size[frame]
                at[frame] = next_planes(at[frame], end, readable, planes + frame * step, here * 4)
            if at[frame] < 0:
                status[frame] = -at[frame]
                return
        for start in range(0, here, STRETCH):
            count = min(STRETCH, here - start)
            pending += count
            if pending > FLUSH:
                _flush(sums, signal)
                pending = count
            _add_stretch(
                planes,
                step,
                here,
                start,
                count,
                number * block,
                bin_of_pixel,
                used,
                solid_angle,
                sums,
                work,
                signal,
                lost,
            )
    _flush(sums, signal)
    memory[0] = (
        0  # the array is still needed: numba frees it after its last use, and does not see that its address is used
    )
    if part + 1 == parts:
        for frame in range(frames):
            status[frame] = _add_rest(
                at[frame],
                base + offset[frame] + size[frame],
                whole,
                pixels,
                bin_of_pixel,
                solid_angle,
                signal[frame],
                lost[frame],
            )


@compiled()
def _aligned(size):
    """Return zeroed bytes that begin on a cache line."""
    raw = np.zeros(size + 64, np.uint8)
    start = -_address(raw.ctypes.data) % 64
    return raw[start : start + size]


@compiled()
def _add_stretch(planes, step, here, start, count, origin, bin_of_pixel, used, solid_angle, sums, work, signal, lost):
    """Add `count` pixels of each frame, from `start` of a block that begins at pixel `origin` and has `here` pixels."""
    frames = signal.shape[0]
    stride, begin = here >> 3, start >> 3
    flags = _address(work.ctypes.data)  # [frames, 3 of 8 planes each, 512 bits]
    tile, transposed = flags + 3 * GROUP * FRAMES, flags + 5 * GROUP * FRAMES
    masks, places, total = (
        _address(used.ctypes.data),
        _address(bin_of_pixel.ctypes.data),
        _address(sums.ctypes.data),
    )
    for frame in range(frames):
        for byte in range(1, 4):
            upper = planes + frame * step + 8 * byte * stride + begin
            any_bit(upper, stride, flags + (3 * frame + byte - 1) * GROUP)
    for first in range(0, count, GROUP):
        pixel, word = origin + start + first, first >> 3
        visible = i64_at(masks + (pixel >> 3))
        if visible == 0:
            continue
        middle, high = 0, 0
        for frame in range(frames):
            flag = flags + 3 * frame * GROUP + word
            middle |= i64_at(flag)
            high |= i64_at(flag + GROUP) | i64_at(flag + 2 * GROUP)
        left, place, at = min(GROUP, count - first), places + 2 * pixel, planes + begin + word
        if middle & visible == 0:
            for frame in range(frames):
                spread1(at + frame * step, stride, tile + frame * GROUP)
            turn1(tile, transposed)
            for i in range(left):
                add1(total + SUM_BYTES * u16_at(place + 2 * i), transposed + FRAMES * i)
        else:
            for frame in range(frames):
                if i64_at(flags + 3 * frame * GROUP + word) & visible == 0:
                    spread2_low(at + frame * step, stride, tile + 2 * frame * GROUP)
                else:
                    spread2(at + frame * step, stride, tile + 2 * frame * GROUP)
            turn2(tile, transposed)
            for i in range(left):
                add2(total + SUM_BYTES * u16_at(place + 2 * i), transposed + 2 * FRAMES * i)
        if high & visible != 0:
            for frame in range(frames):
                flag = flags + 3 * frame * GROUP + word
                wide = (i64_at(flag + GROUP) | i64_at(flag + 2 * GROUP)) & visible
                if wide != 0:
                    spread4(at + frame * step, stride, transposed)
                    _correct_wide(wide, transposed, pixel, left, bin_of_pixel, solid_angle, signal[frame], lost[frame])


@compiled()
def _correct_wide(wide, values, pixel, left, bin_of_pixel, solid_angle, signal, lost):
    """Correct those of 64 pixels whose bits are set in `wide`: only the low 16 bits of their values were added."""
    while wide != 0:
        i = trailing_zeros(wide)
        wide &= wide - 1
        if i >= left:
            return
        value, place = u32_at(values + 4 * i), bin_of_pixel[pixel + i]
        if value == NO_DATA:
            lost[place] += solid_angle[pixel + i]
            signal[place] -= np.uint64(LOW)  # the next flush adds it: modulo 2**64 the order does not matter
        else:
            signal[place] += np.uint64(value - (value & LOW))


@compiled()
def _flush(sums, signal):
    """Move the 32-bit sums, [bins, 16], to `signal`."""
    frames, bins = signal.shape
    table = sums.view(np.uint32).reshape(bins, FRAMES)
    for bin_ in range(bins):
        for frame in range(frames):
            signal[frame, bin_] += np.uint64(table[bin_, frame])
    table[:] = 0


@compiled()
def _add_rest(at, end, whole, pixels, bin_of_pixel, solid_angle, signal, lost):
    """Add the last pixels, at most seven, which follow the blocks unpacked; return the status."""
    if end - at != 4 * (pixels - whole):
        return CUT_OFF
    for i in range(pixels - whole):
        value, place = u32_at(at + 4 * i), bin_of_pixel[whole + i]
        if value == NO_DATA:
            lost[place] += solid_angle[whole + i]
        else:
            signal[place] += np.uint64(value)
    return 0
