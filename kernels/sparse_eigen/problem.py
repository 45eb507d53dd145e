"""The start vectors of the Lanczos method: random states of the ring, each with all its symmetric states.

The ring is symmetric under rotation, reflection and the flip of all spins: a transformed state has the same
coefficients. Therefore one run of the reference verifies 4 L blocks, and every repeat tests the symmetry, because a
transformed state is computed with another order of bonds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError, Options, Parameters, UsageError, Work

from .options import SparseEigenOptions

F64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Lanczos runs of one case.

    Attributes
    ----------
    blocks
        Each f64[2^length], a start vector, not normalised; bit i of an index is the spin of site i.
    length
        Sites of the ring, at least 4.
    steps
        Matrix-vector products of one run.
    """

    blocks: Sequence[F64]
    length: int
    steps: int


def survey(path: Path, options: Options) -> Parameters:  # noqa: ARG001  (of any kind)
    """Raise InputError: there are no measurements of a ring."""
    raise InputError(f"{path}: kernel sparse_eigen reads no files; remove --input")


read = survey


def work(parameters: Parameters, options: SparseEigenOptions) -> Work:  # noqa: ARG001  (there are none)
    """Return the minimum work of one run.

    A product adds one number per bond and state, the recurrence takes 8 flop per state; in every step two vectors
    are read from memory and one is written. `messages_bytes` are those of each of two ranks (:func:`layout.layout_of`
    has the exact number for any number of ranks).
    """
    states, length, steps = 2.0 ** parameters["length"], parameters["length"], parameters["steps"]
    return Work(
        unit="matrix-vector product",
        units=float(steps),
        flop=steps * states * (length + 8),
        bytes=24.0 * steps * states,
        messages_bytes=steps * 3 * states,
        input_bytes=8.0 * states,
        output_bytes=8.0 * (2 * steps),
        flop_type="float64",
    )


def make(parameters: Parameters, options: SparseEigenOptions, seed: int, blocks: int) -> Problem:  # noqa: ARG001
    """Return runs that start from random states."""
    length, steps = parameters["length"], parameters["steps"]
    if length < 4:
        raise UsageError(f"length: a ring must have at least 4 sites, not {length}; choose 4 or more")
    made: list[F64] = []
    for block in range(blocks):
        family, symmetry = divmod(block, 4 * length)
        state = (
            np.random.default_rng([seed, family]).standard_normal(2**length)
            if symmetry == 0
            else made[block - symmetry]
        )
        made.append(transformed(state, length, symmetry))
    return Problem(blocks=made, length=length, steps=steps)


def transformed(state: F64, length: int, symmetry: int) -> F64:
    """Return the state seen from site ``symmetry % length``.

    The next `length` symmetries mirror it as well; the second half of them flips all spins.
    """
    flip, mirror, site = symmetry // (2 * length), symmetry // length % 2, symmetry % length
    axes = [*range(site, length), *range(site)]
    spins = state.reshape((2,) * length).transpose(axes[::-1] if mirror else axes)
    return np.ascontiguousarray(spins).reshape(-1)[:: -1 if flip else 1].copy()
