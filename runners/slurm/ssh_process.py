"""One process of ssh that runs one script, and how its output and its end are recognised.

The script prints one line before its own output, and another line, with its exit code, after it. Output before the
first line is a greeting. If the last line is missing, the connection was lost.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import BinaryIO

import msgspec

BEGIN, END = b"daasbench-begins", b"daasbench-ends"
LONGEST_GREETING = 1 << 16
NOT_SENT = "port 65535"  # in ssh's message if there is no connection to share
_END = re.compile(rb"\n?daasbench-ends (\d+)\n")


class ScriptEnd(msgspec.Struct, frozen=True):
    """How a script ended: its exit code and standard error, or why they are not known."""

    code: int | None  # None: the connection was lost, or the time is over
    err: str  # of the script; without a code that of ssh
    late: bool = False  # the time is over
    sent: bool = True  # whether the script may have started


def run_script(
    ssh: Sequence[str], host: str, script: str, stdin: BinaryIO | None, out: BinaryIO, timeout_s: float
) -> ScriptEnd:
    """Run a script of the POSIX shell on `host` by the command `ssh`; write its standard output to `out`."""
    begin, end = BEGIN.decode(), END.decode()
    framed = f'echo {begin}; echo {begin} >&2; ({script}); c=$?; echo "" >&2; echo "{end} $c" >&2'
    command = [*ssh, "--", host, f"exec sh -c {shlex.quote(framed)}"]
    with tempfile.TemporaryFile() as errors:
        began, late = _run(command, stdin, out, errors, timeout_s)
        errors.seek(0)
        message = errors.read()
    end_line = _END.search(message)
    if end_line is not None and began:
        err = message[: end_line.start()].partition(BEGIN + b"\n")[2]
        return ScriptEnd(int(end_line[1]), err.decode(errors="replace"))
    before, arrived, _ = message.partition(BEGIN + b"\n")
    text = before.decode(errors="replace")
    refused = not began and not arrived and NOT_SENT in text and "mux_client" not in text
    return ScriptEnd(None, text, late, not refused)


def _run(
    command: Sequence[str], stdin: BinaryIO | None, out: BinaryIO, errors: BinaryIO, timeout_s: float
) -> tuple[bool, bool]:
    """Run ssh and write its output after the line `BEGIN` to `out`; return whether the line came, and if too late."""
    client = subprocess.Popen(
        command,
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,  # Ctrl-C is handled by the controller and must not interrupt a command
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
    """Read and ignore the output of a login shell before the line `BEGIN`; return whether that line came."""
    greeting = b""
    while chunk := os.read(pipe, 1 << 16):
        _, mark, rest = (greeting + chunk).partition(BEGIN + b"\n")
        if mark:
            out.write(rest)
            return True
        greeting = (greeting + chunk)[-LONGEST_GREETING:]
    return False
