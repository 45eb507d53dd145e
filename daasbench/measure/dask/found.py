"""Workers of a Dask cluster that have registered, and the type of the functions that start or find them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daasbench.errors import Unreachable
from daasbench.measure.dask.options import ClusterOptions
from daasbench.model import Case, DaskWorker, Reason

CONNECT_S = 10.0
SILENT_S = 30.0  # after which a scheduler that does not answer is taken for dead


def _killed(_: DaskWorker) -> tuple[Reason, str]:
    return Reason.KERNEL, "killed, or out of memory?"


@dataclass(frozen=True, kw_only=True)
class ConnectedWorkers:
    """Workers that have registered.

    `present` returns the addresses of those that are alive now; it raises OSError or TimeoutError if the scheduler does
    not answer. `cause` returns why a worker has ended. `ours`: no other program uses them, so they may be pinned.
    `asked_at`: when their jobs were submitted, in seconds since 1970.
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
    """Return the address in a scheduler's file; raise Unreachable if there is none."""
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
    """Return the scheduler's facts on itself and its workers; raise OSError or TimeoutError if it does not answer."""
    if client.status != "running":  # it may come back, but this client has lost its results
        raise OSError("the connection to it broke")
    found: dict[str, Any] = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=SILENT_S)
    return found
