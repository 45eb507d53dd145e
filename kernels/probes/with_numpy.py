"""The plain way: one line a probe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from daasbench.contracts import Resources

from .problem import SCALE, ProbesProblem


def prepare(problem: ProbesProblem, resources: Resources) -> Callable[[Any], Any]:  # noqa: ARG001  (the harness steers BLAS)
    """Return the probe's computation."""
    ways: dict[str, Callable[[Any], Any]] = {
        "triad": lambda block: block["b"] + SCALE * block["c"],
        "read": lambda block: block["b"].sum(keepdims=True),
        "matmul_float32": lambda block: block["a"] @ block["b"],
        "matmul_float64": lambda block: block["a"] @ block["b"],
        "fft_float32": lambda block: _transform(block["signal"]),
    }
    return ways[problem.probe]


def _transform(signal: Any) -> Any:
    spectrum = np.fft.fft(signal[:, :, 0] + 1j * signal[:, :, 1], axis=1)
    return np.stack([spectrum.real, spectrum.imag], axis=2).astype(np.float32)
