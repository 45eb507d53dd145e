"""One connection to another machine, by the system's ssh: every question goes through it.

The user's ``~/.ssh/config``, agent and jump hosts work, as it is their ssh. A connection that the user holds open
(``ControlMaster`` in their configuration: the way to a site that asks for a second factor) is used; else one of
our own is opened, once, and closed with this process, ten idle minutes after it at the latest.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from daasbench.errors import Unreachable

log = logging.getLogger(__name__)

CONNECT_S = 20.0
BACK_OFF_S = (0.5, 1.0, 2.0, 4.0, 8.0)  # between attempts at a connection that was lost
SETTINGS = (
    "BatchMode=yes",  # nobody is there to answer
    f"ConnectTimeout={CONNECT_S:.0f}",
    "ServerAliveInterval=15",  # a dead line is seen within a minute
    "ServerAliveCountMax=4",
    "ClearAllForwardings=yes",  # the user's forwarded ports belong to the user's own sessions
    "RemoteCommand=none",
    "RequestTTY=no",
)
BEGINS, ENDS = b"daasbench-begins", b"daasbench-ends"  # what a login shell says before is no answer
LONGEST_GREETING = 1 << 16
NOT_SENT = "port 65535"  # ssh's word where there is no connection to share
_ENDS = re.compile(rb"\n?daasbench-ends (\d+)\n")

# ssh's word, whether waiting can help, and what to do
TROUBLES = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", False,
     "its key is not the one known here: ask the site whether it was changed, then remove the old one with"
     " `ssh-keygen -R {name}`"),
    ("Host key verification failed", False,
     "its key is not known here: run `ssh {host}` once by hand, compare the fingerprint with the site's and accept"),
    ("Permission denied", False,
     "it does not let you in: load your key with ssh-add, or name it in ~/.ssh/config; where a second factor is asked"
     " for, log in by hand first with ControlMaster, and that connection is used"),
    ("Too many authentication failures", False, "it was offered too many keys: name one with IdentityFile"),
    ("Could not resolve hostname", True, "there is no such name: correct the option host, or name it in ~/.ssh/config"),
    ("Bad configuration option", False, "correct the option ssh, or your ssh configuration"),
    ("Can't open user config file", False, "correct the option ssh"),
    ("Connection refused", True, "it is down, or its sshd is not at that port: ask the site"),
    ("timed out", True, "it is down, or a firewall is between: ask the site"),
    ("No route to host", True, "there is no way to it from here: look at your network or VPN"),
    ("Network is unreachable", True, "there is no way to it from here: look at your network or VPN"),
)  # fmt: skip


T = TypeVar("T")


class Said(msgspec.Struct, frozen=True):
    """What a script said."""

    code: int
    out: bytes
    err: str


class Lost(Exception):
    """The connection broke before the answer was complete; `sent`: whether the question may have arrived."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class Connection:
    """A machine that is asked questions by one shared ssh connection, opened with the first.

    Parameters
    ----------
    host
        ``login.site``, ``user@login.site`` or a name of the user's ssh configuration.
    words
        More words for ssh, before ours: ``["-F", "file"]``, ``["-J", "gate.site"]``.
    sleep
        What waits between attempts.
    """

    def __init__(self, host: str, words: Sequence[str] = (), sleep: Callable[[float], None] = time.sleep) -> None:
        self.host = host
        self._words = tuple(words)
        self._sleep = sleep
        self._sharing: list[str] | None = None  # ssh's words for the shared connection; None: there is none
        self._socket: Path | None = None  # of a connection of our own
        self._end: weakref.finalize[..., Connection] | None = None  # closes that

    def __repr__(self) -> str:
        return f"Connection({self.host!r})"  # the words may hold what is nobody's business

    # --- questions

    def ask(self, script: str, *, stdin: BinaryIO | None = None, timeout_s: float = 60.0, again: bool = True) -> Said:
        """Return what a script of the POSIX shell said there.

        Parameters
        ----------
        script
            Run in a subshell; without line breaks, which not every login shell bears.
        stdin
            An open file, read from its position.
        again
            Whether the question may be asked twice: then it is, if the connection is lost over it.

        Raises
        ------
        Unreachable
            There is no connection; or it was lost, and with it the answer; or the time is over.
        """
        start = stdin.tell() if stdin else 0

        def once() -> Said:
            if stdin:
                os.lseek(stdin.fileno(), start, os.SEEK_SET)  # ssh moves it, and Python's buffer does not know
            with tempfile.TemporaryFile() as out:
                code, err = self.once(script, out, stdin=stdin, timeout_s=timeout_s)
                out.seek(0)
                return Said(code, out.read(), err)

        return self.patiently(once, again=again)

    def patiently(self, act: Callable[[], T], *, again: bool = True) -> T:
        """Return what `act` returns; where the connection is lost in it, open it and act again, after a while.

        Raises
        ------
        Unreachable
            It was lost too often; or what was sent may have arrived, and may not be sent twice (not `again`).
        """
        for delay in (*BACK_OFF_S, None):
            try:
                return act()
            except Lost as lost:
                self._sharing = None
                if lost.sent and not again:
                    message = f"{self.host}: the connection was lost before the answer came ({lost})"
                    raise Unreachable(f"{message}; what was asked for may have happened or not") from lost
                if delay is None:
                    message = f"{self.host}: the connection is lost again and again ({lost})"
                    raise Unreachable(f"{message}; nothing is lost: run the same command again later") from lost
                log.warning("%s: the connection was lost (%s); opening it again in %g s", self.host, lost, delay)
                self._sleep(delay)
        raise AssertionError("the last delay is None")

    def once(
        self, script: str, out: BinaryIO, *, stdin: BinaryIO | None = None, timeout_s: float = 60.0
    ) -> tuple[int, str]:
        """Run a script there, its standard output into `out`; return its exit code and its standard error.

        Raises
        ------
        Lost
            The connection broke; what came until then is in `out`.
        Unreachable
            There is no connection, or the time is over.
        """
        self.open()
        begin, end = BEGINS.decode(), ENDS.decode()
        # the last line tells a command that ended from one whose connection did
        framed = f'echo {begin}; echo {begin} >&2; ({script}); c=$?; echo "" >&2; echo "{end} $c" >&2'
        command = [*self._ssh(), *(self._sharing or []), "--", self.host, f"exec sh -c {shlex.quote(framed)}"]
        with tempfile.TemporaryFile() as errors:
            began, late = _talk(command, stdin, out, errors, timeout_s)
            errors.seek(0)
            message = errors.read()
        ended = _ENDS.search(message)
        if ended is not None and began:
            said = message[: ended.start()].partition(BEGINS + b"\n")[2]
            return int(ended[1]), said.decode(errors="replace")
        if late:
            raise Unreachable(f"{self.host}: did not answer within {timeout_s:g} s; run the same command again later")
        before, arrived, _ = message.partition(BEGINS + b"\n")
        text = before.decode(errors="replace")
        refused = not began and not arrived and NOT_SENT in text and "mux_client" not in text
        raise Lost(_last_line(text), sent=not refused)

    # --- the connection

    def open(self) -> None:
        """Open the shared connection if there is none; try again for a while where that can help.

        Raises
        ------
        Unreachable
            With ssh's own word and the cure.
        """
        if self._sharing is not None:
            return
        if shutil.which("ssh") is None:
            raise Unreachable("there is no ssh on this machine; install it: apt-get install openssh-client")
        if self._socket is None and self._check([]):
            self._sharing = []  # one that the user holds open
            return
        for delay in (*BACK_OFF_S, None):
            message = self._open_own()
            if message is None:
                return
            fix, passing = _trouble(message, self.host)
            if delay is None or not passing:
                raise Unreachable(f"{self.host} cannot be reached: {_last_line(message)}; nothing more was sent: {fix}")
            log.info("%s does not answer (%s); trying again in %g s", self.host, _last_line(message), delay)
            self._sleep(delay)

    def _open_own(self) -> str | None:
        """Open a connection of our own, in the background; return what ssh complained of, None if it stands."""
        if self._socket is None:  # short: the path of a socket has 104 bytes, and ssh adds 17 to ours
            self._socket = Path(tempfile.mkdtemp(prefix="dsb-", dir="/tmp")) / "s"
            self._end = weakref.finalize(self, _close, [*self._ssh(), "-S", str(self._socket)], self.host, self._socket)
        sharing = ["-o", f"ControlPath={self._socket}"]
        if self._check(sharing):
            self._sharing = [*sharing, *_NO_OTHER]
            return None
        self._socket.unlink(missing_ok=True)
        master = [*self._ssh(), *sharing, "-o", "ControlMaster=auto", "-o", "ControlPersist=600", "-N", "-f"]
        with tempfile.TemporaryFile() as errors:  # not a pipe: old clients in the background keep it open
            try:
                done = subprocess.run(
                    [*master, "--", self.host],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
                    timeout=3 * CONNECT_S, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return f"ssh: connect to host {self.host}: timed out"
            errors.seek(0)
            message = errors.read().decode(errors="replace")
        if done.returncode != 0 or not self._check(sharing):
            return message or f"ssh ended with code {done.returncode}"
        self._sharing = [*sharing, *_NO_OTHER]
        return None

    def _check(self, sharing: Sequence[str]) -> bool:
        """Return whether a connection that can be shared is open."""
        command = [*self._ssh(), *sharing, "-O", "check", "--", self.host]
        with contextlib.suppress(subprocess.TimeoutExpired):
            quiet = subprocess.DEVNULL
            return (
                subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=10, check=False).returncode
                == 0
            )
        return False

    def _ssh(self) -> list[str]:
        return ["ssh", *self._words, *(word for setting in SETTINGS for word in ("-o", setting))]

    def close(self) -> None:
        """Close the connection, if it is ours; the next question opens another."""
        self._sharing = None
        if self._end is not None:
            self._end()
            self._end = self._socket = None


