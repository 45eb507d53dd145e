"""Compiled: row by row with all bonds at once, sums in the L1 cache, two passes over memory per step.

A row of sums is 2 H v without factors: (L/2) v + Σ (P - 1) v; it is multiplied by ½ at the end. Bonds between
positions in a row exchange runs of neighbours, the lowest by shuffles (`with_llvm.py`); rows that high bonds couple
are added without a permutation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources
from daasbench.compute.simd import aligned_zeros, compiled

from . import recurrence
from .layout import RankLayout, layout_of
from .with_llvm import GROUP, LANES, exchange_low, exchange_runs, take_even, take_odd

if TYPE_CHECKING:
    from .problem import Problem

F64 = NDArray[np.float64]

Function = TypeVar("Function", bound=Callable[..., Any])

_WORTH_A_THREAD = 2**16  # elements: some 0.2 ms; fewer are computed before another thread has started
_PAD = 8  # elements between the partial sums of two threads: a cache line


def prepare(problem: Problem, resources: Resources) -> Callable[[F64], dict[str, F64]]:
    """Return the function that runs `steps` Lanczos steps from a state."""
    numba.set_num_threads(resources.threads)
    steps = Rows(layout_of(problem.length), resources.threads)
    spare = steps.vector(), steps.vector()
    return lambda state: recurrence.run(state, spare, problem.steps, steps.square, steps.product, steps.subtract)


class Rows:
    """The steps of the recurrence on the rows of a layout, divided among threads.

    `came` f64 is the buffer of elements received from other ranks.
    """

    def __init__(self, layout: RankLayout, threads: int) -> None:
        self.layout = layout
        self.threads = max(1, min(threads, layout.own * layout.width // _WORTH_A_THREAD))
        self.came: F64 = aligned_zeros((sum(layout.received),), np.float64)
        self._sums = np.zeros((self.threads, _PAD))
        self._buffers = aligned_zeros((self.threads, layout.width), np.float64)

    def vector(self) -> Any:
        """Return f64[own rows x width], zeros, on a cache line."""
        return aligned_zeros((self.layout.own * self.layout.width,), np.float64)

    def square(self, vector: F64) -> float:
        """Return vector · vector."""
        if self.threads == 1:
            return float(_dot(vector, vector))
        _square(vector, self._sums, self.threads)
        return float(self._sums[:, 0].sum())

    def product(self, out: F64, vector: F64, before: F64, scale: float, weight: float) -> float:
        """See :data:`.recurrence.Product`."""
        layout = self.layout
        tables = (layout.partners, layout.halves, layout.ends, layout.end_strides)
        given = (out, vector, before, self.came, scale, weight, layout.length, layout.first, *tables)
        if self.threads == 1:
            return float(_rows(*given, self._buffers[0], 0, layout.own))
        _product(*given, self._buffers, self._sums, self.threads)
        return float(self._sums[:, 0].sum())

    def subtract(self, out: F64, vector: F64, weight: float) -> float:
        """See :data:`.recurrence.Subtract`."""
        if self.threads == 1:
            return float(_subtract_part(out, vector, weight))
        _subtract(out, vector, weight, self._sums, self.threads)
        return float(self._sums[:, 0].sum())


def _summing(function: Function) -> Function:
    """Compile a loop whose sums may be computed in any order, so that it is vectorised; NaN remains NaN."""
    fast = {"reassoc", "contract", "nsz"}
    made: Function = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=fast)(function)
    return made


@compiled(parallel=True)
def _square(vector: Any, sums: Any, parts: int) -> None:
    size = vector.size
    for part in numba.prange(parts):
        mine = vector[size * part // parts : size * (part + 1) // parts]
        sums[part, 0] = _dot(mine, mine)


@compiled(parallel=True)
def _subtract(out: Any, vector: Any, weight: float, sums: Any, parts: int) -> None:
    size = out.size
    for part in numba.prange(parts):
        first, last = size * part // parts, size * (part + 1) // parts
        sums[part, 0] = _subtract_part(out[first:last], vector[first:last], weight)


@compiled(parallel=True)
def _product(
    out: Any,
    vector: Any,
    before: Any,
    came: Any,
    scale: float,
    weight: float,
    length: int,
    first: int,
    partners: Any,
    halves: Any,
    ends: Any,
    end_strides: Any,
    buffers: Any,
    sums: Any,
    parts: int,
) -> None:  # fmt: skip  (one line per kind)
    rows = partners.shape[0]
    for part in numba.prange(parts):
        sums[part, 0] = _rows(
            out, vector, before, came, scale, weight,
            length, first, partners, halves, ends, end_strides,
            buffers[part], rows * part // parts, rows * (part + 1) // parts,
        )  # fmt: skip


@compiled()
def _rows(
    out: Any,
    vector: Any,
    before: Any,
    came: Any,
    scale: float,
    weight: float,
    length: int,
    first: int,
    partners: Any,
    halves: Any,
    ends: Any,
    end_strides: Any,
    y: Any,
    begin: int,
    end: int,
) -> float:  # fmt: skip  (one line per kind)
    """Compute the rows from `begin` to `end` with `y` f64[width] for the sums of a row; return vector · out of them."""
    total, width, top = 0.0, y.size, partners.shape[1] + 1
    for row in range(begin, end):
        mine = slice(row * width, (row + 1) * width)
        x = vector[mine]
        changes = 0
        for bond in range(partners.shape[1]):
            changes += partners[row, bond] >= 0
        _scaled(y, x, 0.5 * length - changes)
        for bond in range(partners.shape[1]):
            if partners[row, bond] >= 0:
                _add(y, _piece(vector, came, partners[row, bond], width))
        middle = 0 if (first + row) & 1 else width // 2
        half = slice(middle, middle + width // 2)
        _move(y[half], x[half], _piece(vector, came, halves[row], width // 2))
        stride = end_strides[row]
        to = 1 - ((first + row) >> (top - 1) & 1)  # positions whose first spin differs from the last site's
        if width >= GROUP and stride == 2:
            brought = _piece(vector, came, ends[row] - (1 - to), width)  # the whole row, although half of it is used
            if to == 1:
                take_even(y, x, brought)
            else:
                take_odd(y, x, brought)
        else:
            _move_ends(y, x, _piece(vector, came, ends[row], width // 2 * stride - stride + 1), stride, to)
        _move_places(y, x)
        total += _finished(out[mine], y, x, before[mine], 0.5 * scale, weight)
    return total


@compiled()
def _piece(vector: Any, came: Any, offset: int, size: int) -> Any:
    if offset < vector.size:
        return vector[offset : offset + size]
    return came[offset - vector.size : offset - vector.size + size]


@compiled()
def _scaled(y: Any, x: Any, factor: float) -> None:
    for place in range(x.size):
        y[place] = factor * x[place]


@compiled()
def _add(y: Any, x: Any) -> None:
    for place in range(y.size):
        y[place] += x[place]


@compiled()
def _move(y: Any, x: Any, other: Any) -> None:
    for place in range(y.size):
        y[place] += other[place] - x[place]


@compiled()
def _move_ends(y: Any, x: Any, source: Any, stride: int, to: int) -> None:
    """Exchange the last site and the first: positions of parity `to` get the elements of the partner row."""
    if stride == 2:
        for pair in range(y.size // 2):
            y[2 * pair + to] += source[2 * pair] - x[2 * pair + to]
    else:
        for pair in range(y.size // 2):
            y[2 * pair + to] += source[pair] - x[2 * pair + to]


@compiled()
def _move_places(y: Any, x: Any) -> None:
    """Exchange the spins of every bond inside a row: |01> and |10> are exchanged."""
    run = 1
    if y.size >= GROUP:
        exchange_low(y, x)
        run = LANES
    while 4 * run <= y.size:
        for group in range(0, y.size, 4 * run):
            if run >= LANES:
                exchange_runs(y, x, group + run, run)
            else:
                for place in range(group + run, group + 2 * run):
                    difference = x[place + run] - x[place]
                    y[place] += difference
                    y[place + run] -= difference
        run *= 2


@_summing
def _finished(out: Any, y: Any, x: Any, before: Any, scale: float, weight: float) -> float:
    total = 0.0
    for place in range(out.size):
        value = scale * y[place] - weight * before[place]
        out[place] = value
        total += value * x[place]
    return total


@_summing
def _dot(x: Any, y: Any) -> float:
    total = 0.0
    for place in range(x.size):
        total += x[place] * y[place]
    return total


@_summing
def _subtract_part(out: Any, vector: Any, weight: float) -> float:
    total = 0.0
    for place in range(out.size):
        value = out[place] - weight * vector[place]
        out[place] = value
        total += value * value
    return total
