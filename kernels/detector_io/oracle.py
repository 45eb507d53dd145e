"""The oracle checks every bit, by the digests of frames: those that were read, or those that hdf5plugin reads back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from daasbench.authoring import InputError, Verdict, worst_of
from daasbench.formats.chunks import Chunks, FileImage, chunks_of

from . import hdf5_library
from .options import DetectorOptions
from .problem import Problem, digests

LARGEST = 1.1  # times the size from hdf5plugin: a writer that hardly compresses would be faster, but not comparable

ANY_SIZE, BLOSC2 = "any_size", "blosc2_array"  # judgements


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What the results must be.

    Attributes
    ----------
    digests
        By block, then by frame.
    verified_by
        The source of the digests: ``truth`` for generated frames, ``oracle`` (h5py with hdf5plugin) for a file.
    packed_bytes
        By block: its size when packed by hdf5plugin; None when reading.
    """

    digests: Sequence[Sequence[str]]
    verified_by: Literal["truth", "oracle"]
    packed_bytes: Sequence[int] | None


def expect(problem: Problem, options: DetectorOptions) -> Expectation:  # noqa: ARG001  (they are in the problem)
    """Return the digests of the frames; the frames of a file are unpacked by hdf5plugin."""
    blocks: Sequence[Any] = problem.blocks
    found = problem.truth or [digests(_frames(block)) for block in blocks]
    packed = None
    if problem.direction == "write":
        packed = [int(chunks_of(hdf5_library.pack(block)).size.sum()) for block in blocks]
    return Expectation(digests=found, verified_by="truth" if problem.truth else "oracle", packed_bytes=packed)


def _frames(block: Any) -> Any:
    return hdf5_library.unpack(block, "the block") if isinstance(block, FileImage) else block


def verify(problem: Problem, expectation: Expectation, block: int, result: Any, judged_as: str) -> Verdict:
    """Return the verdict: the number of frames with a wrong bit, or the ratio of the file sizes."""
    expected = expectation.digests[block]
    try:
        frames = _read_back(result, judged_as) if problem.direction == "write" else result
        found = digests(frames)
    except (InputError, OSError, RuntimeError, ValueError) as error:
        return _wrong(expectation, math.inf, f"the written file cannot be read back: {error}")
    if len(found) != len(expected):
        return _wrong(expectation, math.inf, f"the result has {len(found)} frames, not {len(expected)}")
    wrong = [index for index, (ours, right) in enumerate(zip(found, expected, strict=True)) if ours != right]
    if wrong:
        return _wrong(
            expectation,
            len(wrong),
            f"frame {wrong[0]} is wrong; in all {len(wrong)} of {len(expected)} frames are wrong",
        )
    checks = [
        Verdict(error=0.0, tolerance=0.0, verified_by=expectation.verified_by, message="every bit of every frame")
    ]
    if expectation.packed_bytes is not None and judged_as not in (ANY_SIZE, BLOSC2):
        checks.append(_size(expectation, chunks_of(result), expectation.packed_bytes[block]))
    return worst_of(checks)


def _size(expectation: Expectation, chunks: Chunks, packed_bytes: int) -> Verdict:
    ratio = float(chunks.size.sum()) / packed_bytes
    message = f"every bit of every frame, packed {ratio:.2f} times as large as by hdf5plugin"
    return Verdict(error=ratio, tolerance=LARGEST, verified_by=expectation.verified_by, message=message)


def _read_back(result: Any, judged_as: str) -> Any:
    if judged_as == BLOSC2:
        from .peers.with_blosc2 import unpack

        return unpack(result)
    return hdf5_library.unpack(result, "the file")


def _wrong(expectation: Expectation, error: float, message: str) -> Verdict:
    return Verdict(error=float(error), tolerance=0.0, verified_by=expectation.verified_by, message=message)
