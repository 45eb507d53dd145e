"""How a problem becomes several times as large: what weak scaling needs, declared by each kernel that can.

A kernel says along which of its parameters it grows, ``grows=along("frames")``. A law returns the parameters of a
problem that is `times` as large: in memory, within a few per cent where a number has to be rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daasbench.contracts import Parameters
from daasbench.errors import UsageError

Growth = Callable[[Parameters, int], Parameters]

SMOOTH = (2, 3, 5)  # the only prime factors of a transform's good lengths


def along(name: str) -> Growth:
    """Return the law of a stack: so many times as many frames, slices or spectra."""
    return lambda parameters, times: {**parameters, name: parameters[name] * times}


def edge(name: str, dimensions: int, *, smooth: bool = False) -> Growth:
    """Return the law of a square or a cube: its edge grows by the root; `smooth`: to a transform's good length."""

    def grow(parameters: Parameters, times: int) -> Parameters:
        least, wanted = parameters[name], parameters[name] ** dimensions * times
        centre = round(wanted ** (1 / dimensions))
        near = range(max(least, centre - centre // 8 - 1), centre + centre // 8 + 2)
        lengths = [one for one in near if not smooth or _is_smooth(one)] or [centre]
        return {**parameters, name: min(lengths, key=lambda one: abs(one**dimensions - wanted))}

    return grow


def doubling(name: str) -> Growth:
    """Return the law of a problem that doubles with every 1 more of a number: spins, qubits."""

    def grow(parameters: Parameters, times: int) -> Parameters:
        if times & (times - 1):
            raise UsageError(f"grows by powers of two, with one more of {name} each; {times} times is none")
        return {**parameters, name: parameters[name] + times.bit_length() - 1}

    return grow


def grown_parameters(kernel: Any, size: str, times: int) -> Parameters:
    """Return the parameters of a size of a kernel, `times` as large.

    Raises
    ------
    UsageError
        If the kernel has no law of growth, or its law knows no such problem.
    """
    parameters: Parameters = kernel.sizes[size]
    if times == 1:
        return parameters
    law: Growth | None = getattr(kernel, "grows", None)
    if law is None:
        raise UsageError(f"kernel {kernel.name} does not say how it grows: {times} times its size is not known")
    return law(parameters, times)


def _is_smooth(length: int) -> bool:
    for prime in SMOOTH:
        while length % prime == 0:
            length //= prime
    return length == 1
