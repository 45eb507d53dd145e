"""Workers of a Dask cluster that have reported, and what brings them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daasbench.errors import Unreachable
from daasbench.measure.dask.options import ClusterOptions
from daasbench.model import Case, DaskWorker, Reason

CONNECT_S = 10.0
SILENT_S = 30.0  # after which a scheduler that says nothing is taken for dead


def _killed(_: DaskWorker) -> tuple[Reason, str]:
    return Reason.KERNEL, "killed, or out of memory?"


@dataclass(frozen=True, kw_only=True)
class ConnectedWorkers:
    """Workers that have reported.

    `present` returns the addresses of those that are there now; it raises OSError or TimeoutError when the scheduler
    is not. `cause` says why a worker is gone. `ours`: nobody else uses them, they may be pinned. `asked_at`: when
    jobs were asked for, in seconds since 1970.
    """

    kind: str
    name: str  # of the cluster, for people
    client: Any
    present: Callable[[], Collection[str]]
    ours: bool
    cause: Callable[[DaskWorker], tuple[Reason, str]] = _killed
    asked_at: float | None = None


Source = Callable[[Case, ClusterOptions, Path, str, float], ConnectedWorkers]


def address_in(file: Path) -> str:
    """Return the address that a scheduler wrote into its file; raise Unreachable if none did."""
    import msgspec

    class _Scheduler(msgspec.Struct):
        address: str

    try:
        return msgspec.json.decode(file.read_bytes(), type=_Scheduler).address
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}; start the scheduler: dask scheduler --scheduler-file"
        raise Unreachable(f"{message} {file}") from error
    except msgspec.MsgspecError as error:
        raise Unreachable(f"{file}: is not the file of a Dask scheduler ({error})") from error


def identity(client: Any) -> dict[str, Any]:
    """Return what the scheduler says of itself and its workers; raise OSError or TimeoutError if it does not."""
    if client.status != "running":  # it may come back, but what was computed is lost to this client
        raise OSError("the connection to it broke")
    found: dict[str, Any] = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=SILENT_S)
    return found
