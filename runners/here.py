"""This machine, looked at before it is used: what the runners that start work here say to the doctor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import daasbench
from daasbench.host import containers
from daasbench.inspection import node
from daasbench.inspection.platform import Finding, node_findings, ok, wrong
from daasbench.model import Platform

CODE = Path(daasbench.__file__).resolve().parent.parent
ANSWER_S = 180.0  # an upper bound: two ranks have a minute, and the imports of a cold file system theirs


def inspect_here(platform: Platform, folder: Path, *, ranks: int = node.RANKS) -> list[Finding]:
    """Return how this machine agrees with what is declared of it, and whether its launcher starts `ranks`."""
    found = [*_one_node(platform), *folder_findings(folder)]
    inside = containers.container_of(platform.options)
    place = containers.Folders(writable=[str(nearest(folder)), str(CODE)], readable=[sys.prefix])
    if inside is not None:
        if missing := containers.missing_requirement(inside, place):
            what, _, fix = missing.partition("; ")
            return [*found, wrong("container", what, fix)]
        found.append(ok("container", f"{inside.label} starts a worker"))
    asked = node.node_question(platform.options, None, ranks)

    def run(words: list[str]) -> str:
        command = words if inside is None else containers.wrapped(words, inside, place)
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=False)
        return done.stdout + done.stderr if node.parse_answer(done.stdout) is None else done.stdout

    try:
        seen, said = node.probe(asked, run)
    except subprocess.TimeoutExpired:
        fix = "see what hangs: python -m daasbench.inspection.node '{\"ranks\": 2}'"
        return [*found, wrong("worker", f"this machine did not answer within {ANSWER_S:g} s", fix)]
    if seen is None:
        last = next((line for line in reversed(said.splitlines()) if line.strip()), "it printed nothing")
        return [*found, wrong("worker", f"no worker can start here: {last}", "mend the installation of daasbench")]
    return [*found, *node_findings(seen, platform, own=True)]


def _one_node(platform: Platform) -> list[Finding]:
    if platform.nodes == 1:
        return []
    message = f"{platform.nodes} are declared, and this machine is one"
    return [wrong("nodes", message, "leave nodes out, or name a runner that reaches several")]


def folder_findings(folder: Path) -> list[Finding]:
    """Return whether results can be kept in `folder`, which need not exist yet."""
    try:
        place = nearest(folder)
        probe = place / node.node_question({}, None).token
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        message = f"{folder}: cannot be written: {error.strerror}"
        return [wrong("folder", message, "name one that can be written: --results DIR")]
    return [ok("folder", f"results can be written to {folder}")]


def nearest(folder: Path) -> Path:
    """Return `folder`, or the nearest one above that exists."""
    return next(one for one in (folder.resolve(), *folder.resolve().parents) if one.is_dir())
