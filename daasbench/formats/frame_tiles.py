"""Histograms of sixteen frames at once: pixels are transposed so that the frame is the innermost index.

In a histogram of one frame, the additions of successive pixels to the same bin depend on each other. If many frames
have the same map of pixels to bins, one addition of a 512-bit register serves sixteen frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from daasbench.compute.addresses import all_integers, pointer

FRAMES = 16
"""Frames in a tile; its pixels are those of :data:`daasbench.formats.bit_planes.GROUP`, 64."""

_PIXELS = 64
_I64 = ir.IntType(64)
_I32 = ir.IntType(32)
_SUMS = ir.VectorType(_I32, FRAMES)
_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic  # numba has no types for them


def _turner(size: int) -> Callable[..., Any]:
    """Return the function that transposes a tile [16 frames, 64 pixels] of values of `size` bytes to [64, 16]."""
    kind = ir.VectorType(ir.IntType(8 * size), _PIXELS)
    halves = [
        ir.Constant(ir.VectorType(_I32, _PIXELS), [start + lane // 2 + lane % 2 * _PIXELS for lane in range(_PIXELS)])
        for start in (0, _PIXELS // 2)
    ]

    @_llvm
    def turn(_: Any, source: Any, target: Any) -> Any:
        if not all_integers(source, target):
            return None

        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            def at(base: Any, number: int) -> Any:
                where = builder.add(base, ir.Constant(_I64, number * _PIXELS * size))
                return pointer(builder, where, kind)

            rows = [builder.load(at(values[0], row), align=1) for row in range(FRAMES)]
            for _ in range(
                FRAMES.bit_length() - 1
            ):  # each step moves one bit of the frame's number after those of the pixel's
                pairs = zip(rows[: FRAMES // 2], rows[FRAMES // 2 :], strict=True)
                rows = [builder.shuffle_vector(one, other, half) for one, other in pairs for half in halves]
            for row, vector in enumerate(rows):
                builder.store(vector, at(values[1], row), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return turn


turn1, turn2 = _turner(1), _turner(2)


def _adder(size: int) -> Callable[..., Any]:
    """Return the function that adds sixteen values of `size` bytes to sixteen sums of 32 bits."""
    kind = ir.VectorType(ir.IntType(8 * size), FRAMES)

    @_llvm
    def add(_: Any, sums: Any, row: Any) -> Any:
        if not all_integers(sums, row):
            return None

        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            more = builder.zext(builder.load(pointer(builder, values[1], kind), align=1), _SUMS)
            place = pointer(builder, values[0], _SUMS)
            builder.store(builder.add(builder.load(place, align=1), more), place, align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return add


add1, add2 = _adder(1), _adder(2)
