"""This machine, looked at before it is used: what the runners that start work here say to the doctor."""

from __future__ import annotations

import subprocess
from pathlib import Path

from daasbench import presence
from daasbench.inspection import Finding, ok, presence_findings, wrong
from daasbench.model import Platform

ANSWER_S = 180.0  # an upper bound: two ranks have a minute, and the imports of a cold file system theirs


def inspect_here(platform: Platform, folder: Path, *, ranks: int = presence.RANKS) -> list[Finding]:
    """Return how this machine agrees with what is declared of it, and whether its launcher starts `ranks`."""
    found = [*_one_node(platform), *folder_findings(folder)]
    asked = presence.question(platform.options, None, ranks)
    try:
        seen, said = presence.ask(asked, _run)
    except subprocess.TimeoutExpired:
        cure = "see what hangs: python -m daasbench.presence '{\"ranks\": 2}'"
        return [*found, wrong("worker", f"this machine did not answer within {ANSWER_S:g} s", cure)]
    if seen is None:
        last = next((line for line in reversed(said.splitlines()) if line.strip()), "it printed nothing")
        return [*found, wrong("worker", f"no worker can start here: {last}", "mend the installation of daasbench")]
    return [*found, *presence_findings(seen, platform, own=True)]


def _run(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    return done.stdout + done.stderr if presence.heard(done.stdout) is None else done.stdout


def _one_node(platform: Platform) -> list[Finding]:
    if platform.nodes == 1:
        return []
    told = f"{platform.nodes} are declared, and this machine is one"
    return [wrong("nodes", told, "leave nodes out, or name a runner that reaches several")]


def folder_findings(folder: Path) -> list[Finding]:
    """Return whether results can be kept in `folder`, which need not exist yet."""
    try:
        place = nearest(folder)
        probe = place / presence.question({}, None).token
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        told = f"{folder}: cannot be written: {error.strerror}"
        return [wrong("folder", told, "name one that can be written: --results DIR")]
    return [ok("folder", f"results can be written to {folder}")]


def nearest(folder: Path) -> Path:
    """Return `folder`, or the nearest one above that exists."""
    return next(one for one in (folder.resolve(), *folder.resolve().parents) if one.is_dir())
