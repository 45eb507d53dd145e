"""The check of one node of a Slurm: a test job of at most one minute, if a node is free at once."""

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

from ..local_preflight import CODE, nearest_existing
from .options import SlurmOptions
from .packaging import Installation, parse_probe, probe_program, this_installation
from .remote_python import OLDEST, RemotePython, is_too_old
from .render import LAUNCHER
from .transport import CommandResult, Transport

IMMEDIATE_S = 20  # seconds to wait for a free node; a test job does not wait in the queue
ANSWER_S = IMMEDIATE_S + 120.0
OUTSIDE = "daasbench doctor: outside of the container"  # printed by a node that starts no container
RESOURCES = ("cores", "memory", "GPUs")  # a test job sees its own share; sinfo lists the whole node
BUSY = ("busy", "immediate", "not available now")  # in srun's message if no node is free


def clusters(options: SlurmOptions) -> list[str]:
    """Return the flag that names one of several clusters, if the platform has it."""
    return [flag for flag in options.sbatch if flag.startswith("--clusters=")]


def request_flags(platform: Platform, options: SlurmOptions, nodes: int = 0, cores: int = 0) -> list[str]:
    """Return the flags that request nodes of a platform: all of them, or as many as named, without GPUs."""
    named = {key: getattr(options, key) for key in ("partition", "account", "qos", "constraint", "reservation")}
    gpus = platform.gpus_per_node if not nodes else None
    return [
        *(f"--{key}={value}" for key, value in named.items() if value),
        "--time=1",
        f"--nodes={nodes or platform.nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={cores or platform.cores_per_node or 1}",
        *([options.gpus.replace("{gpus}", str(gpus))] if gpus else []),
        *(flag for flag in options.sbatch if not flag.startswith("--mail")),
    ]


def check_node(transport: Transport, platform: Platform, options: SlurmOptions, folder: Path) -> list[Finding]:
    """Return the findings of a test job, if a node is free at once."""
    python = options.python or sys.executable
    findings: list[Finding] = []
    if options.apart:
        remote, findings = _remote_python(transport, options)
        if remote is None:
            return findings
        python = remote
    question = node.node_question(_with_launcher(platform.options), None if options.apart else nearest_existing(folder))
    results: list[CommandResult] = []
    began = utc_now()

    def run(command: list[str]) -> str:
        worker = [python, *command[1:]]
        lines = [*set_up(options), *_in_container(platform.options, worker, options, nearest_existing(folder))]
        flags = request_flags(platform, options, nodes=1, cores=node.RANKS)
        job = ["srun", f"--immediate={IMMEDIATE_S}", "--job-name=daasbench-doctor", *flags, "--ntasks=1"]
        bash = ["bash", "-lc" if options.modules else "-c", "; ".join(lines)]
        results.append(transport.run([*job, *bash], timeout_s=ANSWER_S))
        return results[-1].out

    try:
        probed, _ = node.probe(question, run)
    except OSError as error:  # the token cannot be written into the folder
        fix = "name a folder that can be written: --results DIR"
        return [*findings, wrong("folder", f"{folder}: {error.strerror}", fix)]
    if probed is None:
        return [*findings, no_answer_finding(results[-1], python)]
    own = [finding for finding in node_findings(probed, _undeclared(platform)) if finding.check not in RESOURCES]
    contained = container_findings(platform.options, results[-1])
    return [*findings, *contained, *own, *clock_findings(probed, began, utc_now())]


def _undeclared(platform: Platform) -> Platform:
    return msgspec.structs.replace(platform, cores_per_node=None, memory_gb=None, gpus_per_node=None)


def _with_launcher(options: Mapping[str, Option]) -> dict[str, Option]:
    return {"launcher": LAUNCHER, **{key: value for key, value in options.items() if key == "launcher"}}


def set_up(options: SlurmOptions) -> list[str]:
    """Return the lines of shell that run on a node before anything else."""
    loads = [f"module load {shlex.quote(name)} || exit" for name in options.modules]
    return [*loads, *options.setup, *(f"export {k}={shlex.quote(v)}" for k, v in options.environment.items())]


