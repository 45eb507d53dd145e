"""A real pseudo-terminal of a chosen width, and the screen that a command leaves in it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..waiting import PATIENCE_S

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


def run_in_terminal(
    command: Sequence[str], folder: Path, columns: int, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a command in a terminal of `columns`; return its exit code and everything that it wrote, codes included."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    variables = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR", "CI")}
    variables |= {"TERM": "xterm-256color", **(environment or {})}
    process = subprocess.Popen(
        command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    written = bytearray()
    while True:
        try:
            chunk = os.read(ours, 1 << 16)
        except OSError:  # the other end has closed
            break
        if not chunk:
            break
        written += chunk
    os.close(ours)
    return process.wait(PATIENCE_S), written.decode(errors="replace")


def lines_of(written: str) -> list[str]:
    """Return the lines without colours; of a line that was drawn again, every drawing."""
    text = _CONTROL.sub("", written).replace("\r\n", "\n")
    return [line.rstrip() for line in re.split(r"[\r\n]", text)]
