"""SciPy: the matrix stored in compressed rows; ARPACK (`eigsh`) as its users call it, and the plain recurrence.

With a Krylov space of one vector less than the number of steps, ARPACK converges without a restart and computes
exactly as many products as the other implementations. The products are counted; another number is an error. With its
default, a space of 20 vectors, ARPACK needs 1.5 to 3 times as many products for the same energy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from daasbench.authoring import Resources

from ..with_numpy import lanczos

if TYPE_CHECKING:
    from ..problem import Problem

F64 = NDArray[np.float64]

_RESIDUAL = 1e-4  # relative; the energy's error is about its square


def prepare_csr(problem: Problem, resources: Resources) -> Callable[[F64], dict[str, F64]]:  # noqa: ARG001  (one thread)
    """Return the plain recurrence with a stored matrix."""
    matrix = ring_matrix(problem.length)
    return lambda state: lanczos(state, problem.length, problem.steps, lambda vector, _: matrix @ vector)


def prepare_eigsh(problem: Problem, resources: Resources) -> Callable[[F64], dict[str, F64]]:  # noqa: ARG001  (one thread)
    """Return ARPACK on a stored matrix; its result is the energy."""
    matrix = ring_matrix(problem.length)

    def compute(state: F64) -> dict[str, F64]:
        energy, products = lowest_energy(matrix, state, problem.steps - 1)
        if products != problem.steps:
            raise RuntimeError(f"eigsh made {products} products instead of {problem.steps}: the work is not comparable")
        return {"energy": energy}

    return compute


def lowest_energy(matrix: Any, state: F64, vectors: int | None = None) -> tuple[F64, int]:
    """Return f64[1], the lowest eigenvalue by ARPACK, and how many products it computed.

    `vectors` is the number of vectors of the Krylov space; None: the default of eigsh.
    """
    products = 0

    def product(vector: F64) -> Any:
        nonlocal products
        products += 1
        return matrix @ vector

    operator = LinearOperator(matrix.shape, matvec=product, dtype=np.float64)
    try:
        energy = eigsh(operator, k=1, which="SA", v0=state, ncv=vectors, tol=_RESIDUAL, return_eigenvectors=False)
    except ArpackNoConvergence as error:
        raise RuntimeError(f"eigsh did not converge in {products} products") from error
    return np.asarray(energy), products


def ring_matrix(length: int) -> Any:
    """Return H as a sparse array [2^length, 2^length] in compressed rows."""
    states = np.arange(2**length)
    ends = [(site, (site + 1) % length) for site in range(length)]
    differ = np.stack([(states >> one ^ states >> other) & 1 for one, other in ends], axis=1).astype(bool)
    swapped = np.stack([states ^ (1 << one | 1 << other) for one, other in ends], axis=1).astype(np.int32)
    present = np.concatenate([differ, np.ones((2**length, 1), bool)], axis=1)
    columns = np.concatenate([swapped, states[:, None].astype(np.int32)], axis=1)[present]
    values = np.full((2**length, length + 1), 0.5)
    values[:, length] = length / 4 - differ.sum(axis=1) / 2
    starts = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    matrix = csr_array((values[present], columns, starts), shape=(2**length, 2**length))
    matrix.sort_indices()
    return matrix
