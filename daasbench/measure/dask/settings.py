"""Dask's settings during a measurement: its defaults and ours, nothing from files or variables of the user."""

from __future__ import annotations

import os
from typing import Any

from daasbench.model import Scalar

HANDED_ON = "DASK_INTERNAL_INHERIT_CONFIG"  # the variable by which Dask's settings reach another process
OURS = {
    "distributed.scheduler.allowed-failures": 0,  # a task whose worker died is not computed once more
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": None,  # a worker that computes for minutes without a heartbeat is alive
}
QUIET = {"logging": {"distributed": "warning"}}  # a line per poll of a worker would fill the log
OF_SCHEDULER = (*OURS, "distributed.scheduler.worker-saturation", "distributed.comm.compression")
OF_WORKER = (
    "distributed.worker.memory.target",
    "distributed.worker.memory.spill",
    "distributed.worker.memory.pause",
    "distributed.worker.memory.terminate",
    "distributed.worker.profile.enabled",
    "distributed.worker.profile.interval",
)
OF_ENCRYPTION = ("distributed.comm.tls", "distributed.comm.require-encryption")


def apply_settings(*, keep_encryption: bool = False) -> None:
    """Set Dask's defaults and our settings only, in this process and those that it starts.

    Parameters
    ----------
    keep_encryption
        Whether to keep the user's certificates, which a running cluster may require.
    """
    import dask.config

    kept = {key: found for key in OF_ENCRYPTION if (found := dask.config.get(key, None)) is not None}
    for name in [variable for variable in os.environ if variable.startswith("DASK_")]:
        del os.environ[name]
    dask.config.refresh(paths=[], env={})
    dask.config.set(OURS | QUIET | (kept if keep_encryption else {}))
    import distributed  # noqa: F401  (adds its defaults, and reads the log level)

    os.environ[HANDED_ON] = dask.config.serialize(dask.config.global_config)


def effective(names: tuple[str, ...]) -> dict[str, Any]:
    """Return the effective settings of this process."""
    import dask.config

    return {name: dask.config.get(name, None) for name in names}


def seen(client: Any, worker: str) -> dict[str, Scalar]:
    """Return the effective settings of scheduler and workers; a setting that is switched off is false."""
    found = (
        client.run_on_scheduler(effective, OF_SCHEDULER) | client.run(effective, OF_WORKER, workers=[worker])[worker]
    )
    return {name: value if isinstance(value, Scalar) else False for name, value in sorted(found.items())}
