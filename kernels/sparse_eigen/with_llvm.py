"""The bonds inside a row in LLVM instructions: exchanges of neighbours are shuffles of a register.

A compiler's plain loops over runs of two or four elements remain scalar and take ten times as long as all other
bonds together.
"""

# ruff: noqa: ARG001  (numba gives every intrinsic and every generator the same arguments)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 8
"""Elements of float64 in a vector."""

GROUP = 2 * LANES
"""Elements that `exchange_low` processes at once."""

_INDEX = ir.IntType(64)
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_BYTES = 8

_BOND_01, _BOND_12 = (
    (0, 2, 1, 3, 4, 6, 5, 7),
    (0, 1, 4, 5, 2, 3, 6, 7),
)  # positions after an exchange of two of their bits
_FIRST_23, _SECOND_23 = (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)  # of two vectors side by side
_TO_EVEN, _TO_ODD = (9, 1, 11, 3, 13, 5, 15, 7), (0, 8, 2, 10, 4, 12, 6, 14)


class _Maker:
    """Writes the instructions of one intrinsic on flat arrays of float64."""

    def __init__(self, context: Any, builder: Any, signature: Any, values: Any) -> None:
        self.context, self.builder, self.signature, self.values = context, builder, signature, values

    def first(self, which: int) -> Any:
        kind = self.signature.args[which]
        return self.context.make_array(kind)(self.context, self.builder, self.values[which]).data

    def at(self, first: Any, index: Any, ahead: int = 0) -> Any:
        place = self.builder.add(index, ir.Constant(_INDEX, ahead))
        return self.builder.bitcast(self.builder.gep(first, [place]), _VECTOR.as_pointer())

    def load(self, address: Any) -> Any:
        return self.builder.load(address, align=_BYTES)

    def add_to(self, address: Any, vector: Any) -> None:
        self.builder.store(self.builder.fadd(self.load(address), vector), address, align=_BYTES)

    def shuffled(self, one: Any, other: Any, lanes: Sequence[int]) -> Any:
        return self.builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), LANES), list(lanes)))


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def exchange_low(typing: Any, y: Any, x: Any) -> Any:
    """Add (P - 1) x of the three lowest bonds to `y`; both flat, f64, of a multiple of `GROUP` elements."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        make = _Maker(context, builder, signature, values)
        to, source = make.first(0), make.first(1)
        size = context.make_array(signature.args[1])(context, builder, values[1]).nitems
        step = ir.Constant(_INDEX, GROUP)
        with cgutils.for_range_slice(builder, ir.Constant(_INDEX, 0), size, step) as (index, _):
            pair = [make.load(make.at(source, index, ahead)) for ahead in (0, LANES)]
            for half, (ahead, across) in enumerate(((0, _FIRST_23), (LANES, _SECOND_23))):
                here = pair[half]
                came = make.shuffled(pair[0], pair[1], across)
                for lanes in (_BOND_01, _BOND_12):
                    came = builder.fadd(came, make.shuffled(here, here, lanes))
                three = ir.Constant(_VECTOR, [3.0] * LANES)
                make.add_to(make.at(to, index, ahead), builder.fsub(came, builder.fmul(three, here)))
        return context.get_dummy_value()

    return types.void(y, x), generate


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def exchange_runs(typing: Any, y: Any, x: Any, place: Any, run: Any) -> Any:
    """Add (P - 1) x to `y` from `place` on: `run` elements and the following `run` elements are exchanged.

    `run` is a multiple of `LANES`.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        make = _Maker(context, builder, signature, values)
        to, source = make.first(0), make.first(1)
        place, run = values[2], values[3]
        end = builder.add(place, run)
        with cgutils.for_range_slice(builder, place, end, ir.Constant(_INDEX, LANES)) as (index, _):
            ahead = builder.add(index, run)
            difference = builder.fsub(make.load(make.at(source, ahead)), make.load(make.at(source, index)))
            make.add_to(make.at(to, index), difference)
            back = make.at(to, ahead)
            builder.store(builder.fsub(make.load(back), difference), back, align=_BYTES)
        return context.get_dummy_value()

    return types.void(y, x, types.intp, types.intp), generate


def _exchange_ends(lanes: Sequence[int]) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
    def exchange(typing: Any, y: Any, x: Any, row: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            make = _Maker(context, builder, signature, values)
            to, source, brought = (make.first(which) for which in range(3))
            size = context.make_array(signature.args[1])(context, builder, values[1]).nitems
            step = ir.Constant(_INDEX, LANES)
            with cgutils.for_range_slice(builder, ir.Constant(_INDEX, 0), size, step) as (index, _):
                here, there = make.load(make.at(source, index)), make.load(make.at(brought, index))
                came = make.shuffled(here, there, lanes)
                make.add_to(make.at(to, index), builder.fsub(came, here))
            return context.get_dummy_value()

        return types.void(y, x, row), generate

    return exchange


take_even = _exchange_ends(_TO_ODD)
"""(y, x, row): add to odd elements of `y` the even elements of `row` minus the odd ones of `x`; `LANES` elements."""

take_odd = _exchange_ends(_TO_EVEN)
"""The same for even elements of `y` and `x`, and odd elements of `row`."""
