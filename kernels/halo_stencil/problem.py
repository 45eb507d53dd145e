"""The inputs: generated fields whose later states are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Parameters, Work

from .options import HaloStencilOptions
from .waves import Waves, random_waves

F64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Fields of one case.

    Attributes
    ----------
    blocks
        Each f64[size, size, size] along z, y and x, periodic; one repeat advances one block by `steps` steps.
    fields
        The waves of each block.
    steps
        Number of steps per repeat.
    diffusion
        The share of a cell that flows to each neighbour per step.
    """

    blocks: Sequence[F64]
    fields: Sequence[Waves]
    steps: int
    diffusion: float

    @property
    def size(self) -> int:
        """Return the number of cells along an axis."""
        return int(self.blocks[0].shape[0])

    @property
    def weights(self) -> tuple[float, float]:
        """Return the factor of a cell, and that of the sum of its six neighbours, in a step."""
        return 1 - 6 * self.diffusion, self.diffusion


def messages_bytes(size: int, steps: int, ranks_along: Sequence[int]) -> float:
    """Return the bytes that a rank sends in `steps` steps: two faces along each axis that is divided.

    The rank is that with the largest block; `ranks_along` is the number of ranks along each axis.
    """
    sides = [-(-size // ranks) for ranks in ranks_along]
    faces = (2 * np.prod(sides) / side for side, ranks in zip(sides, ranks_along, strict=True) if ranks > 1)
    return 8.0 * steps * float(sum(faces))


def work(parameters: Parameters, options: HaloStencilOptions) -> Work:  # noqa: ARG001  (of the contract)
    """Return the work of the steps: each reads every cell once from memory and writes it once, 16 bytes.

    The messages are those of two ranks: two faces per rank and step.
    """
    size, steps = parameters["size"], parameters["steps"]
    updates = float(steps * size**3)
    return Work(
        unit="lattice update",
        units=updates,
        flop=8.0 * updates,
        flop_type="float64",
        bytes=16.0 * updates,
        messages_bytes=messages_bytes(size, steps, (2, 1, 1)),
        input_bytes=8.0 * size**3,
        output_bytes=8.0 * size**3,
    )


def make(parameters: Parameters, options: HaloStencilOptions, seed: int, blocks: int) -> Problem:
    """Return generated fields: plane waves around a mean, in a periodic box."""
    fields = [random_waves(parameters["size"], np.random.default_rng([seed, block])) for block in range(blocks)]
    return Problem(
        blocks=[field.field() for field in fields],
        fields=fields,
        steps=parameters["steps"],
        diffusion=options.diffusion,
    )
