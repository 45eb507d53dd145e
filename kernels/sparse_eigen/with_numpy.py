"""The reference: one bond after the other, each an exchange of two bits of the index."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

from .definition import coefficients

if TYPE_CHECKING:
    from .problem import Problem

F64 = NDArray[np.float64]


def prepare(problem: Problem, resources: Resources) -> Callable[[F64], dict[str, F64]]:  # noqa: ARG001  (one thread)
    """Return the function that runs `steps` Lanczos steps from a state."""
    return lambda state: lanczos(state, problem.length, problem.steps)


def lanczos(state: F64, length: int, steps: int, product: Callable[[F64, int], F64] | None = None) -> dict[str, F64]:
    """Return `alpha`, `beta` and `energy` (see :func:`.definition.coefficients`) of a run from `state` f64[2^length].

    `product` replaces the product with the ring's H.
    """
    product = product or ring_product
    vector, before = state / np.linalg.norm(state), np.zeros_like(state)
    alpha: list[float] = []
    beta: list[float] = []
    for step in range(steps):
        following = product(vector, length)
        if step:
            following -= beta[-1] * before
        alpha.append(float(vector @ following))
        following -= alpha[-1] * vector
        if step < steps - 1:
            beta.append(float(np.linalg.norm(following)))
            before, vector = vector, following / beta[-1]
    return coefficients(alpha, beta)


def ring_product(vector: F64, length: int) -> F64:
    """Return H v = L/4 v + ½ Σ (P - 1) v, where P exchanges the spins at both ends of a bond.

    P changes a state only if the two spins differ: it exchanges |01> and |10>.
    """
    product = length / 4 * vector
    for site in range(length - 1):
        shape = (-1, 2, 2, 2**site)  # higher sites, site + 1, site, lower sites
        states, sums = vector.reshape(shape), product.reshape(shape)
        halves = (states[:, 1, 0] - states[:, 0, 1]) / 2
        sums[:, 0, 1] += halves
        sums[:, 1, 0] -= halves
    states, sums = vector.reshape(2, -1, 2), product.reshape(2, -1, 2)  # the last site and the first
    halves = (states[1, :, 0] - states[0, :, 1]) / 2
    sums[0, :, 1] += halves
    sums[1, :, 0] -= halves
    return product
