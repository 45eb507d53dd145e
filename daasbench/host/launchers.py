"""The launcher that starts MPI ranks, and the options of a platform that starts processes.

``launcher``: the command that starts ranks, as text or as a list of words. ``{ranks}``, ``{threads}``, ``{nodes}`` and
``{ranks_per_node}`` are replaced by the numbers of the case; without ``{ranks}``, ``-n`` and the number are added.
Default: the `mpiexec` in the folder of this Python. The `mpiexec` of another MPI starts ranks that cannot communicate.
``scheduler``: the address of the scheduler of a running Dask cluster.
``container``: a table, see :mod:`daasbench.host.containers`.
"""

from __future__ import annotations

import shlex
import shutil
import string
import sys
from collections.abc import Mapping
from pathlib import Path

from daasbench.errors import MissingRequirement, ScenarioError, unknown_sentence
from daasbench.host.containers import OPTION, check_container
from daasbench.host.installation import command_here
from daasbench.model import Case, Option

OPTIONS = ("launcher", "scheduler", OPTION)  # options of every runner that starts workers
WORDS = ("ranks", "threads", "nodes", "ranks_per_node")

PlatformOptions = Mapping[str, Option]


def check_options(options: PlatformOptions, where: str, *, runner: str) -> None:
    """Raise ScenarioError, which names `where`, if these are not the options of a platform that starts ranks."""
    for key, value in options.items():
        if key not in OPTIONS:
            message = f"{where}: the runner {runner} has no option {key!r}; it has: {', '.join(OPTIONS)}"
            raise ScenarioError(message)
        if key == OPTION:
            check_container(value, f"{where}.{key}")
            continue
        words = value if isinstance(value, list) else [value]
        if not words or not all(isinstance(word, str) and word.strip() for word in words):
            raise ScenarioError(f'{where}.{key}: expected text such as "srun -n {{ranks}}", got {value!r}')
    if "launcher" in options:
        _check_words(options, f"{where}.launcher")
    if "scheduler" in options and (isinstance(options["scheduler"], list) or "://" not in str(options["scheduler"])):
        message = f'expected the address of a Dask scheduler such as "tcp://login1:8786", got {options["scheduler"]!r}'
        raise ScenarioError(f"{where}.scheduler: {message}")


def _check_words(options: PlatformOptions, where: str) -> None:
    """Raise ScenarioError if a launcher has unbalanced quotes or braces, or unknown placeholders."""
    try:
        for word in launcher_words(options):
            named = [name for _, name, _, _ in string.Formatter().parse(word) if name is not None]
            for name in set(named) - set(WORDS):
                raise ScenarioError(f"{where}: {unknown_sentence('word in braces', name, WORDS)}")
    except ValueError as error:  # of quotes or braces
        raise ScenarioError(f"{where}: {error}; write {{ranks}} for the number of ranks") from error


def scheduler_of(options: PlatformOptions) -> str | None:
    """Return the address of the platform's own Dask scheduler; None if it has none."""
    address = options.get("scheduler")
    return None if address is None else str(address)


def default_launcher() -> Path:
    """Return the path of `mpiexec` in the folder of this Python; the file need not exist."""
    return Path(sys.prefix) / "bin" / "mpiexec"


def launcher_words(options: PlatformOptions) -> list[str]:
    """Return the words of the launcher's command, with placeholders."""
    given = options.get("launcher")
    if given is None:
        words = [str(default_launcher())]
    else:
        words = [str(word) for word in given] if isinstance(given, list) else shlex.split(str(given))
    return words if any("{ranks}" in word for word in words) else [*words, "-n", "{ranks}"]


def launch_command(options: PlatformOptions, case: Case) -> list[str]:
    """Return the words that start the ranks of `case`, without the command of the ranks themselves."""
    counts = {"ranks": case.ranks, "threads": case.threads, "nodes": case.nodes}
    counts["ranks_per_node"] = -(-case.ranks // case.nodes)
    return [word.format(**counts) for word in launcher_words(options)]


def require_launcher(options: PlatformOptions) -> None:
    """Raise MissingRequirement, with its fix, if this machine does not have the launcher's program."""
    program = launcher_words(options)[0]
    if shutil.which(program) is None:
        if "launcher" in options:
            message = f"the launcher {program!r} of the platform's options is not installed"
            fix = "correct the option launcher, or remove it to use the mpiexec of this Python"
            raise MissingRequirement(message, fix)
        message = f"this Python has no mpiexec ({program})"
        raise MissingRequirement(
            message,
            "name the mpiexec of your MPI in the platform's option launcher, or install one:"
            f" {command_here('pip install mpich')}",
        )
