"""The start probes: a new process, with or without a container, that prints where it runs and ends.

========================  =====================================================================================
``start_process``         ``readlink /proc/self/ns/user``: as little work as /bin/true, with an answer to check
``start_user_namespace``  the same by ``unshare --user``
``start_bwrap``           by bubblewrap, with this system's root read-only in a new mount namespace
``start_podman``          by podman, as a worker is started: a container with its files is created and removed
``start_python``          this Python, which prints one line
``import_library``        this Python, which imports a library; its files come from the page cache
========================  =====================================================================================

Processes are started one after the other, by fork and exec as Python's subprocess does, and waited for.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import MissingRequirement, Parameters, Work
from daasbench.host.containers import Container, Folders, wrapped
from daasbench.host.installation import command_here

from .options import ProbesOptions

LIMIT_S = 120.0
_WORD = "here"
_TOOLS = {
    "start_process": ("readlink", "install coreutils"),
    "start_user_namespace": ("unshare", "install util-linux"),
    "start_bwrap": ("bwrap", "install bubblewrap"),
    "start_podman": ("podman", "install podman"),
}
_ALLOW = "ask the system's administrator to allow containers of users, or choose another image with the option image"


@dataclass(frozen=True, kw_only=True)
class StartCommand:
    """The command that is started, and the check of its answer."""

    command: tuple[str, ...]
    is_right: Callable[[str], bool]


def start_of(options: ProbesOptions) -> StartCommand:
    """Return what the probe starts; raise MissingRequirement if its program is not installed."""
    probe = options.probe
    if probe == "start_python":
        return StartCommand(
            command=(sys.executable, "-c", f"print({_WORD!r})"), is_right=lambda answer: answer == _WORD
        )
    if probe == "import_library":
        code = f"import {options.library} as library; print(library.__name__)"
        return StartCommand(command=(sys.executable, "-c", code), is_right=lambda answer: answer == options.library)
    program, fix = _TOOLS[probe]
    found = shutil.which(program)
    if found is None:
        raise MissingRequirement(f"the program {program} was not found", fix)
    kind = "user" if probe in ("start_process", "start_user_namespace") else "mnt"
    ask = ("readlink", f"/proc/self/ns/{kind}")
    commands: dict[str, tuple[str, ...]] = {
        "start_process": (found, *ask[1:]),
        "start_user_namespace": (found, "--user", *ask),
        "start_bwrap": _wrapped(Container(engine="bwrap"), ask),
        "start_podman": _wrapped(Container(engine="podman", image=options.image), ask),
    }
    own = str(Path(f"/proc/self/ns/{kind}").readlink())

    def is_right(answer: str) -> bool:
        return answer.startswith(f"{kind}:[") and (answer == own) == (probe == "start_process")

    return StartCommand(command=commands[probe], is_right=is_right)


def _wrapped(container: Container, command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command in a container as for a worker, but without its folders."""
    return tuple(wrapped(command, container, Folders(writable=[])))


def run(command: tuple[str, ...]) -> tuple[int, str, str]:
    """Return the exit code of a process, its standard output and its standard error."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def require_start(start: StartCommand, options: ProbesOptions) -> None:
    """Raise MissingRequirement, with the program's own message, if a trial fails."""
    code, answer, complaint = run(start.command)
    if code == 0 and start.is_right(answer):
        return
    last = complaint.splitlines()[-1] if complaint else f"exit code {code}, its output was {answer!r}"
    fix = command_here(f"install it: pip install {options.library.partition('.')[0]}")
    raise MissingRequirement(
        f"{options.probe} does not work on this machine: {last}", fix if options.probe == "import_library" else _ALLOW
    )


def work(parameters: Parameters) -> Work:
    """Return the work of one repeat."""
    return Work(unit="start", units=float(parameters["starts"]))


def block(parameters: Parameters) -> dict[str, Any]:
    """Return how many processes a repeat starts."""
    return {"starts": int(parameters["starts"])}


def error(inputs: dict[str, Any], result: dict[str, NDArray[Any]]) -> float:
    """Return how many processes did not start or gave a wrong answer."""
    right: NDArray[np.float64] = np.asarray(result["right"], np.float64)
    return float(inputs["starts"] - right.sum())