def no_answer_finding(result: CommandResult, python: str) -> Finding:
    """Return why a node did not answer."""
    message = result.last_line
    if "allocat" in message.lower() and any(text in result.err.lower() for text in BUSY):
        message = f"not checked: no node was free within {IMMEDIATE_S} s ({message})"
        return warning("node", message, "run doctor again when a node is free")
    if "No module named" in result.err and "daasbench" in result.err:
        fix = "install it there, or name a Python that has it by the option python"
        return wrong("node", f"{python} has no daasbench on the node", fix)
    return wrong("node", f"a test job ended without an answer: {message}", "correct modules, setup or python")


# --- the container ----------------------------------------------------------------------------------------------


def _in_container(
    platform_options: Mapping[str, Option], worker: list[str], options: SlurmOptions, folder: Path
) -> list[str]:
    """Return the lines that run a worker in the container that the platform names, or outside if none starts."""
    container = containers.container_of(platform_options)
    if container is None:
        return [shlex.join(worker)]
    visible = containers.Folders(writable=[str(folder), str(CODE)], readable=[sys.prefix])
    if options.apart:
        visible = containers.Folders(writable=[str(options.folder)])
    trial = containers.wrapped([worker[0], *containers.trial_command(container)[1:]], container, visible)
    inside = shlex.join(containers.wrapped(worker, container, visible))
    return [f"if {shlex.join(trial)}; then exec {inside}; fi", f"echo {shlex.quote(OUTSIDE)}", shlex.join(worker)]


def container_findings(platform_options: Mapping[str, Option], result: CommandResult) -> list[Finding]:
    """Return whether the node of a test job starts workers in the container that the platform names."""
    container = containers.container_of(platform_options)
    if container is None:
        return []
    if OUTSIDE not in result.out:
        return [ok("container", f"{container.label} starts a worker on the node")]
    lines = [line.strip() for line in result.err.splitlines() if line.strip() and not line.startswith("srun: ")]
    message = f"{container.label} starts no worker on the node" + (f": {lines[0][:300]}" if lines else "")
    return [wrong("container", message, containers.ENGINES[container.engine].fix)]


# --- the Python of another machine ------------------------------------------------------------------------------


def _remote_python(transport: Transport, options: SlurmOptions) -> tuple[str | None, list[Finding]]:
    """Return the Python that has this daasbench, and the findings about it; None if the first run will install it."""
    remote = RemotePython(transport, str(options.folder), options.python or "python3", options.extras)
    installed = installation_of(transport, remote.interpreter)
    if installed is not None and installed.content == remote.own.content:
        return remote.interpreter, [ok("versions", f"{remote.interpreter} has this daasbench")]
    site = installation_of(transport, remote.site_python)
    return None, [site_finding(site, remote.site_python, f"{transport.where}:{options.folder}")]


def installation_of(transport: Transport, python: str) -> Installation | None:
    """Return which daasbench a Python has; None if the Python does not run."""
    result = transport.run([python, "-"], stdin=probe_program(), timeout_s=ANSWER_S)
    try:
        return None if result.code else parse_probe(result.out)
    except ValueError:
        return None


def site_finding(site: Installation | None, python: str, folder: str) -> Finding:
    """Return whether the first run can make an environment from a site's Python."""
    fix = "name another by the option python, such as /opt/python/3.11/bin/python3"
    if site is None:
        return wrong("python", f"{python} does not run on the site", fix)
    if is_too_old(site):
        return wrong("python", f"{python} is Python {site.python}, daasbench needs {'.'.join(map(str, OLDEST))}", fix)
    if site.content and site.content != this_installation().content:
        message = f"{python} has daasbench {site.label}, this machine has {this_installation().label}"
        return wrong("versions", message, "install this one there, or name a bare Python by the option python")
    message = f"{python} is Python {site.python}; the first run installs daasbench into {folder}; no node was checked"
    return warning("python", message, "run doctor again after a first small run")
