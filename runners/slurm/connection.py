"""One ssh connection to another machine, shared by all commands and copies, by the system's ssh.

The user's ``~/.ssh/config``, agent and jump hosts apply, because it is the user's own ssh. If the user holds a
connection open (``ControlMaster``, needed at a site that requires a second factor), this connection is used. Otherwise
one connection is opened. It is closed when this process ends, or after ten minutes without use.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from daasbench.errors import Unreachable

from .ssh_errors import fix_of, last_line
from .ssh_process import run_script

log = logging.getLogger(__name__)

CONNECT_S = 20.0
BACK_OFF_S = (0.5, 1.0, 2.0, 4.0, 8.0)  # between attempts at a lost connection
SETTINGS = (
    "BatchMode=yes",  # no user is present to answer questions
    f"ConnectTimeout={CONNECT_S:.0f}",
    "ServerAliveInterval=15",  # a dead connection is noticed within a minute
    "ServerAliveCountMax=4",
    "ClearAllForwardings=yes",  # the user's forwarded ports belong to the user's own sessions
    "RemoteCommand=none",
    "RequestTTY=no",
)
QUERY_S = 10.0  # seconds for ssh to answer about a connection of this machine
SHARED_ONLY = ("-o", "ControlMaster=no", "-o", "ProxyCommand=exec false")
"""Options with which a command fails at once, and is certainly not sent, if there is no connection to share."""

T = TypeVar("T")


class ScriptResult(msgspec.Struct, frozen=True):
    """The exit code and the output of a script that ended."""

    code: int
    out: bytes
    err: str


class ConnectionLost(Exception):
    """The connection broke before the output was complete; `sent`: whether the script may have started."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class Connection:
    """Runs scripts on another machine by one shared ssh connection, which the first script opens.

    Parameters
    ----------
    host
        ``login.site``, ``user@login.site`` or a name of the user's ssh configuration.
    arguments
        Further arguments of ssh, before ours: ``["-F", "file"]``, ``["-J", "gate.site"]``.
    sleep
        Waits between attempts.
    """

    def __init__(self, host: str, arguments: Sequence[str] = (), sleep: Callable[[float], None] = time.sleep) -> None:
        self.host = host
        self._arguments = tuple(arguments)
        self._sleep = sleep
        self._sharing: list[str] | None = None  # arguments that name the shared connection; None: it is not open
        self._socket: Path | None = None  # of a connection that we opened
        self._finalizer: weakref.finalize[..., Connection] | None = None  # closes that connection

    def __repr__(self) -> str:
        return f"Connection({self.host!r})"  # without the arguments, which may be private

    # --- scripts

    def run(
        self, script: str, *, stdin: BinaryIO | None = None, timeout_s: float = 60.0, repeat: bool = True
    ) -> ScriptResult:
        """Return the result of a script of the POSIX shell.

        Parameters
        ----------
        script
            Runs in a subshell; without line breaks, which not every login shell accepts.
        stdin
            An open file, read from its position.
        repeat
            Whether the script may run twice. If so, it is run again when the connection is lost.

        Raises
        ------
        Unreachable
            There is no connection; or the connection and the output were lost; or the time is over.
        """
        start = stdin.tell() if stdin else 0

        def act() -> ScriptResult:
            if stdin:
                os.lseek(stdin.fileno(), start, os.SEEK_SET)  # ssh moves it, and Python's buffer does not know
            with tempfile.TemporaryFile() as out:
                code, err = self.run_once(script, out, stdin=stdin, timeout_s=timeout_s)
                out.seek(0)
                return ScriptResult(code, out.read(), err)

        return self.with_retries(act, repeat=repeat)

    def with_retries(self, act: Callable[[], T], *, repeat: bool = True) -> T:
        """Return the result of `act`; if the connection is lost, open it and call `act` again, after a pause.

        Raises
        ------
        Unreachable
            The connection was lost too often; or the command may have arrived and must not be sent twice.
        """
        for delay in (*BACK_OFF_S, None):
            try:
                return act()
            except ConnectionLost as lost:
                self._sharing = None
                if lost.sent and not repeat:
                    message = f"{self.host}: the connection was lost before the answer came ({lost})"
                    raise Unreachable(f"{message}; what was requested may have happened or not") from lost
                if delay is None:
                    message = f"{self.host}: the connection was lost {len(BACK_OFF_S) + 1} times in a row ({lost})"
                    raise Unreachable(f"{message}; nothing is lost: run the same command again later") from lost
                log.warning("%s: the connection was lost (%s); opening it again in %g s", self.host, lost, delay)
                self._sleep(delay)
        raise AssertionError("the last delay is None")

    def run_once(
        self, script: str, out: BinaryIO, *, stdin: BinaryIO | None = None, timeout_s: float = 60.0
    ) -> tuple[int, str]:
        """Run a script, its standard output into `out`; return its exit code and its standard error.

        Raises
        ------
        ConnectionLost
            The connection broke; the output until then is in `out`.
        Unreachable
            There is no connection, or the time is over.
        """
        self.open()
        end = run_script([*self._ssh(), *(self._sharing or [])], self.host, script, stdin, out, timeout_s)
        if end.code is not None:
            return end.code, end.err
        if end.late:
            raise Unreachable(f"{self.host}: did not answer within {timeout_s:g} s; run the same command again later")
        raise ConnectionLost(last_line(end.err), sent=end.sent)

    # --- the connection

    def open(self) -> None:
        """Open the shared connection unless it is open; try again for a while if that can help.

        Raises
        ------
        Unreachable
            The connection cannot be opened; the message is that of ssh, and what to do.
        """
        if self._sharing is not None:
            return
        if shutil.which("ssh") is None:
            raise Unreachable("this machine has no ssh; install it: apt-get install openssh-client")
        if self._socket is None and self._is_open([]):
            self._sharing = []  # a connection that the user holds open
            return
        for delay in (*BACK_OFF_S, None):
            message = self._open_own()
            if message is None:
                return
            fix, passing = fix_of(message, self.host)
            if delay is None or not passing:
                raise Unreachable(f"{self.host} cannot be reached: {last_line(message)}; nothing more was sent: {fix}")
            log.info("%s does not answer (%s); trying again in %g s", self.host, last_line(message), delay)
            self._sleep(delay)

    def _open_own(self) -> str | None:
        """Open a connection in the background; return ssh's error message, None if the connection is open."""
        if self._socket is None:  # short: the path of a socket has 104 bytes, and ssh adds 17 to ours
            self._socket = Path(tempfile.mkdtemp(prefix="dsb-", dir="/tmp")) / "s"
            ssh = [*self._ssh(), "-S", str(self._socket)]
            self._finalizer = weakref.finalize(self, _close, ssh, self.host, self._socket)
        sharing = ["-o", f"ControlPath={self._socket}"]
        if self._is_open(sharing):
            self._sharing = [*sharing, *SHARED_ONLY]
            return None
        self._socket.unlink(missing_ok=True)
        master = [*self._ssh(), *sharing, "-o", "ControlMaster=auto", "-o", "ControlPersist=600", "-N", "-f"]
        with tempfile.TemporaryFile() as errors:  # not a pipe: old versions of ssh in the background keep it open
            try:
                ended = subprocess.run(
                    [*master, "--", self.host],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
                    timeout=3 * CONNECT_S, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return f"ssh: connect to host {self.host}: timed out"
            errors.seek(0)
            message = errors.read().decode(errors="replace")
        if ended.returncode != 0 or not self._is_open(sharing):
            return message or f"ssh ended with code {ended.returncode}"
        self._sharing = [*sharing, *SHARED_ONLY]
        return None

    def _is_open(self, sharing: Sequence[str]) -> bool:
        """Return whether a connection that can be shared is open."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return _ask_ssh([*self._ssh(), *sharing], "check", self.host) == 0
        return False

    def _ssh(self) -> list[str]:
        return ["ssh", *self._arguments, *(argument for setting in SETTINGS for argument in ("-o", setting))]

    def close(self) -> None:
        """Close the connection if we opened it; the next script opens another."""
        self._sharing = None
        if self._finalizer is not None:
            self._finalizer()
            self._finalizer = self._socket = None


def _ask_ssh(ssh: list[str], request: str, host: str) -> int:
    """Return the exit code of a request to the process that holds a connection open."""
    quiet = subprocess.DEVNULL
    command = [*ssh, "-O", request, "--", host]
    return subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=QUERY_S, check=False).returncode


def _close(ssh: list[str], host: str, socket: Path) -> None:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        _ask_ssh(ssh, "exit", host)
    shutil.rmtree(socket.parent, ignore_errors=True)
