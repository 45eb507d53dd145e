"""What each probe computes.

========================  ===================================================================================
``triad``                 b, c f64[elements] -> b + 3 c
``read``                  b f64[elements] -> Σ b, f64[1]
``matmul_float32``, 64    a, b [side, side] -> a b, in the same type
``fft_float32``           signal f32[groups, 1024, 2, 16] -> its transforms over the second axis, same layout
========================  ===================================================================================

The other probes are described in `storage.py`, `messages.py` and `starts.py`; ``copy_to_device`` and
``copy_from_device`` copy u8[storage_bytes].

A group of signals is sixteen complex signals side by side: point, real and imaginary part, signal. Numbers
are whole wherever a sum can be exact: then neither the order of summation nor a fused multiply-add changes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError, Options, Parameters, Work

from . import messages, starts, storage
from .options import Copies, Messages, Probe, ProbesOptions, StartStates, Storage

SCALE = 3.0
POINTS = 1024
SIGNALS = 16


@dataclass(frozen=True, kw_only=True)
class ProbesProblem:
    """The inputs of one probe: mappings of arrays by the names above; a repeat makes `rounds` exchanges of messages."""

    probe: Probe
    blocks: Sequence[dict[str, Any]]
    options: ProbesOptions = field(default_factory=ProbesOptions)
    rounds: int = 1


def survey(path: Path, options: Options) -> Parameters:  # noqa: ARG001  (of any kind)
    """Raise InputError: the probes use only generated numbers."""
    raise InputError(f"{path}: the probes read no files; remove --input")


read = survey


def work(parameters: Parameters, options: ProbesOptions) -> Work:
    """Return the minimum work of one repeat; a unit is 10^9 bytes of traffic or flop, a message, operation or start."""
    probe = options.probe
    if probe in get_args(Messages):
        return messages.work(parameters, options)
    if probe in get_args(StartStates):
        return starts.work(parameters)
    if probe in (*get_args(Storage), *get_args(Copies)):
        return storage.work(parameters)
    return _work_of_numbers(parameters, probe)


def _work_of_numbers(parameters: Parameters, probe: Probe) -> Work:
    flop_type = "float32"
    if probe in ("triad", "read"):
        elements = float(parameters["elements"])
        inputs, output = (16.0, 8.0 * elements) if probe == "triad" else (8.0, 8.0)
        moved = inputs * elements + (output if probe == "triad" else 0.0)
        flop = elements * (2 if probe == "triad" else 1)
        return Work(
            unit="GB",
            units=moved / 1e9,
            flop=flop,
            bytes=moved,
            input_bytes=inputs * elements,
            output_bytes=output,
            flop_type="float64",
        )
    if probe == "fft_float32":
        signals = float(parameters["groups"]) * SIGNALS
        flop, inputs = transform_flop(POINTS) * signals, 8.0 * POINTS * signals
        output = inputs
    else:
        side, item = float(parameters["side"]), 8.0 if probe == "matmul_float64" else 4.0
        flop, inputs, output = 2 * side**3, 2 * side**2 * item, side**2 * item
        flop_type = "float64" if item == 8 else "float32"
    return Work(
        unit="Gflop",
        units=flop / 1e9,
        flop=flop,
        bytes=inputs + output,
        input_bytes=inputs,
        output_bytes=output,
        flop_type=flop_type,  # type: ignore[arg-type]  # one of the two literals
    )


def transform_flop(points: int) -> float:
    """Return the flop of one complex transform by the usual count: 5 n log2 n."""
    return 5.0 * points * math.log2(points)


def make(parameters: Parameters, options: ProbesOptions, seed: int, blocks: int) -> ProbesProblem:
    """Return `blocks` blocks of random inputs."""
    rngs = [np.random.default_rng([seed, block]) for block in range(blocks)]
    rounds = messages.rounds(parameters, options) if options.probe in get_args(Messages) else 1
    made = [_any_block(options, parameters, rng, index) for index, rng in enumerate(rngs)]
    return ProbesProblem(probe=options.probe, blocks=made, options=options, rounds=rounds)


def _any_block(options: ProbesOptions, parameters: Parameters, rng: np.random.Generator, index: int) -> dict[str, Any]:
    if options.probe in get_args(Messages):
        return messages.block(parameters, options, rng)
    if options.probe in get_args(StartStates):
        return starts.block(parameters)
    if options.probe in get_args(Storage):
        return storage.block(parameters, rng, index)
    if options.probe in get_args(Copies):
        return {"index": index, "copied": storage.block(parameters, rng, index)["bytes"]}
    return _block(options.probe, parameters, rng)


def _block(probe: Probe, parameters: Parameters, rng: np.random.Generator) -> dict[str, Any]:
    if probe in ("triad", "read"):
        names = ("b", "c") if probe == "triad" else ("b",)
        return {name: _whole_numbers(rng, 2**20, (parameters["elements"],), np.float64) for name in names}
    if probe == "fft_float32":
        shape = (parameters["groups"], POINTS, 2, SIGNALS)
        return {"signal": rng.standard_normal(shape, dtype=np.float32)}
    # 13 and 31 bits: a product that is rounded to TF32 or float32 in between is detected; sums stay exact
    side = parameters["side"]
    largest, kind = (2**30, np.float64) if probe == "matmul_float64" else (2**12, np.float32)
    return {
        "a": _whole_numbers(rng, largest, (side, side), kind),
        "b": _whole_numbers(rng, 1, (side, side), kind),
    }


def _whole_numbers(rng: np.random.Generator, largest: int, shape: tuple[int, ...], kind: Any) -> NDArray[Any]:
    return rng.integers(-largest, largest, shape, np.int32, endpoint=True).astype(kind)
