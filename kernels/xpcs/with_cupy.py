"""CUDA with CuPy: a thread processes one pixel of the series, with level 0 in registers, the others in local memory.

The threads of a warp read neighbouring pixels of a frame, eight frames ahead at a time. Products of at most 32 rows
are summed in float32, and these sums are added in float64. The result of a thread are the slots of
:func:`~.definition.slots_of`. A matrix product with the rings of the pixels adds them to rings, for some pixels at a
time, which bounds the memory.

`SOURCE` is plain CUDA C++. A test compiles it for sm_90 without a driver, and runs it on the host thread by thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import Resources

from .definition import slots_of, sums_of_slots

if TYPE_CHECKING:
    from .problem import Problem

BLOCK = 128  # threads
NUMBERS = 1 << 25  # float64 on the device at a time, besides the frames

SOURCE = r"""
// LEVELS is given to the compiler.
#define LAGS 8
#define PAST 7
#define ROWS_IN_FLOAT 32  // products summed before they are added to double

extern "C" __global__ void multi_tau(
    const unsigned short *counts,  // [frames, pixels]
    const int frames, const long long pixels, const long long first,
    const int batch,  // number of pixels from `first` on
    double *slots)  // [LEVELS * (8 + 7 + 7) + 1, batch]
{
    const int lane = blockIdx.x * blockDim.x + threadIdx.x;
    if (lane >= batch) return;
    const unsigned short *column = counts + first + lane;
    float window[LAGS] = {0}, sum[LAGS] = {0};
    float ring[LEVELS][LAGS] = {{0}}, head[LEVELS][PAST] = {{0}}, product[LEVELS][LAGS] = {{0}};
    double products[LEVELS][LAGS] = {{0}}, total = 0;
    int row[LEVELS] = {0};

    for (int start = 0; start < frames; start += LAGS) {
        float next[LAGS];
        #pragma unroll
        for (int s = 0; s < LAGS; ++s)
            next[s] = start + s < frames ? (float)column[(long long)(start + s) * pixels] : 0.f;
        #pragma unroll
        for (int s = 0; s < LAGS; ++s) {
            if (start + s >= frames) break;
            window[s] = next[s];
            #pragma unroll
            for (int lag = 0; lag < LAGS; ++lag) sum[lag] += next[s] * window[(s - lag) & 7];
            if (start == 0 && s < PAST) head[0][s] = next[s];
            if (LEVELS == 1) total += next[s];
            if (s % 2 == 0) continue;
            float value = next[s - 1] + next[s];
            for (int level = 1; level < LEVELS; ++level) {
                const int r = row[level]++;
                ring[level][r & 7] = value;
                for (int lag = LAGS / 2; lag < LAGS; ++lag) product[level][lag] += value * ring[level][(r - lag) & 7];
                if (r < PAST) head[level][r] = value;
                if (level == LEVELS - 1) total += value;
                if (r % ROWS_IN_FLOAT == ROWS_IN_FLOAT - 1)
                    for (int lag = LAGS / 2; lag < LAGS; ++lag) {
                        products[level][lag] += product[level][lag];
                        product[level][lag] = 0;
                    }
                if (r % 2 == 0) break;
                value += ring[level][(r - 1) & 7];
            }
        }
        if (start % ROWS_IN_FLOAT == ROWS_IN_FLOAT - LAGS)
            #pragma unroll
            for (int lag = 0; lag < LAGS; ++lag) { products[0][lag] += sum[lag]; sum[lag] = 0; }
    }

    double *slot = slots + lane;
    for (int level = 0; level < LEVELS; ++level)
        #pragma unroll
        for (int lag = 0; lag < LAGS; ++lag, slot += batch)
            *slot = products[level][lag] + (level == 0 ? sum[lag] : product[level][lag]);
    for (int level = 0; level < LEVELS; ++level)
        for (int r = 0; r < PAST; ++r, slot += batch) *slot = head[level][r];
    for (int level = 0; level < LEVELS; ++level)
        for (int back = 1; back <= PAST; ++back, slot += batch) {
            float value = ring[level][(row[level] - back) & 7];
            #pragma unroll
            for (int s = 0; s < LAGS; ++s)  // not window[index]: it would leave the registers
                if (level == 0 && ((frames - back) & 7) == s) value = window[s];
            *slot = value;
        }
    *slot = total;
}
"""
SOURCE_OPTIONS = tuple(
    (f"-DLEVELS={levels}",) for levels in (1, 2, 12)
)  # some of the numbers of levels for which it is compiled


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:  # noqa: ARG001  (one device)
    """Return the function that turns a block of frames on the device into g2 on the device."""
    import cupy

    schedule, rings = problem.schedule, problem.rings
    levels, slots = len(schedule.rows), slots_of(len(schedule.rows))
    kernel = cupy.RawKernel(SOURCE, "multi_tau", options=(f"-DLEVELS={levels}",))
    labels = cupy.asarray(problem.labels.reshape(-1))
    numbers = cupy.arange(1, rings + 1)
    members = np.bincount(problem.labels.reshape(-1), minlength=rings + 1)[1:].astype(np.float64)
    batch = max(BLOCK, NUMBERS // (slots + rings))

    def compute(frames: Any) -> Any:
        pixels = labels.size
        sums = cupy.zeros((slots, rings), np.float64)
        for first in range(0, pixels, batch):
            count = min(batch, pixels - first)
            found = cupy.empty((slots, count), np.float64)
            arguments = (
                frames, np.int32(len(frames)), np.int64(pixels), np.int64(first), np.int32(count), found
            )  # fmt: skip
            kernel((-(-count // BLOCK), 1, 1), (BLOCK, 1, 1), arguments)
            belongs = (labels[first : first + count, None] == numbers).astype(np.float64)
            sums += found @ belongs
        return cupy.asarray(sums_of_slots(cupy.asnumpy(sums), schedule, members).g2(schedule))

    return compute
