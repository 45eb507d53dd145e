"""Sixteen numbers at once: an explicit ``<16 x float>`` for compiled loops, shared by kernels.

If a plain loop over a batch is compiled, LLVM does not keep the sixteen sums in registers. It does so with a type that
*is* sixteen floats::

    total = splat(0.0)
    for k in range(n):
        total = fma(load(weights, 16 * k), load(samples, 16 * k), total)
    store(out, 0, total)

The type has ``+``, ``-`` and ``*``. On a processor with narrower registers LLVM splits each operation. Without a fused
multiply-add it multiplies and then adds. Both are slower and equally correct.
"""

from __future__ import annotations

import itertools
import operator
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.typing.templates import ConcreteTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, register_model

LANES = 16
"""Numbers in one vector."""

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_BYTES_PER_FLOAT = 4

Function = TypeVar("Function", bound=Callable[..., Any])

# numba has no types for these
_njit: Any = numba.njit
_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic
_declare: Callable[..., Any] = cgutils.get_or_insert_function
_lower: Callable[..., Callable[[Callable[..., Any]], Any]] = lower_builtin
_infer: Callable[[Any], Callable[[type], Any]] = infer_global


def compiled(*, parallel: bool = False, inline: bool = False) -> Callable[[Function], Function]:
    """Return a decorator that compiles a function by numba when it is first called, and keeps the machine code.

    Parameters
    ----------
    parallel
        Whether ``numba.prange`` loops in it are shared between threads.
    inline
        Whether it is a small step of another compiled function, without a separate cache.
    """

    def decorate(function: Function) -> Function:
        compile_: Callable[[Function], Function] = _njit(
            parallel=parallel,
            cache=not inline,
            inline="always" if inline else "never",
            nogil=True,
            error_model="numpy",
        )
        return compile_(function)

    return decorate


class Threads:
    """Threads that run a compiled function in parallel, each for its share of the tasks.

    They are Python threads, including the calling thread; compiled code releases the interpreter lock. The threads of
    numba (``parallel=True``) add one to two seconds of compilation per parallel loop. They also spin while they wait
    for each other, which is slow on a busy machine. Passing a share to a thread takes some 20 us.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._steps: list[SimpleQueue[Any]] = [SimpleQueue() for _ in range(count - 1)]
        self._ends: SimpleQueue[BaseException | None] = SimpleQueue()
        self._started = False

    def __call__(self, step: Callable[..., Any], tasks: int, *arguments: Any) -> None:
        """Call ``step(first, end, *arguments)`` in every thread, for its tasks ``range(first, end)``."""
        if not self._started:
            self._start()
        ends = [tasks * thread // self.count for thread in range(self.count + 1)]
        for steps, (first, end) in zip(self._steps, itertools.pairwise(ends[1:]), strict=True):
            steps.put((step, first, end, arguments))
        try:
            step(0, ends[1], *arguments)
        finally:
            errors = [error for _ in self._steps if (error := self._ends.get())]
        if errors:
            raise errors[0]

    def _start(self) -> None:
        for steps in self._steps:
            threading.Thread(target=_serve, args=(steps, self._ends), daemon=True).start()
            weakref.finalize(self, steps.put, None)
        self._started = True


def _serve(steps: SimpleQueue[Any], ends: SimpleQueue[BaseException | None]) -> None:
    """Run the steps that a thread receives, until it receives None."""
    while (given := steps.get()) is not None:
        failure = None
        try:
            step, first, end, arguments = given
            step(first, end, *arguments)
        except BaseException as error:  # raised in the thread that waits
            failure = error
        given = step = arguments = None  # so that its arrays are not kept until the next step
        ends.put(failure)


def aligned_zeros(shape: tuple[int, ...], dtype: Any = np.float32, alignment: int = 64) -> Any:
    """Return a zeroed C-contiguous array whose address is a multiple of `alignment` bytes (a cache line)."""
    wanted = np.dtype(dtype)
    size = int(np.prod(shape)) * wanted.itemsize
    raw = np.zeros(size + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start : start + size].view(wanted).reshape(shape)


class Float32x16(types.Type):
    """The numba type of sixteen float32, one register of AVX-512."""

    def __init__(self) -> None:
        super().__init__(name="float32x16")


float32x16 = Float32x16()


@register_model(Float32x16)
class _Model(models.PrimitiveModel):  # type: ignore[misc]  # numba is untyped
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    first = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(first, [index]), _VECTOR.as_pointer())


def _is_flat_float32(array: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C" and array.dtype == types.float32


@_llvm
def load(_: Any, array: Any, index: Any) -> Any:
    """Return the sixteen numbers of a flat float32 array that begin at `index`; the end is not checked."""
    if not _is_flat_float32(array) or not isinstance(index, types.Integer):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        index_ = context.cast(builder, values[1], signature.args[1], types.intp)
        address = _address(context, builder, signature.args[0], values[0], index_)
        return builder.load(address, align=_BYTES_PER_FLOAT)

    return float32x16(array, index), generate


@_llvm
def store(_: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write sixteen numbers to a flat float32 array from `index` on; the end is not checked."""
    if not _is_flat_float32(array) or not isinstance(index, types.Integer) or vector != float32x16:
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        index_ = context.cast(builder, values[1], signature.args[1], types.intp)
        address = _address(context, builder, signature.args[0], values[0], index_)
        builder.store(values[2], address, align=_BYTES_PER_FLOAT)
        return context.get_dummy_value()

    return types.void(array, index, vector), generate


@_llvm
def splat(_: Any, number: Any) -> Any:
    """Return a vector of sixteen times `number`, as float32."""
    if not isinstance(number, (types.Float, types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        scalar = context.cast(builder, values[0], signature.args[0], types.float32)
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, first, everywhere)

    return float32x16(number), generate


@_llvm
def fma(_: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ``a * b + c``, rounded once if the processor has a fused multiply-add."""
    if not a == b == c == float32x16:
        return None

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        name = f"llvm.fmuladd.v{LANES}f32"
        return builder.call(_declare(builder.module, kind, name), values)

    return float32x16(a, b, c), generate


@_llvm
def smaller(_: Any, a: Any, b: Any) -> Any:
    """Return the smaller of each pair of numbers of two vectors."""
    return _chosen("<", a, b)


@_llvm
def larger(_: Any, a: Any, b: Any) -> Any:
    """Return the larger of each pair of numbers of two vectors."""
    return _chosen(">", a, b)


def _chosen(relation: str, a: Any, b: Any) -> Any:
    if not a == b == float32x16:
        return None

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.select(builder.fcmp_ordered(relation, *values), *values)

    return float32x16(a, b), generate


@_llvm
def total(_: Any, vector: Any) -> Any:
    """Return the sum of the sixteen numbers of a vector, in any order."""
    if vector != float32x16:
        return None

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType(), _VECTOR])
        add = builder.module.declare_intrinsic(f"llvm.vector.reduce.fadd.v{LANES}f32", fnty=kind)
        return builder.call(add, [ir.Constant(ir.FloatType(), 0.0), values[0]], fastmath=("reassoc",))

    return types.float32(vector), generate


def _define(symbol: Any, instruction: str) -> None:
    """Define the operator `symbol` of the type by one LLVM instruction."""
    cases = [float32x16(float32x16, float32x16)]
    _infer(symbol)(type(f"_{instruction}", (ConcreteTemplate,), {"cases": cases}))

    @_lower(symbol, float32x16, float32x16)
    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return getattr(builder, instruction)(*values)


for _symbol, _name in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul")):
    _define(_symbol, _name)
