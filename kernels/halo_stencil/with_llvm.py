"""One row of the stencil in LLVM instructions: eight cells at a time, with non-temporal stores.

A compiled loop cannot request non-temporal stores, which bypass the cache and save a third of the memory traffic: an
ordinary store first reads the cache line that it overwrites.
"""

# ruff: noqa: ARG001  (numba gives every intrinsic and every generator the same arguments)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 8
"""Number of float64 cells in a cache line and in a vector."""

_INDEX = ir.IntType(64)
_LANE = ir.IntType(32)
_LINE = ir.VectorType(ir.DoubleType(), LANES)

_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic


def _lanes(*numbers: int) -> Any:
    return ir.Constant(ir.VectorType(_LANE, len(numbers)), list(numbers))


def _splat(builder: Any, number: Any) -> Any:
    first = builder.insert_element(ir.Constant(_LINE, ir.Undefined), number, ir.Constant(_LANE, 0))
    return builder.shuffle_vector(first, first, _lanes(*[0] * LANES))


def _number(builder: Any, address: Any) -> Any:
    return builder.load(builder.inttoptr(address, ir.DoubleType().as_pointer()), align=8)


class _Row:
    """The instructions of one row: sources, weights, and the step of eight cells."""

    def __init__(self, builder: Any, values: Any, past_the_cache: bool) -> None:
        self.builder, self.past_the_cache = builder, past_the_cache
        self.rows = [builder.inttoptr(address, ir.DoubleType().as_pointer()) for address in values[:6]]
        self.count, left, right = values[6:9]
        self.left, self.right = (_number(builder, address) for address in (left, right))
        self.own, self.neighbour = (_splat(builder, weight) for weight in values[9:11])

    def load(self, row: int, at: Any, shift: int = 0) -> Any:
        index = self.builder.add(at, ir.Constant(_INDEX, shift))
        place = self.builder.bitcast(self.builder.gep(self.rows[row], [index]), _LINE.as_pointer())
        return self.builder.load(place, align=8)

    def update(self, at: Any, left: Any, cells: Any, right: Any) -> None:
        """Store the next state of `cells`; sums are in the order of the reference, so that rounding is equal."""
        builder = self.builder
        around = builder.fadd(left, right)
        for row in range(2, 6):
            around = builder.fadd(around, self.load(row, at))
        total = builder.fadd(builder.fmul(around, self.neighbour), builder.fmul(self.own, cells))
        place = builder.bitcast(builder.gep(self.rows[0], [at]), _LINE.as_pointer())
        stored = builder.store(total, place, align=64)
        if self.past_the_cache:
            stored.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(_LANE, 1)]))

    def after_left(self, cells: Any) -> Any:
        """Return the left neighbours of the first eight cells."""
        return self.builder.shuffle_vector(_splat(self.builder, self.left), cells, _lanes(0, *range(8, 15)))

    def before_right(self, cells: Any, last: Any) -> Any:
        """Return the right neighbours of the last eight cells, of which cell `last` is the last of the row."""
        moved = self.builder.shuffle_vector(cells, cells, _lanes(*range(1, 8), 0))
        return self.builder.insert_element(moved, self.right, self.builder.trunc(last, _LANE))


def _generate_row(builder: Any, values: Any, past_the_cache: bool) -> None:
    made = _Row(builder, values, past_the_cache)
    zero, eight = ir.Constant(_INDEX, 0), ir.Constant(_INDEX, LANES)
    last = builder.sub(made.count, ir.Constant(_INDEX, 1))
    end = builder.and_(last, ir.Constant(_INDEX, -LANES))  # where the last eight cells begin
    lane = builder.and_(last, ir.Constant(_INDEX, LANES - 1))
    with builder.if_else(builder.icmp_signed("==", end, zero)) as (short, long_):
        with short:
            cells = made.load(1, zero)
            made.update(zero, made.after_left(cells), cells, made.before_right(cells, lane))
        with long_:
            cells = made.load(1, zero)
            made.update(zero, made.after_left(cells), cells, made.load(1, zero, 1))
            with cgutils.for_range_slice(builder, eight, end, eight) as (at, _):
                made.update(at, made.load(1, at, -1), made.load(1, at), made.load(1, at, 1))
            cells = made.load(1, end)
            made.update(end, made.load(1, end, -1), cells, made.before_right(cells, lane))


@_llvm
def update_row(
    typing: Any,
    to: Any,
    row: Any,
    back: Any,
    front: Any,
    below: Any,
    above: Any,
    count: Any,
    left: Any,
    right: Any,
    own: Any,
    neighbour: Any,
) -> Any:
    """Write ``own * cell + neighbour * (sum of its six neighbours)`` for `count` cells of a row.

    All arguments are addresses of float64 in memory (numba would count references to arrays for each row, in all
    threads): of the results, a multiple of 64; of the row itself; of the rows at y - 1, y + 1, z - 1, z + 1; of the
    cells before and after the row. Rows are read and written up to the next multiple of `LANES` cells, unchecked.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        _generate_row(builder, values, past_the_cache=True)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 9, *[types.float64] * 2), generate


@_llvm
def update_row_kept(
    typing: Any,
    to: Any,
    row: Any,
    back: Any,
    front: Any,
    below: Any,
    above: Any,
    count: Any,
    left: Any,
    right: Any,
    own: Any,
    neighbour: Any,
) -> Any:
    """Do the same as :func:`update_row`, with ordinary stores, which keep the row in the cache."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        _generate_row(builder, values, past_the_cache=False)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 9, *[types.float64] * 2), generate


@_llvm
def number(typing: Any, address: Any) -> Any:
    """Return the float64 at an address."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _number(builder, values[0])

    return types.float64(types.intp), generate
