"""On a CUDA device: its memory, its products and transforms by NVIDIA's libraries, and copies in both directions.

Copies go between the device and pinned host memory: from pageable memory the driver copies twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daasbench.authoring import Resources

from .options import require_implementation
from .problem import ProbesProblem


def prepare(problem: ProbesProblem, resources: Resources) -> Callable[[Any], Any]:  # noqa: ARG001  (one device)
    """Return the probe's computation; the blocks are already on the device."""
    require_implementation(problem.probe, "cupy")
    import cupy
    import cupyx

    if problem.probe in ("copy_to_device", "copy_from_device"):
        return _prepare_copy(problem, cupy, cupyx)
    implementations: dict[str, Callable[[], Callable[[Any], Any]]] = {
        "triad": lambda: _prepare_triad(problem, cupy),
        "read": lambda: lambda block: block["b"].sum(keepdims=True),
        "fft_float32": lambda: lambda block: transform(cupy, block["signal"]),
    }
    product = lambda: lambda block: cupy.matmul(block["a"], block["b"])  # noqa: E731  (like the lines around it)
    return implementations.get(problem.probe, product)()


def _prepare_triad(problem: ProbesProblem, cupy: Any) -> Callable[[Any], Any]:
    kernel = cupy.ElementwiseKernel("float64 b, float64 c", "float64 a", "a = b + 3.0 * c", "triad")
    a = cupy.empty(problem.blocks[0]["b"].shape, cupy.float64)
    return lambda block: kernel(block["b"], block["c"], a)


def transform(xp: Any, signal: Any) -> Any:
    """Return the transforms of f32[groups, points, 2, 16] over the points, same layout, by the library `xp`.

    It includes the rearrangement to complex numbers and back: two more passes over the device's memory.
    """
    numbers = xp.empty((*signal.shape[:2], signal.shape[3]), xp.complex64)
    numbers.real, numbers.imag = signal[:, :, 0], signal[:, :, 1]
    spectrum = xp.fft.fft(numbers, axis=1)
    result = xp.empty(signal.shape, xp.float32)
    result[:, :, 0], result[:, :, 1] = spectrum.real, spectrum.imag
    return result


def _prepare_copy(problem: ProbesProblem, cupy: Any, cupyx: Any) -> Callable[[Any], Any]:
    shape = problem.blocks[0]["copied"].shape
    if problem.probe == "copy_from_device":
        host = cupyx.empty_pinned(shape, "u1")

        def copy_back(block: Any) -> Any:
            block["copied"].get(out=host)
            return host

        return copy_back
    pinned = []
    for block in problem.blocks:
        host = cupyx.empty_pinned(shape, "u1")
        host[...] = block["copied"]
        pinned.append(host)
    device = cupy.empty(shape, "u1")

    def copy(block: Any) -> Any:
        device.set(pinned[block["index"]])
        return device

    return copy
