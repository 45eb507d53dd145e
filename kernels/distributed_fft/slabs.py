"""The work of one rank: transforms within its planes, and along the lines that cross all planes.

A field is divided into slabs of planes [z, y, x]. A rank transforms each of its planes along y and x and sends rows ky
to the rank that owns them. When it has its rows of all planes, [z, its ky, kx], it transforms along z in place. Nothing
is packed or reordered: the rows of a plane are contiguous in the memory of the sender and of the receiver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from .problem import Complex

_ALIGNMENT = 64


class Slabs(Protocol):
    """The transforms of one rank; they are planned when the object is made."""

    def plane(self, source: Complex, target: Complex) -> None:
        """Write the transform of complex[size, size] along both axes to `target`; `source` is not changed."""

    def lines(self, block: Complex) -> None:
        """Transform complex[size, rows, size] along its first axis, in place."""


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> Complex:
    """Return an array that begins on a cache line; the system assigns its memory when it is first written."""
    wanted = np.dtype(dtype)
    size = int(np.prod(shape)) * wanted.itemsize
    raw = np.empty(size + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    made: Complex = raw[start : start + size].view(wanted).reshape(shape)
    return made
