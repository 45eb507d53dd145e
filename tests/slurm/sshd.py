"""A login node of one's own: a real sshd on a free port of this machine, for the user who runs the tests.

Host and user keys, the ssh configuration, the home of who logs in and the log lie in one folder. Nothing of the
user's own ~/.ssh is read or written.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from ..waiting import PATIENCE_S, until

CURE = "apt-get install openssh-server"
CONFIG = """
Host login.site
  HostName 127.0.0.1
  Port {port}
  IdentityFile "{folder}/user"
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile "{folder}/known_hosts"
  StrictHostKeyChecking yes
"""
SERVER = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
MaxStartups 100
SetEnv {environment}
"""


class LoginNode:
    """A login node: start and stop it, cut its connections, and count what its log says.

    Parameters
    ----------
    folder
        Everything of it; its name without blanks, as sshd's configuration knows no quotes there.
    server
        The sshd program, absolute: it starts itself again for every connection.
    environment
        What a session sees, beside a HOME of its own and the PATH of this process with `programs` before it.
    """

    def __init__(self, folder: Path, server: str, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.programs = folder / "programs"
        self.host = "login.site"
        self.options = ["-F", str(folder / "config")]
        self._server = server
        self._daemon: subprocess.Popen[bytes] | None = None
        for path in (folder, self.home, self.programs):
            path.mkdir(parents=True, exist_ok=True)
        for name in ("host", "user"):
            make_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name)]
            subprocess.run(make_key, check=True)
        (folder / "authorized_keys").write_text((folder / "user.pub").read_text())
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.know_host()
        (folder / "config").write_text(CONFIG.format(port=self.port, folder=folder))
        seen = {"HOME": str(self.home), "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}"}
        message = " ".join(f'"{key}={value}"' for key, value in (seen | dict(environment or {})).items())
        (folder / "server").write_text(SERVER.format(port=self.port, folder=folder, environment=message))

    def know_host(self) -> None:
        """Write the host's key where the client looks for it."""
        kind, key, _ = (self.folder / "host.pub").read_text().split(" ", 2)
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")

    def start(self) -> None:
        """Start the daemon; return when it listens."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where Debian's sshd shuts itself in
        command = [self._server, "-D", "-f", self.folder / "server", "-E", self.folder / "log"]
        self._daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        until(self._listens, "sshd to listen")

    def _listens(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, f"sshd did not start: {self.log()}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S):
            return True
        return False

    def stop(self) -> None:
        """Take the host down: the daemon and every connection."""
        if self._daemon is not None:
            self.cut()
            self._daemon.terminate()
            self._daemon.wait()
            self._daemon = None

    def cut(self) -> int:
        """End every connection from the host's side, at once; return how many there were."""
        if self._daemon is None:
            return 0
        servers = []
        for one in psutil.Process(self._daemon.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it has just ended
                if one.name() == "sshd":  # what it started lives on, as on a login node
                    one.kill()
                    servers.append(one)
        psutil.wait_procs(servers, timeout=PATIENCE_S)
        return len(servers)

    def log(self) -> str:
        """Return what sshd has written."""
        try:
            return (self.folder / "log").read_text()
        except FileNotFoundError:
            return ""

    def connections(self) -> int:
        """Return how many TCP connections were authenticated."""
        return self.log().count("Accepted publickey for")

    def sessions(self) -> int:
        """Return how many commands were run."""
        return self.log().count("Starting session:")

    def program(self, name: str, script: str) -> Path:
        """Put a shell script before the programs of this machine, for who logs in."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path


@pytest.fixture(scope="session")
def sshd(program: Callable[..., str]) -> str:
    """Return the path of sshd; the test is left out where there is none."""
    program("ssh", fix="apt-get install openssh-client")
    for usual in ("/usr/sbin/sshd", "/usr/local/sbin/sshd"):  # not on the PATH of an ordinary user
        if os.access(usual, os.X_OK):
            return usual
    return program("sshd", fix=CURE)


@pytest.fixture
def login(sshd: str, tmp_path: Path) -> Iterator[LoginNode]:
    """Return a login node that is up."""
    place = LoginNode(tmp_path / "site", sshd)
    place.start()
    try:
        yield place
    finally:
        place.stop()
