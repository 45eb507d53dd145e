"""Read the spectra of an EPICS ``.mda`` file (saveData of the synApps sscan module), as the APS writes them.

Numbers are XDR: big-endian, strings with their length and padded to four bytes. A scan of rank n has the offsets of
its scans of rank n - 1. Scans of rank 1 are spectra: their points are channels, and their detectors are the elements
of a detector.
Format: saveData documentation of https://github.com/epics-modules/sscan.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError

F32 = NDArray[np.float32]

_LONGEST, _HIGHEST = 4096, 4  # a string; a rank: a file with larger values is not an .mda file
_RANK = 3  # rows, columns, channels


class _Cursor:
    """Reads one XDR item after another."""

    def __init__(self, content: bytes, at: int = 0) -> None:
        self.content, self.at = content, at

    def integers(self, count: int) -> tuple[int, ...]:
        values = struct.unpack_from(f">{count}i", self.content, self.at)
        self.at += 4 * count
        return values

    def skip_text(self) -> None:
        (length,) = self.integers(1)
        if length:
            (length,) = self.integers(1)  # the length again, as in an XDR string
            if not 0 < length < _LONGEST:
                raise struct.error(f"a string of {length} bytes")
            self.at += (length + 3) // 4 * 4

    def skip_texts(self, count: int) -> None:
        for _ in range(count):
            self.skip_text()


def shape(path: Path) -> tuple[int, int, int]:
    """Return the numbers of rows, columns and channels that were requested for the scan.

    Raises
    ------
    InputError
        If the file is not an ``.mda`` file, or has no spectra.
    """
    content = _content(path)
    cursor = _Cursor(content, 4)
    try:
        version = struct.unpack_from(">f", content)[0]
        _, rank = cursor.integers(2)
        if not (1 <= version < 10 and 0 < rank <= _HIGHEST):
            raise struct.error("wrong version or rank")
        dimensions = cursor.integers(rank)
    except struct.error as error:
        raise InputError(
            f"{path}: is not an .mda file ({error}); it must begin with version, number and rank"
        ) from error
    if rank != _RANK:
        raise InputError(
            f"{path}: is a scan of {rank} dimensions {list(dimensions)} without spectra; "
            "a map has three: rows, columns and channels (the spectra of fly scans are in a separate HDF5 file)"
        )
    return dimensions[0], dimensions[1], dimensions[2]


def spectra(path: Path) -> F32:
    """Return f32[rows, columns, detector elements, channels]; rows that were not scanned are omitted.

    Raises
    ------
    InputError
        If the file is not complete.
    """
    shape(path)
    content = _content(path)
    try:
        start = _Cursor(content, 12)
        start.integers(_RANK + 2)  # dimensions, whether it is regular, where the extra PVs are
        rows = [_offsets(content, row) for row in _offsets(content, start.at)]
        counted = [[_counts(content, point) for point in row] for row in rows]
        stack = np.array([row for row in counted if len(row) == len(counted[0])], np.float32)
    except (struct.error, ValueError) as error:
        raise InputError(f"{path}: is truncated or damaged ({error}); copy it again") from error
    if stack.ndim != _RANK + 1 or not stack.size:
        raise InputError(f"{path}: no row of spectra was finished")
    return stack


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    return path.read_bytes()


def _offsets(content: bytes, at: int) -> tuple[int, ...]:
    """Return the offsets of the finished scans of the next lower rank."""
    cursor = _Cursor(content, at)
    rank, points, done = cursor.integers(3)
    if not 1 < rank <= _HIGHEST or not 0 <= done <= points:
        raise struct.error(f"no scan at byte {at}")
    return tuple(offset for offset in cursor.integers(points)[:done] if offset)


def _counts(content: bytes, at: int) -> F32:
    """Return f32[detector elements, channels] of a scan of rank 1."""
    cursor = _Cursor(content, at)
    rank, points, _ = cursor.integers(3)
    if rank != 1:
        raise struct.error(f"no spectrum at byte {at}")
    cursor.skip_texts(2)  # name, time
    positioners, detectors, triggers = cursor.integers(3)
    for texts, count in ((7, positioners), (3, detectors)):
        for _ in range(count):
            cursor.integers(1)
            cursor.skip_texts(texts)
    for _ in range(triggers):
        cursor.integers(1)
        cursor.skip_text()
        cursor.at += 4
    cursor.at += 8 * points * positioners
    return np.frombuffer(content, ">f4", detectors * points, cursor.at).reshape(detectors, points).astype(np.float32)
