"""Loads and stores at memory addresses, for compiled loops that unpack and pack streams of bytes.

Addresses are not checked: the caller must check them. Numbers are little-endian, with any alignment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

STEP = 32
"""Bytes that :func:`copy_step` copies at once."""

_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic  # numba has no types for it
_INTEGER = ir.IntType(64)
_BYTE = ir.IntType(8)
_VECTOR = ir.VectorType(_BYTE, STEP)


def pointer(builder: Any, address: Any, kind: Any) -> Any:
    """Return LLVM's pointer to a `kind` at an address."""
    return builder.inttoptr(address, kind.as_pointer())


def all_integers(*given: Any) -> bool:
    """Return whether the numba types `given` are types of integers."""
    return all(isinstance(one, types.Integer) for one in given)


def _reader(bits: int) -> Callable[..., Any]:
    @_llvm
    def read(_: Any, address: Any) -> Any:
        if not all_integers(address):
            return None
        kind = ir.IntType(bits)

        def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            number = builder.load(pointer(builder, values[0], kind), align=1)
            return number if bits == _INTEGER.width else builder.zext(number, _INTEGER)

        return types.int64(types.int64), generate

    return read


byte_at = _reader(8)
"""Return the byte at an address."""
u16_at = _reader(16)
"""Return the two bytes at an address as a number."""
u32_at = _reader(32)
"""Return the four bytes at an address as a number."""
i64_at = _reader(64)
"""Return the eight bytes at an address as a signed number."""


def _writer(bits: int) -> Callable[..., Any]:
    @_llvm
    def write(_: Any, address: Any, number: Any) -> Any:
        if not all_integers(address, number):
            return None
        kind = ir.IntType(bits)

        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            cut = values[1] if bits == _INTEGER.width else builder.trunc(values[1], kind)
            builder.store(cut, pointer(builder, values[0], kind), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return write


put_byte = _writer(8)
"""Write the lowest byte of a number to an address."""
put_u16 = _writer(16)
"""Write the lowest two bytes of a number to an address."""


@_llvm
def copy_step(_: Any, to: Any, source: Any) -> Any:
    """Copy `STEP` bytes: all are read before any is written."""
    if not all_integers(to, source):
        return None

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        moved = builder.load(pointer(builder, values[1], _VECTOR), align=1)
        builder.store(moved, pointer(builder, values[0], _VECTOR), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@_llvm
def clear_step(_: Any, to: Any) -> Any:
    """Write `STEP` bytes of 0."""
    if not all_integers(to):
        return None

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        builder.store(ir.Constant(_VECTOR, [0] * STEP), pointer(builder, values[0], _VECTOR), align=1)
        return context.get_dummy_value()

    return types.void(types.int64), generate


@_llvm
def differing(_: Any, a: Any, b: Any) -> Any:
    """Return a number whose bit i is set where byte i after `a` and byte i after `b` differ; `STEP` bytes."""
    if not all_integers(a, b):
        return None

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        one, other = (builder.load(pointer(builder, at, _VECTOR), align=1) for at in values)
        bits = builder.bitcast(builder.icmp_unsigned("!=", one, other), ir.IntType(STEP))
        return builder.zext(bits, _INTEGER)

    return types.int64(types.int64, types.int64), generate


@_llvm
def fence(_: Any) -> Any:
    """Make all earlier stores visible to other threads: non-temporal stores wait in separate buffers."""

    def generate(context: Any, builder: Any, _signature: Any, _values: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@_llvm
def trailing_zeros(_: Any, number: Any) -> Any:
    """Return how many of the lowest bits of a number are 0; 64 if all bits are 0."""
    if not all_integers(number):
        return None

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), generate
