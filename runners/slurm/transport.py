"""A transport runs commands and copies files: on this machine, or on another over ssh (:mod:`.ssh`)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from daasbench.errors import LedgerError, Unreachable

from .merging import merge_file, write_whole

NOT_FOUND, NOT_EXECUTABLE = 127, 126  # exit codes of a shell whose command does not exist, or must not be run
SETTINGS = {"TZ": "UTC", "SLURM_TIME_FORMAT": "standard", "LC_ALL": "C"}


class CommandResult(msgspec.Struct, frozen=True):
    """The exit code and the output of a command that ended."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """Return the last line of the error output, or of the output; the exit code if nothing was printed."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"exit code {self.code}"


class Transport(Protocol):
    """Runs commands and accesses files on one machine.

    Every method may raise Unreachable: the machine does not answer, and the request may have taken effect or not.
    Paths on that machine are absolute, as text.
    """

    @property
    def where(self) -> str:
        """Return ``user@host``; "" is this machine."""
        ...

    def run(
        self, command: Sequence[str], *, stdin: str | None = None, timeout_s: float = 60.0, repeat: bool | None = None
    ) -> CommandResult:
        """Return the result of a command; a program that does not exist has exit code 127.

        `repeat` says whether it may run again if a connection is lost; None: only Slurm's queries may.

        Raises
        ------
        Unreachable
            Also if the command does not end within `timeout_s`.
        """
        ...

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents; do nothing if it exists."""
        ...

    def write(self, files: Mapping[str, str], folder: str) -> int:
        """Write whole files, by path relative to `folder` (temporary name, then rename); return the bytes sent.

        Raises
        ------
        LedgerError
            The machine refuses them: the disk is full, or the folder must not be written. No file is half written.
        """
        ...

    def put(self, file: Path, path: str) -> int:
        """Copy one local file to `path`, unless a file of its size exists; return the bytes sent."""
        ...

    def read(self, paths: Sequence[str]) -> dict[str, str]:
        """Return the text of those files that exist, by one command."""
        ...

    def fetch(self, names: Sequence[str], remote_folder: str, folder: Path) -> int:
        """Copy those of the named files that exist into a local folder, by :func:`merge_file`; return the bytes copied.

        May be repeated while the files grow.
        """
        ...


class LocalTransport:
    """Runs commands on this machine: a login node, or a machine that has the cluster's commands and file system."""

    where = ""

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str | None = None,
        timeout_s: float = 60.0,
        repeat: bool | None = None,  # noqa: ARG002  (there is no connection that could be lost)
    ) -> CommandResult:
        """Return the result of a command; raise Unreachable if it does not end within `timeout_s`."""
        try:
            ended = subprocess.run(
                list(command),
                input=(stdin or "").encode(),
                capture_output=True,
                timeout=timeout_s,
                check=False,
                # queries answer in UTC and in English; what is submitted keeps the user's own settings
                env={**os.environ, **({} if Path(command[0]).name == "sbatch" else SETTINGS)},
            )
        except FileNotFoundError as error:
            return CommandResult(NOT_FOUND, "", f"{error.filename or command[0]}: no such program")
        except PermissionError as error:
            return CommandResult(NOT_EXECUTABLE, "", f"{error.filename or command[0]}: must not be executed")
        except subprocess.TimeoutExpired as error:
            message = f"{command[0]} did not answer within {timeout_s:g} s"
            raise Unreachable(f"{message}; nothing is lost: run the same command again later to continue") from error
        out, err = ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace")
        return CommandResult(ended.returncode, out, err)

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents."""
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"{path}: cannot be made: {error.strerror}") from error

    def write(self, files: Mapping[str, str], folder: str) -> int:
        """Write whole files; return 0, because nothing is sent."""
        for name, text in files.items():
            path = Path(folder) / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, text.encode())
            except OSError as error:
                raise LedgerError(f"{path}: cannot be written: {error.strerror}; nothing was started") from error
        return 0

    def put(self, file: Path, path: str) -> int:  # noqa: ARG002  (it is on this machine already)
        """Return 0: the file is on this machine and is read where it is."""
        return 0

    def read(self, paths: Sequence[str]) -> dict[str, str]:
        """Return the text of those files that exist."""
        found = {}
        for path in paths:
            try:
                found[path] = Path(path).read_text(errors="replace")
            except FileNotFoundError:
                continue
            except OSError as error:
                raise Unreachable(f"{path}: cannot be read: {error.strerror}") from error
        return found

    def fetch(self, names: Sequence[str], remote_folder: str, folder: Path) -> int:
        """Copy files between two folders of this machine; do nothing if they are the same."""
        if Path(remote_folder).resolve() == folder.resolve():
            return 0
        copied = 0
        for name in names:
            path = Path(remote_folder) / name
            if path.is_file():
                copied += merge_file(name, path.read_bytes(), folder)
        return copied