_NO_OTHER = ("-o", "ControlMaster=no", "-o", "ProxyCommand=exec false")
"""A question that finds no connection to share fails at once and was certainly not sent: it opens none by itself."""


def _close(ssh: list[str], host: str, socket: Path) -> None:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        quiet = subprocess.DEVNULL
        subprocess.run(
            [*ssh, "-O", "exit", "--", host], stdin=quiet, stdout=quiet, stderr=quiet, timeout=10, check=False
        )
    shutil.rmtree(socket.parent, ignore_errors=True)


def _talk(
    command: Sequence[str], stdin: BinaryIO | None, out: BinaryIO, errors: BinaryIO, timeout_s: float
) -> tuple[bool, bool]:
    """Run ssh, what comes after the line `BEGINS` into `out`; return whether that came, and if too late."""
    client = subprocess.Popen(
        command,
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,  # Ctrl-C is the controller's to handle: no question is torn by it
    )
    late = threading.Event()

    def end() -> None:
        late.set()
        client.kill()

    alarm = threading.Timer(timeout_s, end)
    alarm.start()
    with client:
        try:
            assert client.stdout is not None
            began = _skip_greeting(client.stdout.fileno(), out)
            while began and (chunk := os.read(client.stdout.fileno(), 1 << 20)):
                out.write(chunk)
        except BaseException:
            client.kill()
            raise
        finally:
            client.wait()
            alarm.cancel()
    return began, late.is_set()


def _skip_greeting(pipe: int, out: BinaryIO) -> bool:
    """Read what a login shell says before our line, and forget it; return whether our line came."""
    greeting = b""
    while chunk := os.read(pipe, 1 << 16):
        _, mark, rest = (greeting + chunk).partition(BEGINS + b"\n")
        if mark:
            out.write(rest)
            return True
        greeting = (greeting + chunk)[-LONGEST_GREETING:]
    return False


def _last_line(message: str) -> str:
    """Return what ssh said last that tells something."""
    lines = [line.strip() for line in message.replace("\r", "\n").splitlines() if line.strip()]
    told_more = [line for line in lines if "UNKNOWN port" not in line]
    return (told_more or lines or ["no reason given"])[-1].rstrip(".")


def _trouble(message: str, host: str) -> tuple[str, bool]:
    """Return the cure for what ssh complains of, and whether waiting may help."""
    for word, passing, fix in TROUBLES:
        if word in message:
            return fix.format(host=host, name=host.rpartition("@")[2]), passing
    return f"try it by hand: `ssh {host} true`", True
