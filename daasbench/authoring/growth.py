"""Laws of growth: the parameters of a problem that is several times as large, for weak scaling.

A kernel declares which of its parameters grows: ``grows=along("frames")``. A law of growth returns the parameters of a
problem that needs `times` as much memory. If a number has to be rounded, the memory differs by a few per cent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daasbench.contracts import Parameters
from daasbench.errors import UsageError

Growth = Callable[[Parameters, int], Parameters]

SMOOTH = (2, 3, 5)  # the prime factors of lengths for which a transform is fast


def along(name: str) -> Growth:
    """Return the law of growth of a stack: the number of frames, slices or spectra is multiplied by `times`."""
    return lambda parameters, times: {**parameters, name: parameters[name] * times}


def edge(name: str, dimensions: int, *, smooth: bool = False) -> Growth:
    """Return the law of growth of a square or a cube: its edge grows by the root of `times`.

    With `smooth`, the edge is rounded to a length for which a transform is fast.
    """

    def grow(parameters: Parameters, times: int) -> Parameters:
        least, wanted = parameters[name], parameters[name] ** dimensions * times
        centre = round(wanted ** (1 / dimensions))
        near = range(max(least, centre - centre // 8 - 1), centre + centre // 8 + 2)
        lengths = [length for length in near if not smooth or _is_smooth(length)] or [centre]
        return {**parameters, name: min(lengths, key=lambda length: abs(length**dimensions - wanted))}

    return grow


def doubling(name: str) -> Growth:
    """Return the law of growth of a problem that doubles when a number grows by 1: spins, qubits."""

    def grow(parameters: Parameters, times: int) -> Parameters:
        if times & (times - 1):
            raise UsageError(f"can only grow to 2, 4, 8 ... times its size ({name} + 1 doubles it), not {times} times")
        return {**parameters, name: parameters[name] + times.bit_length() - 1}

    return grow


def grown_parameters(kernel: Any, size: str, times: int) -> Parameters:
    """Return the parameters of a problem that is `times` as large as a size of a kernel.

    Raises
    ------
    UsageError
        If the kernel has no law of growth, or if its law has no problem of that size.
    """
    parameters: Parameters = kernel.sizes[size]
    if times == 1:
        return parameters
    law: Growth | None = getattr(kernel, "grows", None)
    if law is None:
        raise UsageError(
            f"kernel {kernel.name} does not say how its problem grows, so {times} times its size is not defined;"
            ' give the kernel a law of growth: grows=along("frames")'
        )
    return law(parameters, times)


def _is_smooth(length: int) -> bool:
    for prime in SMOOTH:
        while length % prime == 0:
            length //= prime
    return length == 1
