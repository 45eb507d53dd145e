"""Dask's own settings while it is measured: its defaults and ours, nothing from files or variables of the user."""

from __future__ import annotations

import os
from typing import Any

from daasbench.model import Scalar

HANDED_ON = "DASK_INTERNAL_INHERIT_CONFIG"  # the variable by which Dask's settings reach another process
OURS = {
    "distributed.scheduler.allowed-failures": 0,  # a task whose worker died is not computed once more
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": None,  # a worker that computes for minutes without a word is at work
}
QUIET = {"logging": {"distributed": "warning"}}  # a line for every look at a worker would fill the log
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


def settle(*, keep_encryption: bool = False) -> None:
    """Let this process, and those that it starts, know Dask's defaults and ours only.

    Parameters
    ----------
    keep_encryption
        Whether the user's certificates stay: those of a cluster that runs already.
    """
    import dask.config

    kept = {key: found for key in OF_ENCRYPTION if (found := dask.config.get(key, None)) is not None}
    for name in [one for one in os.environ if one.startswith("DASK_")]:
        del os.environ[name]
    dask.config.refresh(paths=[], env={})
    dask.config.set(OURS | QUIET | (kept if keep_encryption else {}))
    import distributed  # noqa: F401  (brings its defaults, and reads how much it shall log)

    os.environ[HANDED_ON] = dask.config.serialize(dask.config.global_config)


def effective(names: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings that are at work in this process."""
    import dask.config

    return {name: dask.config.get(name, None) for name in names}


def seen(client: Any, worker: str) -> dict[str, Scalar]:
    """Return what scheduler and workers go by; a setting that is switched off reads false."""
    found = (
        client.run_on_scheduler(effective, OF_SCHEDULER) | client.run(effective, OF_WORKER, workers=[worker])[worker]
    )
    return {name: value if isinstance(value, Scalar) else False for name, value in sorted(found.items())}
