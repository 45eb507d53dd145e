"""The difference of two results, and whether inputs have changed."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from daasbench.compute.backends import arrays_in

SAMPLED_ABOVE_BYTES = 10**9  # larger results are compared at random positions
SAMPLED_POSITIONS = 1_000_000
CHUNK = 1 << 18  # elements compared at once, so that comparing takes little memory
NUMBERS = "biufc"  # kinds of dtype that have a distance
STRIDE = 61  # every 61st word of the inputs is in a checksum that depends on the order

Array = np.ndarray[Any, Any]


def largest_difference(got: Any, expected: Any, *, seed: int = 0) -> float:
    """Return the largest absolute difference of two results, relative to the largest finite magnitude expected.

    Results are nests of arrays of equal shape. A NaN or an infinity is equal only to itself at the same position; any
    other value there, and any difference of structure or shape, is an infinite difference. Above 1 GB, a million
    positions of each array, drawn by `seed`, are compared.
    """
    ours, theirs = arrays_in(got), arrays_in(expected)
    if [array.shape for array in ours] != [array.shape for array in theirs]:
        return float("inf")
    if sum(array.nbytes for array in theirs) > SAMPLED_ABOVE_BYTES:
        rng = np.random.default_rng(seed)
        drawn = [rng.integers(0, max(array.size, 1), min(SAMPLED_POSITIONS, array.size)) for array in theirs]
        ours = [np.asarray(array).flat[at] for array, at in zip(ours, drawn, strict=True)]
        theirs = [np.asarray(array).flat[at] for array, at in zip(theirs, drawn, strict=True)]
    pairs = zip(ours, theirs, strict=True)
    return max((_difference(np.asarray(mine), np.asarray(other)) for mine, other in pairs), default=0.0)


def _difference(ours: Array, theirs: Array) -> float:
    if theirs.dtype.names or ours.dtype.names:
        if ours.dtype.names != theirs.dtype.names:
            return float("inf")
        return max(_difference(ours[name], theirs[name]) for name in theirs.dtype.names or ())
    if np.array_equal(ours, theirs):
        return 0.0
    if ours.dtype.kind not in NUMBERS or theirs.dtype.kind not in NUMBERS:
        return float("inf")
    return _numeric_difference(ours.reshape(-1), theirs.reshape(-1))


def _numeric_difference(ours: Array, theirs: Array) -> float:
    """Return the largest difference of two rows of numbers, relative to the largest of `theirs`."""
    gap = scale = 0.0
    differs = False
    for start in range(0, theirs.size, CHUNK):
        one, other = ours[start : start + CHUNK], theirs[start : start + CHUNK]
        apart = ~((one == other) | ((one != one) & (other != other)))
        one, other = _wide(one), _wide(other)
        scale = max(scale, float(np.max(np.abs(other[np.isfinite(other)]), initial=0.0)))
        if apart.any():
            differs = True
            with np.errstate(all="ignore"):
                furthest = float(np.max(np.abs(one[apart] - other[apart])))
            if not furthest < np.inf:
                return float("inf")
            gap = max(gap, furthest)
    if differs and not gap:  # integers beyond 2**53 that are neighbours
        return float(np.finfo(np.float64).eps)
    return gap / scale if scale else gap


def _wide(numbers: Array) -> Array:
    """Return `numbers` in double precision, in which differences of unsigned numbers do not wrap around."""
    return numbers.astype(np.complex128 if numbers.dtype.kind == "c" else np.float64)


def fingerprint(nest: Any) -> tuple[int, ...]:
    """Return numbers that change when the content of the arrays in `nest` changes; as fast as reading the arrays once.

    They are the sum of all 8-byte words, which changes with any word, and a checksum of every 61st word, which almost
    surely changes when words are sorted or exchanged.
    """
    marks: list[int] = []
    for array in arrays_in(nest):
        if array.dtype.hasobject:
            continue
        content = np.asarray(array).ravel(order="K").view(np.uint8)
        whole = content.size // 8 * 8
        words = content[:whole].view(np.uint64)
        rest = zlib.crc32(content[whole:].tobytes())
        marks += [int(np.add.reduce(words)), zlib.crc32(words[::STRIDE].tobytes()), rest]
    return tuple(marks)
