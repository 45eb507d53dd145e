"""MRC files (MRC2014): stacks of images with a header of 1024 bytes; read as a memory map, and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError

_HEADER_BYTES = 1024
_IMOD_STAMP, _IMOD_SIGNED = 1146047817, 1
_TYPES = {1: "i2", 2: "f4", 6: "u2", 12: "f2"}  # mode 0 is signed or unsigned
_MODES = {"u1": 0, "i2": 1, "f4": 2, "u2": 6}
_UNREADABLE = {3: "complex integers", 4: "complex numbers", 101: "4-bit integers"}


def open_mrc(path: Path) -> NDArray[Any]:
    """Return [sections, rows, columns] of a file as a memory map of type u1, i1, i2, u2, f2 or f4.

    Raises
    ------
    InputError
        If it is not an MRC file, its mode is not for counts, or it is shorter than its header states.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or header[208:211] != b"MAP":
        raise InputError(f"{path}: is not an MRC file; an MRC file has a header of 1024 bytes with MAP at byte 208")
    order: Literal[">", "<"] = ">" if header[212] == 0x11 else "<"
    columns, rows, sections, mode = np.frombuffer(header, f"{order}i4", 4).tolist()
    extended = int(np.frombuffer(header, f"{order}i4", 1, 92)[0])
    if min(columns, rows, sections) < 1 or extended < 0:
        raise InputError(f"{path}: its header states {sections} sections of {rows} x {columns} pixels: it is damaged")
    if mode != 0 and mode not in _TYPES:
        raise InputError(
            f"{path}: has mode {mode} ({_UNREADABLE.get(mode, 'unknown')}); movies have mode 0, 1, 2, 6 or 12: "
            "convert it, for example with newstack"
        )
    kind = np.dtype(_TYPES.get(mode) or _bytes_of_mode_0(header, order)).newbyteorder(order)
    needed = _HEADER_BYTES + extended + sections * rows * columns * kind.itemsize
    if size < needed:
        raise InputError(
            f"{path}: is {size} bytes long; {sections} sections of {rows} x {columns} in mode {mode} need {needed}: "
            "it is truncated"
        )
    return np.memmap(path, kind, "r", _HEADER_BYTES + extended, (sections, rows, columns))


def write_mrc(path: Path, images: NDArray[Any]) -> None:
    """Write [sections, rows, columns] of u1, i2, u2 or f4."""
    sections, rows, columns = images.shape
    header = np.zeros(256, "<i4")
    header[:4] = columns, rows, sections, _MODES[images.dtype.str[1:]]
    header[7:10] = header[:3]
    header[10:16].view("<f4")[:] = columns, rows, sections, 90, 90, 90
    header[16:19] = 1, 2, 3
    header[52:54] = int.from_bytes(b"MAP ", "little"), 0x4444
    with open(path, "wb") as file:
        file.write(header.tobytes())
        np.ascontiguousarray(images).tofile(file)


def _bytes_of_mode_0(header: bytes, order: str) -> str:
    """Return the type of mode 0: signed by the standard, unsigned if the file has the stamp and the flag of IMOD."""
    stamp, flags = np.frombuffer(header, f"{order}i4", 2, 152).tolist()
    return "u1" if stamp == _IMOD_STAMP and not flags & _IMOD_SIGNED else "i1"
