"""A block of the lattice in memory, and the addresses of the cells beyond its faces.

The length of rows is a multiple of eight cells, so that each begins on a cache line. A block has no margin: the cells
beyond a face are cells of the block itself (one period away), or a buffer that a neighbouring rank sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.compute.simd import aligned_zeros

F64 = NDArray[np.float64]
Int = NDArray[np.int64]

LANES = 8
CELL_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class Box:
    """The shape of a block: cells along z, y and x."""

    cells: tuple[int, int, int]

    @property
    def pitch(self) -> int:
        """Return the number of cells from the start of a row to the start of the next."""
        return -(-self.cells[2] // LANES) * LANES

    @property
    def volume(self) -> int:
        """Return the number of cells in memory, with the padding."""
        return self.cells[0] * self.cells[1] * self.pitch

    def empty(self) -> F64:
        """Return flat memory for a block; it begins on a cache line."""
        made: F64 = aligned_zeros((self.volume,), np.float64)
        return made

    def view(self, flat: F64) -> F64:
        """Return f64[z, y, x] of flat memory, without the padding."""
        return flat.reshape(self.cells[0], self.cells[1], self.pitch)[:, :, : self.cells[2]]

    def laid(self, block: Any) -> F64:
        """Return a copy of f64[z, y, x] as flat memory."""
        flat = self.empty()
        self.view(flat)[...] = block
        return flat

    def around(self, flat: F64) -> Int:
        """Return i64[6, 2]: the position in the block itself, which is periodic, of the cells beyond each face.

        Faces are z-, z+, y-, y+, x-, x+. For each: the address of its first cell, and the step in bytes to its next
        row, which is along y for z faces, along z for y faces, from row to row of the block for x faces.
        """
        z, y, x = self.cells
        pitch, plane = self.pitch, y * self.pitch
        cells = [[(z - 1) * plane, pitch], [0, pitch], [(y - 1) * pitch, plane], [0, plane], [x - 1, pitch], [0, pitch]]
        return CELL_BYTES * np.array(cells) + [flat.ctypes.data, 0]

    @property
    def shape(self) -> Int:
        """Return i64[4]: cells along z, y and x, and the pitch."""
        return np.array([*self.cells, self.pitch])
