"""The plain implementation: one line per arithmetic probe; files through the page cache, as most programs use them.

A cold read first drops the pages; this is included in its time: some hundredths of a second per gigabyte.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from daasbench.authoring import Resources

from .files import Stored, drop, read_all, require_cold, storage_folder, stored
from .options import require_implementation
from .problem import SCALE, ProbesProblem


def prepare(problem: ProbesProblem, resources: Resources) -> Callable[[Any], Any]:  # noqa: ARG001  (the harness sets the threads of BLAS)
    """Return the probe's computation."""
    require_implementation(problem.probe, "numpy")
    if problem.probe == "storage_write":
        return _prepare_write(problem)
    if problem.probe in ("storage_read", "storage_read_cold"):
        return _prepare_read(problem)
    implementations: dict[str, Callable[[Any], Any]] = {
        "triad": lambda block: block["b"] + SCALE * block["c"],
        "read": lambda block: block["b"].sum(keepdims=True),
        "matmul_float32": lambda block: block["a"] @ block["b"],
        "matmul_float64": lambda block: block["a"] @ block["b"],
        "fft_float32": lambda block: _transform(block["signal"]),
    }
    return implementations[problem.probe]


def _transform(signal: Any) -> Any:
    spectrum = np.fft.fft(signal[:, :, 0] + 1j * signal[:, :, 1], axis=1)
    return np.stack([spectrum.real, spectrum.imag], axis=2).astype(np.float32)


def _prepare_write(problem: ProbesProblem) -> Callable[[Any], Stored]:
    folder = storage_folder(problem.options.folder, problem.blocks[0]["bytes"].size)

    def compute(block: Any) -> Stored:
        return stored(folder, block["bytes"])

    return compute


def _prepare_read(problem: ProbesProblem) -> Callable[[Any], Any]:
    cold, size = problem.probe == "storage_read_cold", problem.blocks[0]["bytes"].size
    folder = storage_folder(problem.options.folder, size * len(problem.blocks))
    files = [stored(folder, block["bytes"]) for block in problem.blocks]
    if cold:
        require_cold(files[0].file, size, folder)
    memory = np.empty(size, np.uint8)

    def compute(block: Any) -> Any:
        file = files[block["index"]].file
        if cold:
            drop(file)
        read_all(file, memory)
        return memory

    return compute
