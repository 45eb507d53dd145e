"""The lock of a run: one controller holds it at a time.

Local workers inherit the lock, so the run of a killed controller stays locked until its last worker has ended.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from daasbench.errors import Locked
from daasbench.records.layout import unwritable

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # of file systems without locks; Lustre: ENOSYS
WAIT_S = 15.0  # for the workers of a controller that has ended
RETRY_S = 0.05
START_TOLERANCE_S = 1.0  # between the noted and the observed start of a process: another process has the same number


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """The controller that holds a run."""

    pid: int
    host: str
    since: str
    process_started: float

    def alive(self) -> bool:
        """Return whether the controller may still run: its process exists, or it is on another host."""
        if self.host != socket.gethostname():
            return True
        try:
            started: float = psutil.Process(self.pid).create_time()
        except psutil.Error:
            return False
        return abs(started - self.process_started) < START_TOLERANCE_S


class RunLock:
    """The lock file of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor: int | None = None  # while it is held by this process; workers inherit it

    def holder(self) -> Holder | None:
        """Return the controller that holds the lock, or None; does not wait."""
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._read_holder()
        except OSError:
            holder = self._read_holder()
            return holder if holder.alive() else None
        finally:
            os.close(descriptor)
        return None

    @contextlib.contextmanager
    def held(self, at: str) -> Iterator[None]:
        """Hold the lock; wait for the workers of a controller that has ended, refuse while another one runs.

        Raises
        ------
        Locked
            If another controller holds the run: its process, its host, since when.
        LedgerError, UsageError
            If the file cannot be written.
        """
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            self._take(descriptor)
            process = psutil.Process()
            holder = Holder(pid=process.pid, host=socket.gethostname(), since=at, process_started=process.create_time())
            try:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, msgspec.json.encode(holder), 0)
            except OSError as error:
                raise unwritable(self.path, error) from error
            self.descriptor = descriptor
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, 0)  # no holder: on a file system without locks only this releases it
        finally:
            self.descriptor = None
            os.close(descriptor)

    def _take(self, descriptor: int) -> None:
        end = time.monotonic() + WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                holder = self._read_holder()
                if holder.alive() or time.monotonic() > end:
                    fix = "wait for it, end it, or use another --results folder"
                    raise Locked(f"{self._held_by(holder)}; {fix}") from None
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise unwritable(self.path, error) from error
                self._refuse_named_holder()
                return
            time.sleep(RETRY_S)

    def _refuse_named_holder(self) -> None:
        """Refuse, on a file system without locks, if the lock file still names a holder."""
        holder = self._read_holder()
        if holder.alive():
            raise Locked(
                f"{self._held_by(holder)}, according to its lock file, on a file system without locks; end that"
                f" process, or, if it has ended, remove {self.path}"
            )

    def _held_by(self, holder: Holder) -> str:
        return f"{self.path.parent}: is held by process {holder.pid} on {holder.host} since {holder.since}"

    def _read_holder(self) -> Holder:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Holder)
        except (OSError, msgspec.DecodeError):  # another controller has just taken it and not yet written its name
            return Holder(pid=0, host=socket.gethostname(), since="just now", process_started=0.0)
