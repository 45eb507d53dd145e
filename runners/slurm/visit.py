"""A visit to a node of a Slurm: a test job of a minute at most, if a node is free at once, and what it says."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from daasbench.host import containers
from daasbench.host.clock import utc_now
from daasbench.inspection import node
from daasbench.inspection.platform import Finding, clock_findings, node_findings, ok, warning, wrong
from daasbench.model import Option, Platform

from ..here import CODE, folder_findings, nearest
from .options import SlurmOptions
from .render import LAUNCHER
from .shell import Answer, Shell
from .stage import OLDEST, Stage
from .suite import Suite, question, this_suite

PATIENCE_S = 20  # for a free node; a test job does not wait in the queue
ANSWER_S = PATIENCE_S + 120.0
OUTSIDE = "daasbench doctor: outside of the container"  # said by a node that starts none
RESOURCES = ("cores", "memory", "GPUs")  # of a test job: its own share, of which sinfo told the whole
BUSY = ("nodes are busy", "unable to allocate resources: resources", "immediate")  # words of srun


def clusters(options: SlurmOptions) -> list[str]:
    """Return the word that names one of several clusters, if the platform does."""
    return [word for word in options.sbatch if word.startswith("--clusters=")]


def last_line(said: Answer) -> str:
    """Return the last line that a command said, or that it said nothing."""
    lines = [line.strip() for line in (said.err or said.out).splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"exit code {said.code}"


def request_words(platform: Platform, options: SlurmOptions, nodes: int = 0, cores: int = 0) -> list[str]:
    """Return the words that ask for nodes of a platform: all of it, or as much as is named, without GPUs."""
    named = {key: getattr(options, key) for key in ("partition", "account", "qos", "constraint", "reservation")}
    wanted = platform.gpus_per_node if not nodes else None
    return [
        *(f"--{key}={value}" for key, value in named.items() if value),
        "--time=1",
        f"--nodes={nodes or platform.nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={cores or platform.cores_per_node or 1}",
        *([options.gpus.replace("{gpus}", str(wanted))] if wanted else []),
        *(word for word in options.sbatch if not word.startswith("--mail")),
    ]


def folder_findings_there(shell: Shell, folder: Path, options: SlurmOptions) -> list[Finding]:
    """Return whether results can be kept: here, or in the folder of a place that shares none."""
    if not options.apart:
        return folder_findings(folder)
    script = 'd=$1; while [ ! -d "$d" ]; do d=$(dirname -- "$d"); done; [ -w "$d" ] && df -Pk "$d" | tail -n 1'
    said = shell.run(["sh", "-c", script, "sh", str(options.folder)])
    if said.code:
        message = f"{shell.where}:{options.folder} cannot be written"
        return [wrong("folder", message, "name another by the option folder, which the nodes see too")]
    fields = said.out.split()
    free = f", {int(fields[3]) * 1024 / 1e9:.3g} GB free" if len(fields) > 3 and fields[3].isdigit() else ""
    return [ok("folder", f"{shell.where}:{options.folder} can be written{free}")]


def visit(shell: Shell, platform: Platform, options: SlurmOptions, folder: Path) -> list[Finding]:
    """Ask a node by a test job, if one is free at once."""
    python, found = (options.python or sys.executable, []) if not options.apart else _python_there(shell, options)
    if python is None:
        return found
    asked = node.node_question(_launched(platform.options), None if options.apart else nearest(folder))
    heard: list[Answer] = []
    began = utc_now()

    def run(words: list[str]) -> str:
        worker = [python or "", *words[1:]]
        inner = "; ".join([*set_up(options), *_inside(platform.options, worker, options, nearest(folder))])
        ask = request_words(platform, options, nodes=1, cores=node.RANKS)
        job = ["srun", f"--immediate={PATIENCE_S}", "--job-name=daasbench-doctor", *ask, "--ntasks=1"]
        shell_word = "-lc" if options.modules else "-c"
        heard.append(shell.run([*job, "bash", shell_word, inner], timeout_s=ANSWER_S))
        return heard[-1].out

    try:
        seen, _ = node.probe(asked, run)
    except OSError as error:  # of the token in our folder
        return [*found, wrong("folder", f"{folder}: {error.strerror}", "name one that can be written: --results DIR")]
    if seen is not None:
        own = [one for one in node_findings(seen, _undeclared(platform)) if one.check not in RESOURCES]
        contained = container_findings(platform.options, heard[-1])
        return [*found, *contained, *own, *clock_findings(seen, began, utc_now())]
    return [*found, unheard(heard[-1], python)]


def _inside(message: Mapping[str, Option], worker: list[str], options: SlurmOptions, folder: Path) -> list[str]:
    """Return the lines that run a worker in the container that the platform names, outside where none starts."""
    inside = containers.container_of(message)
    if inside is None:
        return [shlex.join(worker)]
    seen = containers.Folders(writable=[str(folder), str(CODE)], readable=[sys.prefix])
    if options.apart:
        seen = containers.Folders(writable=[str(options.folder)])
    trial = containers.wrapped([worker[0], *containers.trial_command(inside)[1:]], inside, seen)
    contained = shlex.join(containers.wrapped(worker, inside, seen))
    return [f"if {shlex.join(trial)}; then exec {contained}; fi", f"echo {shlex.quote(OUTSIDE)}", shlex.join(worker)]


def container_findings(message: Mapping[str, Option], said: Answer) -> list[Finding]:
    """Return whether a node, by what it said, starts workers in the container that the platform names."""
    inside = containers.container_of(message)
    if inside is None:
        return []
    if OUTSIDE not in said.out:
        return [ok("container", f"{inside.label} starts a worker on the node")]
    lines = [line.strip() for line in said.err.splitlines() if line.strip() and not line.startswith("srun: ")]
    why = f": {lines[0][:300]}" if lines else ""
    return [
        wrong("container", f"{inside.label} starts no worker on the node{why}", containers.ENGINES[inside.engine].fix)
    ]


def _undeclared(platform: Platform) -> Platform:
    return msgspec.structs.replace(platform, cores_per_node=None, memory_gb=None, gpus_per_node=None)


def unheard(said: Answer, python: str) -> Finding:
    """Return why a node did not answer."""
    message = last_line(said)
    if "allocat" in message.lower() and any(
        word in said.err.lower() for word in ("busy", "immediate", "not available now")
    ):
        fix = "look again when one is"
        return warning("node", f"not asked: none was free within {PATIENCE_S} s ({message})", fix)
    if "No module named" in said.err and "daasbench" in said.err:
        fix = "install it there, or name a Python that has it by the option python"
        return wrong("node", f"{python} has no daasbench on the node", fix)
    return wrong("node", f"a test job ended without an answer: {message}", "correct modules, setup or python")


def _launched(options: Mapping[str, Option]) -> dict[str, Option]:
    return {"launcher": LAUNCHER, **{key: value for key, value in options.items() if key == "launcher"}}


def set_up(options: SlurmOptions) -> list[str]:
    """Return the lines of shell before anything runs on a node."""
    loads = [f"module load {shlex.quote(name)} || exit" for name in options.modules]
    return [*loads, *options.setup, *(f"export {k}={shlex.quote(v)}" for k, v in options.environment.items())]


def _python_there(shell: Shell, options: SlurmOptions) -> tuple[str | None, list[Finding]]:
    """Return a Python there that has this daasbench, and what is found of it; None: the first run will make one."""
    stage = Stage(shell, str(options.folder), options.python or "python3", options.extras)  # type: ignore[arg-type]  # its names need no ssh
    has = suite_at(shell, stage.interpreter)
    if has is not None and has.content == this_suite().content:
        return stage.interpreter, [ok("versions", f"{stage.interpreter} has this daasbench")]
    site = suite_at(shell, stage.python)
    return None, [site_finding(site, stage.python, f"{shell.where}:{options.folder}")]


def suite_at(shell: Shell, python: str) -> Suite | None:
    """Return what a Python of a place has; None if it does not run there."""
    said = shell.run([python, "-"], stdin=question(), timeout_s=ANSWER_S)
    try:
        return None if said.code else msgspec.json.decode(said.out.splitlines()[-1], type=Suite)
    except (IndexError, msgspec.DecodeError):
        return None


def site_finding(site: Suite | None, python: str, folder: str) -> Finding:
    """Return whether the first run can make an environment of a site's Python."""
    fix = "name another by the option python, such as /opt/python/3.11/bin/python3"
    if site is None:
        return wrong("python", f"{python} does not run there", fix)
    if tuple(int(part) for part in site.python.split(".")[:2]) < OLDEST:
        return wrong("python", f"{python} is Python {site.python}, daasbench needs {'.'.join(map(str, OLDEST))}", fix)
    if site.content and site.content != this_suite().content:
        message = f"{python} has daasbench {site.message}, here is {this_suite().message}"
        return wrong("versions", message, "install this one there, or name a bare Python by the option python")
    message = (
        f"{python} is Python {site.python}; the first run installs daasbench into {folder}, the nodes were not asked"
    )
    return warning("python", message, "look again after a first small run")
