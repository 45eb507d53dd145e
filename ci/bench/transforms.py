"""Compare the transforms of sixteen signals at once with those of numpy and scipy, on one core.

    python ci/bench/transforms.py [LENGTH ...]

For each length it prints the time per transform of one signal, and how many times as long numpy and scipy take for the
same signals (complex64, contiguous, sixteen per call, one worker). Each time is the shortest of many repeats; the
libraries run alternately.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.fft

from daasbench.compute.simd import LANES, aligned_zeros, compiled
from daasbench.compute.transforms import Plan, forward, forward_sorted, inverse, make_plan

LENGTHS = tuple(2**bits for bits in range(2, 14))
REPEATS = 50
REPEAT_S = 1e-3
FLOP_PER_S = 2e10  # roughly, of numpy; it only determines how often a call is repeated


@compiled(inline=True)
def forwards(calls: int, signals: Any, plan: Plan) -> None:
    """Transform again and again."""
    for _ in range(calls):
        forward(signals, np.int64(0), plan)


@compiled(inline=True)
def inverses(calls: int, signals: Any, plan: Plan) -> None:
    """Transform back again and again."""
    for _ in range(calls):
        inverse(signals, np.int64(0), plan)


@compiled(inline=True)
def sorted_forwards(calls: int, signals: Any, spectra: Any, work: Any, plan: Plan) -> None:
    """Transform to natural order again and again."""
    for _ in range(calls):
        forward_sorted(signals, spectra, work, plan)


def implementations(length: int) -> Mapping[str, Callable[[int], Any]]:
    """Return functions that transform sixteen signals repeatedly; the signals are zero, so that no number overflows."""
    plan, size = make_plan(length), 2 * LANES * length
    signals, spectra, work = (aligned_zeros((size,)) for _ in range(3))
    waves = np.zeros((LANES, length), np.complex64)

    def again(transform: Callable[[Any], Any]) -> Callable[[int], None]:
        def run(calls: int) -> None:
            for _ in range(calls):
                transform(waves)

        return run

    return {
        "forward": lambda calls: forwards(calls, signals, plan),
        "inverse": lambda calls: inverses(calls, signals, plan),
        "sorted": lambda calls: sorted_forwards(calls, signals, spectra, work, plan),
        "numpy": again(np.fft.fft),
        "scipy": again(scipy.fft.fft),
    }


def shortest_s(length: int) -> dict[str, float]:
    """Return the seconds of one call of each implementation."""
    functions = implementations(length)
    calls = max(1, int(REPEAT_S * FLOP_PER_S / (LANES * 5 * length * math.log2(length))))
    found = dict.fromkeys(functions, math.inf)
    for function in functions.values():
        function(1)
    for _ in range(REPEATS):
        for name, function in functions.items():
            began = time.perf_counter()
            function(calls)
            found[name] = min(found[name], (time.perf_counter() - began) / calls)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lengths", type=int, nargs="*", default=LENGTHS)
    print("| length | forward, us | inverse, us | sorted, us | Gflop/s | numpy / sorted | scipy / sorted |")
    print("|---|---|---|---|---|---|---|")
    for length in parser.parse_args().lengths:
        found = shortest_s(length)
        each = {name: 1e6 * seconds / LANES for name, seconds in found.items()}
        flop = 5 * length * math.log2(length)
        print(
            f"| {length} | {each['forward']:.4f} | {each['inverse']:.4f} | {each['sorted']:.4f} "
            f"| {flop / each['forward'] / 1e3:.0f} "
            f"| {found['numpy'] / found['sorted']:.1f} | {found['scipy'] / found['sorted']:.1f} |"
        )


if __name__ == "__main__":
    main()
