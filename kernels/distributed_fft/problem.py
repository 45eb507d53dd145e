"""The inputs: generated fields with a known spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Parameters, Work

from .atoms import Atoms, random_atoms
from .options import DistributedFftOptions

Complex = NDArray[np.complexfloating[Any, Any]]

DTYPES: dict[str, np.dtype[Any]] = {"c128": np.dtype(np.complex128), "c64": np.dtype(np.complex64)}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Fields of one case.

    Attributes
    ----------
    blocks
        Each complex[size, size, size] along z, y and x; one repeat transforms one block.
    fields
        The terms of each block.
    exchange
        How ranks exchange their parts: see :class:`.DistributedFftOptions`.
    """

    blocks: Sequence[Complex]
    fields: Sequence[Atoms]
    exchange: str = "auto"

    @property
    def size(self) -> int:
        """Return the number of cells along an axis."""
        return int(self.blocks[0].shape[0])


def messages_bytes(size: int, ranks: int, itemsize: int = 16) -> float:
    """Return the bytes that each of `ranks` ranks sends to the others: its slab without its own part."""
    return float(itemsize) * size**3 / ranks * (ranks - 1) / ranks


def work(parameters: Parameters, options: DistributedFftOptions) -> Work:
    """Return the work of one transform: 5 N³ log2 N³ flop; the field read once, the spectrum written once.

    The messages are those of two ranks, each of which sends more than a rank of any larger number of ranks.
    """
    size, dtype = parameters["size"], DTYPES[options.dtype]
    volume_bytes = float(dtype.itemsize) * size**3
    return Work(
        unit="transform",
        units=1.0,
        flop=5.0 * size**3 * 3 * math.log2(size),
        flop_type="float64" if options.dtype == "c128" else "float32",
        bytes=2 * volume_bytes,
        messages_bytes=messages_bytes(size, 2, dtype.itemsize),
        input_bytes=volume_bytes,
        output_bytes=volume_bytes,
    )


def make(parameters: Parameters, options: DistributedFftOptions, seed: int, blocks: int) -> Problem:
    """Return generated fields: atoms in a periodic box, lit by a plane wave."""
    fields = [random_atoms(parameters["size"], np.random.default_rng([seed, block])) for block in range(blocks)]
    return Problem(
        blocks=[field.field(DTYPES[options.dtype]) for field in fields], fields=fields, exchange=options.exchange
    )
