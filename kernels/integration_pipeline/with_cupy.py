"""Frames are unpacked and integrated on the device: packed bytes cross the bus, no unpacked frame is ever in memory.

The host reads only the structure of the file (a few kB: the positions of the chunks). `find_blocks` follows the sizes
of the LZ4 blocks with one thread per frame. Then a warp takes a block: its lanes follow the sequences together and copy
literals and matches in parallel into bit planes in shared memory. From these each lane makes pixels, one after another,
and adds them to the sums of the thread block, which are in shared memory too.

`SOURCE` is plain CUDA C++. A test compiles it for sm_90 without a driver, and runs it on the host with warps of one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import InputError, MissingRequirement, Resources
from daasbench.formats.chunks import HEADER, MOST_BLOCK, SAID, FileImage, chunks_of

from .profiles import Profiles, finish

if TYPE_CHECKING:
    from .problem import Problem

WARPS = 4  # per thread block
LANES = 32
BLOCKS_A_WARP = 8  # LZ4 blocks per warp: with many, sums are seldom moved to memory
SHARED_BYTES = 48 * 1024  # that a thread block has without a request
FIND_THREADS = 32

SOURCE = r"""
#ifndef LANES
#define LANES 32
#endif
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
enum { WHOLE, WRONG_SIZE, WRONG_BLOCK, CUT_OFF, DAMAGED };

__device__ inline u32 big_endian(const u8* at) {
    return (u32) at[0] << 24 | (u32) at[1] << 16 | (u32) at[2] << 8 | at[3];
}

// One thread per frame: where each LZ4 block begins, [frames, blocks]; the remaining pixels are added here.
extern "C" __global__ void find_blocks(
    const u8* content, const long long* offset, const long long* size, int frames, int pixels, int block, int blocks,
    int bins, const unsigned short* bin_of_pixel, const double* solid_angle,
    long long* start, u64* signal, double* lost, int* status)
{
    int frame = blockIdx.x * blockDim.x + threadIdx.x;
    if (frame >= frames) return;
    long long at = offset[frame], end = at + size[frame];
    if (size[frame] < 12) { status[frame] = CUT_OFF; return; }
    u64 bytes = (u64) big_endian(content + at) << 32 | big_endian(content + at + 4);
    if (bytes != 4ull * pixels) { status[frame] = WRONG_SIZE; return; }
    if (big_endian(content + at + 8) != 4u * block) { status[frame] = WRONG_BLOCK; return; }
    at += 12;
    for (int number = 0; number < blocks; number++) {
        if (end - at < 4) { status[frame] = CUT_OFF; return; }
        start[(long long) frame * blocks + number] = at;
        at += 4 + (long long) big_endian(content + at);
    }
    int whole = pixels / 8 * 8;
    if (end - at != 4ll * (pixels - whole)) { status[frame] = CUT_OFF; return; }
    for (int p = whole; p < pixels; p++, at += 4) {
        int b = bin_of_pixel[p];
        if (b == bins) continue;
        u32 value = 0;
        for (int byte = 0; byte < 4; byte++) value |= (u32) content[at + byte] << 8 * byte;
        if (value == 4294967295u) lost[(long long) frame * bins + b] += solid_angle[p];
        else signal[(long long) frame * bins + b] += value;
    }
}

// A length whose first four bits are `half`; `at` moves past it. Below 0: the block ends within it.
__device__ inline long long whole_length(const u8* content, long long& at, long long end, int half) {
    long long length = half;
    if (half == 15) {
        u8 more = 255;
        while (more == 255) {
            if (at >= end) return -1;
            more = content[at++];
            length += more;
        }
    }
    return length;
}

// The lanes of a warp unpack one LZ4 block together to `size` bytes at `planes`; returns whether it is whole.
__device__ bool unpack_block(const u8* content, long long at, long long end, u8* planes, int size, int lane) {
    long long to = 0;
    while (at < end) {
        int token = content[at++];
        long long length = whole_length(content, at, end, token >> 4);
        if (length < 0 || length > end - at || length > size - to) return false;
        for (long long i = lane; i < length; i += LANES) planes[to + i] = content[at + i];
        at += length;
        to += length;
        __syncwarp();
        if (at == end) return to == size;
        if (end - at < 2) return false;
        int distance = content[at] | content[at + 1] << 8;
        at += 2;
        if (distance == 0 || distance > to) return false;
        length = whole_length(content, at, end, token & 15);
        if (length < 0 || length + 4 > size - to) return false;
        length += 4;
        for (int i = lane; i < length; i += LANES)
            planes[to + i] = planes[to - distance + (i < distance ? i : i % distance)];
        to += length;
        __syncwarp();
    }
    return false;
}

