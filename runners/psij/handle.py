"""The handle of a psij job, valid after its controller ended: ``psij://slurm/1234#/results/.../jobs/003-esrf``."""

from __future__ import annotations

import socket
from pathlib import Path

from daasbench.model import Noun


class PsijHandle(Noun, frozen=True, kw_only=True):
    """A job of a scheduler, or a process; a process has its machine before an @: ``psij://n1@local/77#/...``."""

    executor: str
    native: str
    folder: Path
    host: str = ""

    def __str__(self) -> str:
        """Return the handle as a URL."""
        return f"psij://{self.host + '@' if self.host else ''}{self.executor}/{self.native}#{self.folder}"

    @property
    def is_elsewhere(self) -> bool:
        """Return whether the job is a process on another machine."""
        return bool(self.host) and self.host != socket.gethostname()


def handle_of(executor: str, native: str, folder: Path) -> PsijHandle:
    """Return the handle of a job that was submitted from this machine."""
    host = socket.gethostname() if executor == "local" else ""
    return PsijHandle(executor=executor, native=native, folder=folder, host=host)


def parse(text: str) -> PsijHandle | None:
    """Return the handle that a URL describes; None if it is not a handle of psij."""
    scheme, _, rest = text.partition("://")
    address, _, folder = rest.partition("#")
    site, _, native = address.partition("/")
    host, _, executor = site.rpartition("@")
    if scheme != "psij" or not (executor and native and folder):
        return None
    return PsijHandle(executor=executor, native=native, folder=Path(folder), host=host)
