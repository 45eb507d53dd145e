"""Names of cases as people read them, and the command as they typed it."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from daasbench import registry
from daasbench.errors import DaasbenchError
from daasbench.host.installation import one_command
from daasbench.model import Case

NO_GPU = "no NVIDIA GPU"  # begins the message where there is none: nothing can be installed


@cache
def kernel_of(name: str) -> Any:
    """Return the installed kernel, or None: the kernel of a user's file is not installed."""
    try:
        return registry.kernel(name)
    except DaasbenchError:
        return None


def resources(case: Case) -> str:
    """Return what a case may use: ``"2 threads"``, ``"4 ranks x 2 threads"``, ``"1 GPU"``."""
    parts = [counted(case.nodes, "node")] if case.nodes > 1 else []
    if case.ranks > 1:
        parts.append(counted(case.ranks, "rank"))
    if case.threads > 1 or not (case.gpus or case.ranks > 1):
        parts.append(counted(case.threads, "thread"))
    if case.gpus:
        parts.append(counted(case.gpus, "GPU"))
    return " x ".join(parts)


def input_of(case: Case) -> str:
    """Return the name of the measured file, or the size: ``"small"``."""
    return PurePosixPath(case.input).name if case.input else str(case.size or "a file")


def options_of(case: Case, *, files: bool = True) -> str:
    """Return the options that differ from their defaults, and the start state: ``"mode=nosplit, warm start"``.

    With `files` also the names of the files that options name.
    """
    options = case.options | ({name: PurePosixPath(path).name for name, path in case.files.items()} if files else {})
    parts = [f"{name}={value}" for name, value in sorted(options.items())]
    parts += ["within the cache"] if case.cache else []
    parts += [f"{case.start} start"] if case.start else []
    parts += [f"{case.grown} times the size"] if case.grown > 1 else []
    parts += ["quick look"] if case.quick else []
    return ", ".join(parts)


def units(case: Case, unit: str) -> str:
    """Return the plural of the unit of a case."""
    kernel = kernel_of(case.kernel)
    if kernel is not None and kernel.card.unit == unit:
        return str(kernel.card.units)
    return unit if unit.isupper() or unit.endswith("s") else f"{unit}s"


def skip_reason(message: str, fixes: dict[str, None]) -> str:
    """Return why a case is skipped; a fix that installs something is moved to `fixes`: one command does them all."""
    what, _, fix = message.partition("; ")
    if one_command([fix]):
        fixes[fix] = None
        return what
    return what if message.startswith(NO_GPU) else first_line(message)


def first_line(message: str) -> str:
    """Return the first line of a message that has several, with a sign that there is more; the log has it whole."""
    lines = [line for line in message.splitlines() if line.strip()] or [""]
    return lines[0] + (" ..." if len(lines) > 1 else "")


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``"1 thread"``, ``"3 threads"``, ``"2 processes"``."""
    return f"{count} {noun}{'' if count == 1 else 'es' if noun.endswith('ss') else 's'}"


def listed(words: Iterable[str]) -> str:
    """Return ``"a, b and c"``."""
    items = list(words)
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def program() -> str:
    """Return the command as it was typed, so that a command that is printed works where it is read."""
    typed = sys.argv[0]
    if typed.endswith("__main__.py"):
        return f"{shlex.quote(sys.executable)} -m daasbench"
    found = shutil.which("daasbench")
    if "/" not in typed or (found and Path(found).resolve() == Path(typed).resolve()):
        return "daasbench"
    path = Path(typed)
    near = path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path
    return shlex.quote(str(near))


def command(*words: str, results: Path | None = None) -> str:
    """Return a command of daasbench, with the results folder if it is not the usual one."""
    folder = [] if results is None or results == Path("results") else ["--results", str(results)]
    return f"{program()} {shlex.join([*words, *folder])}"
