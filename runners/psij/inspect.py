"""A platform of psij, looked at before it is used."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from daasbench.errors import MissingRequirement
from daasbench.inspection.platform import Finding, ok, warning, wrong
from daasbench.model import Platform

from ..here import folder_findings, inspect_here
from .schedulers import BY_NAME, require_psij, require_scheduler
from .specification import GIVES_GPUS, options_of


def inspect_psij(platform: Platform, folder: Path) -> list[Finding]:
    """Return whether psij and its scheduler are here; of a node, what can be seen from this machine."""
    options = options_of(platform)
    found = [*_psij(), *_scheduler(options.executor)]
    if options.executor == "local":
        return [*found, *inspect_here(platform, folder)]
    found += folder_findings(folder)
    if platform.gpus_per_node and options.executor not in GIVES_GPUS and not options.attributes:
        fix = "ask for them by attributes, in your scheduler's own words"
        found.append(wrong("GPUs", f"psij asks {options.executor} for none", fix))
    if platform.cores_per_node is None:
        message = 'none declared: threads = "max" would be those of this machine'
        found.append(warning("cores", message, "write cores_per_node"))
    if options.executor not in BY_NAME:
        message = f"a job whose number was lost cannot be asked for by name of {options.executor}"
        found.append(warning("recovery", message, "such a job does nothing when it starts; its cases are sent again"))
    message = "not asked: psij has no question for nodes, queues and limits"
    return [*found, warning("node", message, "try a small case: daasbench run quickstart --platform P")]


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
    return [ok("scheduler", f"{executor} can be reached by its commands here")]