// `sums` [frames, bins], `lost` [frames, bins]; one row of the grid per frame.
extern "C" __global__ void integrate(
    const u8* content, const long long* offset, const long long* size, const long long* start,
    int pixels, int block, int blocks, int blocks_a_warp, int bins, int shared,
    const unsigned short* bin_of_pixel, const double* solid_angle, u64* signal, double* lost, int* status)
{
    extern __shared__ u64 memory[];
    int frame = blockIdx.y, lane = threadIdx.x % LANES, warp = threadIdx.x / LANES, warps = blockDim.x / LANES;
    if (status[frame] != WHOLE) return;
    u64* frame_sums = signal + (long long) frame * bins;
    u64* sums = shared ? memory : frame_sums;
    u8* planes = (u8*) (memory + (shared ? bins : 0)) + (long long) warp * block * 4;
    if (shared)
        for (int b = threadIdx.x; b < bins; b += blockDim.x) sums[b] = 0;
    __syncthreads();
    long long chunk_end = offset[frame] + size[frame];
    int whole = pixels / 8 * 8, first = (blockIdx.x * warps + warp) * blocks_a_warp;
    for (int number = first; number < first + blocks_a_warp && number < blocks; number++) {
        long long at = start[(long long) frame * blocks + number], origin = (long long) number * block;
        long long end = at + 4 + big_endian(content + at);
        int count = whole - origin < block ? (int) (whole - origin) : block, stride = count / 8;
        if (end > chunk_end || !unpack_block(content, at + 4, end, planes, count * 4, lane)) {
            status[frame] = DAMAGED;
            break;
        }
        for (int p = lane; p < count; p += LANES) {
            int b = bin_of_pixel[origin + p];
            if (b == bins) continue;
            u32 value = 0;
            for (int bit = 0; bit < 32; bit++) value |= (u32) (planes[bit * stride + p / 8] >> p % 8 & 1) << bit;
            if (value == 4294967295u) atomicAdd(lost + (long long) frame * bins + b, solid_angle[origin + p]);
            else if (value) atomicAdd(sums + b, (u64) value);
        }
        __syncwarp();
    }
    __syncthreads();
    if (shared)
        for (int b = threadIdx.x; b < bins; b += blockDim.x)
            if (sums[b]) atomicAdd(frame_sums + b, sums[b]);
}
"""


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Profiles]:  # noqa: ARG001  (one device)
    """Return ``compute(image)`` of a file image in device memory; the profiles, and their file, are on the host."""
    import cupy

    module = cupy.RawModule(code=SOURCE)
    find_blocks, integrate = module.get_function("find_blocks"), module.get_function("integrate")
    bins, pixels = problem.bins, problem.mask.size
    bin_of_pixel, solid_angle = cupy.asarray(problem.bin_of_pixel), cupy.asarray(problem.solid_angle)

    def compute(image: FileImage) -> Profiles:
        chunks = chunks_of(image)
        offset, size = cupy.asarray(chunks.offset), cupy.asarray(chunks.size)
        block = _block(cupy, image, int(chunks.offset[0]))
        blocks = -(-(pixels // 8 * 8) // block)
        frames = image.frames
        start = cupy.zeros((frames, max(blocks, 1)), cupy.int64)
        signal, lost = cupy.zeros((frames, bins), cupy.uint64), cupy.zeros((frames, bins), cupy.float64)
        status = cupy.zeros(frames, cupy.int32)
        numbers = tuple(map(np.int32, (frames, pixels, block, blocks, bins)))
        found = (image.content, offset, size, *numbers, bin_of_pixel, solid_angle, start, signal, lost, status)
        find_blocks((-(-frames // FIND_THREADS),), (FIND_THREADS,), found)
        warps, shared, shared_bytes = shared_memory(block, bins)
        numbers = tuple(map(np.int32, (pixels, block, blocks, BLOCKS_A_WARP, bins, shared)))
        given = (image.content, offset, size, start, *numbers, bin_of_pixel, solid_angle, signal, lost, status)
        grid = (max(1, -(-blocks // (warps * BLOCKS_A_WARP))), frames)
        integrate(grid, (warps * LANES,), given, shared_mem=shared_bytes)
        codes = cupy.asnumpy(status)
        if codes.any():
            frame = int(np.flatnonzero(codes)[0])
            raise InputError(f"frame {frame} cannot be unpacked: {SAID[int(codes[frame])]}")
        return finish(cupy.asnumpy(signal), cupy.asnumpy(lost), problem.norm, problem.q)

    return compute


def _block(cupy: Any, image: FileImage, offset: int) -> int:
    """Return the number of pixels in the blocks of the first frame."""
    header = cupy.asnumpy(image.content[offset + HEADER - 4 : offset + HEADER])
    bytes_ = int.from_bytes(header.tobytes(), "big")
    if not 0 < bytes_ <= MOST_BLOCK or bytes_ % 32:
        raise InputError("frame 0 cannot be unpacked: its header states an impossible block size")
    return bytes_ // 4


def shared_memory(block: int, bins: int) -> tuple[int, int, int]:
    """Return the warps per thread block, whether sums are in shared memory (1 or 0), and the bytes of shared memory."""
    for warps, shared in ((WARPS, 1), (1, 1), (WARPS, 0), (1, 0)):
        bytes_ = warps * block * 4 + shared * bins * 8
        if bytes_ <= SHARED_BYTES:
            return warps, shared, bytes_
    raise MissingRequirement(
        f"blocks of {block * 4} bytes do not fit into shared memory", "use numba, or pack blocks of 8192"
    )
