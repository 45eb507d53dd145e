"""Preflight checks of this machine, for the runners that start workers on it."""

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
ANSWER_S = 180.0  # an upper bound: one minute to start two ranks, and one for the imports from a cold file system


def check_this_machine(platform: Platform, folder: Path, *, ranks: int = node.RANKS) -> list[Finding]:
    """Return whether this machine has what the platform declares, and whether its launcher starts `ranks`."""
    findings = [*_one_node(platform), *folder_findings(folder)]
    container = containers.container_of(platform.options)
    visible = containers.Folders(writable=[str(nearest_existing(folder)), str(CODE)], readable=[sys.prefix])
    if container is not None:
        if missing := containers.missing_requirement(container, visible):
            what, _, fix = missing.partition("; ")
            return [*findings, wrong("container", what, fix)]
        findings.append(ok("container", f"{container.label} starts a worker"))

    def run(command: list[str]) -> str:
        command = command if container is None else containers.wrapped(command, container, visible)
        ended = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=False)
        return ended.stdout + ended.stderr if node.parse_answer(ended.stdout) is None else ended.stdout

    try:
        probed, output = node.probe(node.node_question(platform.options, None, ranks), run)
    except subprocess.TimeoutExpired:
        fix = "to find the cause, run: python -m daasbench.inspection.node '{\"ranks\": 2}'"
        return [*findings, wrong("worker", f"this machine did not answer within {ANSWER_S:g} s", fix)]
    if probed is None:
        last = next((line for line in reversed(output.splitlines()) if line.strip()), "it printed nothing")
        fix = "install daasbench again"
        return [*findings, wrong("worker", f"no worker can start on this machine: {last}", fix)]
    return [*findings, *node_findings(probed, platform, own=True)]


def _one_node(platform: Platform) -> list[Finding]:
    if platform.nodes == 1:
        return []
    message = f"{platform.nodes} nodes are declared, but this machine is 1 node"
    return [wrong("nodes", message, "remove nodes, or name a runner that reaches several nodes")]


def folder_findings(folder: Path) -> list[Finding]:
    """Return whether results can be written to `folder`, which need not exist yet."""
    try:
        probe = nearest_existing(folder) / node.node_question({}, None).token
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        message = f"{folder}: cannot be written: {error.strerror}"
        return [wrong("folder", message, "name a folder that can be written: --results DIR")]
    return [ok("folder", f"results can be written to {folder}")]


def nearest_existing(folder: Path) -> Path:
    """Return `folder`, or the nearest folder above it that exists."""
    folder = folder.resolve()
    return next(path for path in (folder, *folder.parents) if path.is_dir())
