"""Preflight checks of a platform whose runner is ``psij``."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from daasbench.errors import MissingRequirement
from daasbench.inspection.platform import Finding, ok, warning, wrong
from daasbench.model import Platform

from ..local_preflight import check_this_machine, folder_findings
from .schedulers import BY_NAME, require_psij, require_scheduler
from .specification import GIVES_GPUS, options_of


def check_psij(platform: Platform, folder: Path) -> list[Finding]:
    """Return whether psij and its scheduler are available, and what this machine knows of the nodes."""
    options = options_of(platform)
    findings = [*_psij(), *_scheduler(options.executor)]
    if options.executor == "local":
        return [*findings, *check_this_machine(platform, folder)]
    findings += folder_findings(folder)
    if platform.gpus_per_node and options.executor not in GIVES_GPUS and not options.attributes:
        fix = "request them by the option attributes, with the directives of your scheduler"
        findings.append(wrong("GPUs", f"psij requests no GPUs from {options.executor}", fix))
    if platform.cores_per_node is None:
        message = 'cores_per_node is missing: cases with threads or ranks = "max" are refused'
        findings.append(warning("cores", message, "write cores_per_node = the number of cores of a node"))
    if options.executor not in BY_NAME:
        message = f"if the number of a job is lost, {options.executor} cannot find the job by its name"
        findings.append(
            warning("recovery", message, "do nothing: such a job ends at once, and its cases are sent again")
        )
    message = "not checked: psij cannot query nodes, queues and limits"
    return [*findings, warning("node", message, "try a small case: daasbench run quickstart --platform P")]


def _psij() -> list[Finding]:
    try:
        require_psij()
    except MissingRequirement as missing:
        return [wrong("psij", missing.what, missing.fix)]
    return [ok("psij", f"psij-python {metadata.version('psij-python')}")]


def _scheduler(executor: str) -> list[Finding]:
    try:
        require_scheduler(executor)
    except MissingRequirement as missing:
        return [wrong("scheduler", missing.what, missing.fix)]
    return [ok("scheduler", f"the commands of {executor} are on this machine")]
