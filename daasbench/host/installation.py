"""The command that installs a package into the Python that runs daasbench, from where daasbench itself came.

Plug-ins declare how a requirement is installed by ``pip install 'daasbench[mpi]'``. This works for none who runs a
checkout by ``.venv/bin/daasbench``: `pip` is that of another Python, and no index has daasbench.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import re
import shlex
import sys
from collections.abc import Iterable
from urllib.parse import unquote, urlparse

PIP = "pip install "
PREFIX = "install it: "
_REQUIREMENT = re.compile(r"-{1,2}[a-z][\w-]*|[A-Za-z0-9][\w.-]*(\[[\w,. -]+\])?([<>=!~]{1,2}[\w.*]+)?")


def command_here(fix: str) -> str:
    """Return a declared fix as it works here: for this Python, and from this checkout; other fixes are unchanged."""
    command = one_command([fix])
    lead = PREFIX if fix.startswith(PREFIX) else ""
    return lead + command if command else fix


def one_command(fixes: Iterable[str]) -> str:
    """Return one command that installs what several fixes install; empty if none of them is a command.

    The fixes may be declared ones, or those that :func:`command_here` returned for this Python.
    """
    extras: set[str] = set()
    others: list[str] = []
    for word in (word for fix in fixes for word in _words(fix)):
        name, bracket, rest = word.partition("[")
        if bracket and name in ("daasbench", _origin()[0]):
            extras |= {extra.strip() for extra in rest.rstrip("]").split(",")}
        elif word != "-e":
            others.append(word)
    wanted = [*(_own(extras) if extras else ()), *dict.fromkeys(others)]
    return shlex.join([*_pip_here(), *wanted]) if wanted else ""


def _pip_here() -> list[str]:
    return [sys.executable, "-m", "pip", "install"]


def _words(fix: str) -> list[str]:
    """Return what a fix installs, word by word; nothing if it is not a command that installs."""
    command, here = fix.removeprefix(PREFIX), f"{shlex.join(_pip_here())} "
    if not command.startswith((PIP, here)):
        return []
    try:
        words = shlex.split(command.removeprefix(here).removeprefix(PIP))
    except ValueError:  # an unbalanced quote in a plug-in's fix
        return []
    declared = command.startswith(PIP)
    return [] if declared and not all(map(_REQUIREMENT.fullmatch, words)) else words  # a sentence remains as it is


def _own(extras: set[str]) -> list[str]:
    """Return the words after ``pip install`` that add these extras to the installed daasbench."""
    names = ",".join(sorted(extras))
    origin, editable = _origin()
    if not origin:
        return [f"daasbench[{names}]"]
    if origin.endswith(".whl"):
        return [f"daasbench[{names}] @ file://{origin}"]
    return ["-e", f"{origin}[{names}]"] if editable else [f"{origin}[{names}]"]


@functools.cache
def _origin() -> tuple[str, bool]:
    """Return the local path from which daasbench was installed ("" if from an index), and whether it is editable."""
    try:
        text = importlib.metadata.distribution("daasbench").read_text("direct_url.json")
        facts = json.loads(text) if text else {}
    except (importlib.metadata.PackageNotFoundError, ValueError, OSError):
        return "", False
    url = urlparse(str(facts.get("url", "")))
    if url.scheme != "file":
        return "", False
    return unquote(url.path), bool(facts.get("dir_info", {}).get("editable"))
