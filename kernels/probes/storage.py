"""The storage probes: incompressible bytes, written to a file without a name and read back.

=====================  ======================================================================================
``storage_write``      u8[storage_bytes] -> a new file, until the system reports that it is on the device
``storage_read``       a file -> u8[storage_bytes], from the page cache: it has been read before
``storage_read_cold``  the same, with its pages dropped from (or read past) this system's page cache
=====================  ======================================================================================

Cold means cold for this system: a hypervisor, a controller or a file server may still have the bytes in a cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Parameters, Work

from .files import Stored

U8 = NDArray[np.uint8]

_CHUNK = 2**24


def work(parameters: Parameters) -> Work:
    """Return the work of one file."""
    size = float(parameters["storage_bytes"])
    return Work(unit="GB", units=size / 1e9, bytes=size, input_bytes=size, output_bytes=size)


def block(parameters: Parameters, rng: np.random.Generator, index: int) -> dict[str, Any]:
    """Return the bytes of one file, and the index of the file."""
    return {"index": index, "bytes": np.frombuffer(rng.bytes(parameters["storage_bytes"]), np.uint8)}


def error(inputs: dict[str, Any], result: U8 | Stored) -> float:
    """Return how many bytes are wrong; a file is read back from the device."""
    got = result.content() if isinstance(result, Stored) else result
    expected: U8 = inputs["bytes"]
    if got.shape != expected.shape:
        return float("nan")
    chunks = (slice(start, start + _CHUNK) for start in range(0, expected.size, _CHUNK))
    return float(sum(np.count_nonzero(got[one] != expected[one]) for one in chunks))
