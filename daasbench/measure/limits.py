"""The limits of this machine, by the `probes` kernel."""

from __future__ import annotations

from typing import Any

from daasbench import registry
from daasbench.model import Limits


def measure_limits(threads: int, limits_id: str, machine_id: str, measured_at: str) -> Limits:
    """Return the machine's limits for `threads` threads, by the `probes` kernel."""
    probes: Any = registry.kernel("probes")
    values, failed = probes.measure_limits(threads)
    return Limits(
        id=limits_id, machine=machine_id, threads=threads, values=values, failed=failed, measured_at=measured_at
    )
