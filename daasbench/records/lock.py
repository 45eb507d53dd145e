"""The lock of a run: only one controller holds it at a time.

Local workers inherit the lock. If a controller is killed, its run stays locked until its last worker has ended.
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
WAIT_S = 15.0  # the time in which the workers of a killed controller end
RETRY_S = 0.05
START_TOLERANCE_S = 1.0  # seconds between noted and observed start; above: another process of this number


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
        """Hold the lock; wait for the workers of a controller that has ended; refuse if another controller runs.

        Raises
        ------
        Locked
            If another controller holds the run; the message names its process, its host and its start.
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
                    os.ftruncate(descriptor, 0)  # no holder: on a file system without locks this alone releases the run
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
                    fix = "wait until it ends, end it, or use another --results folder"
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
                f"{self._held_by(holder)}, as its lock file says (this file system has no locks); end that process"
                f" or, if it has already ended, remove {self.path}"
            )

    def _held_by(self, holder: Holder) -> str:
        return f"{self.path.parent}: process {holder.pid} on {holder.host} has been using this run since {holder.since}"

    def _read_holder(self) -> Holder:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Holder)
        except (OSError, msgspec.DecodeError):  # another controller has just taken it and not yet written its name
            return Holder(pid=0, host=socket.gethostname(), since="just now", process_started=0.0)
