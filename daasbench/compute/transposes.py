"""The transpose of 16 x 16 numbers in registers.

Plain loops over the sixteen lanes compile to one move per element; this code is 64 shuffles of registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from daasbench.compute.simd import LANES

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)
_ALIGN = 4  # bytes: arrays need no larger alignment

_llvm: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic  # numba's own types do not describe its result


@_llvm
def transpose(_: Any, source: Any, first: Any, step: Any, target: Any, start: Any, stride: Any) -> Any:
    """Write sixteen vectors of sixteen numbers as columns; the ends of the arrays are not checked.

    The vectors of the source are at ``first + i * step``. Vector i of the target, at ``start + i * stride``, has number
    i of every vector of the source, in their order. Both arrays are flat, of float32. They may be the same array: all
    numbers are read before any is written.
    """
    flat = types.Array(types.float32, 1, "C")
    if source != flat or target != flat:
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def addresses(array: int) -> list[Any]:
            data = context.make_array(signature.args[array])(context, builder, values[array]).data
            begin, apart = (
                context.cast(builder, values[k], signature.args[k], types.intp) for k in (array + 1, array + 2)
            )
            places = [builder.add(begin, builder.mul(apart, ir.Constant(apart.type, i))) for i in range(LANES)]
            return [builder.bitcast(builder.gep(data, [place]), _VECTOR.as_pointer()) for place in places]

        vectors = [builder.load(address, align=_ALIGN) for address in addresses(0)]
        for distance in (8, 4, 2, 1):  # exchanges one bit of the vector's number with that of the lane
            _exchange(builder, vectors, distance)
        for vector, address in zip(vectors, addresses(3), strict=True):
            builder.store(vector, address, align=_ALIGN)
        return context.get_dummy_value()

    return types.void(source, first, step, target, start, stride), generate


def _exchange(builder: Any, vectors: list[Any], distance: int) -> None:
    """Exchange the two off-diagonal blocks in each square of ``2 distance`` vectors and lanes."""
    lanes = range(LANES)
    upper = [c if not c & distance else LANES + c - distance for c in lanes]
    lower = [c + distance if not c & distance else LANES + c for c in lanes]
    for i in lanes:
        if not i & distance:
            a, b = vectors[i], vectors[i + distance]
            vectors[i] = builder.shuffle_vector(a, b, ir.Constant(_INTEGERS, upper))
            vectors[i + distance] = builder.shuffle_vector(a, b, ir.Constant(_INTEGERS, lower))
