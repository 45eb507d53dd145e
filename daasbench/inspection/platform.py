"""Preflight checks of a platform before it is used; ``daasbench doctor --platform P`` prints the findings.

The checks that hold for every platform are in this module; a runner that implements `Inspecting` adds its own. A bad
file is an error as everywhere (ScenarioError); anything else that is wrong is a finding.
"""

from __future__ import annotations

import datetime
import platform as python_platform
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from daasbench import registry
from daasbench.errors import DaasbenchError
from daasbench.host import machine
from daasbench.host.code_fingerprint import suite_content
from daasbench.inspection.node import RANKS, NodeFacts
from daasbench.model import Noun, Option, Platform, Price
from daasbench.scenario.platforms import load_platform
from daasbench.version import __version__

OLD_DAYS = 365  # an older price gets a warning: cloud lists and energy contracts change about yearly
SKEW_S = 5.0  # allowed error of the clock of a node; a larger error makes the times in job records wrong
MEMORY_SLACK = 1.1  # declared over observed memory: firmware and kernel reserve a part


class FindingLevel(StrEnum):
    """The level of a finding."""

    OK = "ok"
    WARNING = "warning"  # a run succeeds, but may mislead or surprise
    WRONG = "wrong"  # a run would fail, or skip requested cases


class Finding(Noun, frozen=True, kw_only=True):
    """The result of one check: its level, what was found, and the fix."""

    level: FindingLevel
    check: str  # name of the check: file, price, partition, launcher ...
    message: str  # one sentence
    fix: str = ""  # empty if the level is ok


class Inspection(Noun, frozen=True, kw_only=True):
    """The findings of all checks of one platform."""

    platform: str
    runner: str
    description: str
    findings: list[Finding]

    @property
    def usable(self) -> bool:
        """Return whether nothing would make a run fail."""
        return all(finding.level is not FindingLevel.WRONG for finding in self.findings)


@runtime_checkable
class Inspecting(Protocol):
    """A runner that adds preflight checks of its platforms."""

    def inspect(self, platform: Platform, folder: Path) -> list[Finding]:
        """Return the findings of the platform; something that does not answer is a finding, never an exception.

        Parameters
        ----------
        folder
            The results folder, which the nodes must see if the platform shares it with them.
        """
        ...


def ok(check: str, message: str) -> Finding:
    """Return the finding that a check passed."""
    return Finding(level=FindingLevel.OK, check=check, message=message)


def warning(check: str, message: str, fix: str = "") -> Finding:
    """Return the finding that something may mislead or surprise."""
    return Finding(level=FindingLevel.WARNING, check=check, message=message, fix=fix)


def wrong(check: str, message: str, fix: str) -> Finding:
    """Return the finding that something would make a run fail, and the fix."""
    return Finding(level=FindingLevel.WRONG, check=check, message=message, fix=fix)


def write_one_of(key: str, known: Sequence[str]) -> str:
    """Return the line of TOML to write, and the other values: ``'write partition = "cpu" (or "gpu")'``."""
    first, *others = (f'"{value}"' for value in known)
    return f"write {key} = {first}" + (f" (or {', '.join(others)})" if others else "")


# --- the platform ---------------------------------------------------------------------------------------------


def check_platform(named: str, *, folder: Path, results: Path, today: datetime.date) -> Inspection:
    """Return the findings of a platform; `named` is the name of a shipped file or a path relative to `folder`.

    Raises
    ------
    ScenarioError, UnknownName
        If the file is wrong, or does not exist.
    """
    name, declared = load_platform(named, folder, f"--platform {named}")
    findings = [ok("file", f"valid; {_declared(declared)}"), price_finding(declared.price, today)]
    runner = registry.runner(declared.runner)
    if not isinstance(runner, Inspecting):
        message = f"the runner {declared.runner} has no preflight checks"
        findings.append(warning("runner", message, "try a small case: daasbench run quickstart --platform P"))
    else:
        try:
            findings += runner.inspect(declared, results)
        except (DaasbenchError, OSError) as error:
            findings.append(wrong("runner", f"{declared.runner}: {error}", "correct this, and run doctor again"))
    return Inspection(platform=name, runner=declared.runner, description=declared.description, findings=findings)


def _declared(platform: Platform) -> str:
    """Return the resources of a platform's file in words."""
    parts = [f"{platform.nodes} node{'s' if platform.nodes > 1 else ''}"]
    for count, noun in ((platform.cores_per_node, "cores"), (platform.gpus_per_node, "GPUs")):
        if count is not None:
            parts.append(f"{count} {noun}")
    if platform.memory_gb is not None:
        parts.append(f"{platform.memory_gb:g} GB")
    return f"runner {platform.runner}, {parts[0]}" + (f" of {', '.join(parts[1:])}" if parts[1:] else "")


def price_finding(price: Price | None, today: datetime.date) -> Finding:
    """Return whether a platform has a price, and how old that is."""
    if price is None:
        message = "no price is declared: reports show no cost, and --budget cannot be used"
        return warning("price", message, "to see a declared price: daasbench show platform here-priced")
    days = (today - price.date).days
    message = f"{price.amount} {price.currency} per {price.per} of {price.date} ({price.basis}; {price.source})"
    if days < 0:
        return warning("price", f"{message}: valid only in {-days} days", "declare the price that is valid now")
    aged = f"{message}, {days} days old"
    return ok("price", aged) if days <= OLD_DAYS else warning("price", aged, "look it up again and update its date")


# --- the machine behind it ------------------------------------------------------------------------------------


def node_findings(seen: NodeFacts, platform: Platform, *, own: bool = False) -> list[Finding]:
    """Return how the facts of a node agree with the declared platform and with this machine.

    Parameters
    ----------
    own
        Whether the node is this machine, whose resources need not be declared.
    """
    findings = [
        _versions(seen, own),
        *resource_findings(platform, seen.host, seen.cores, seen.memory_gb, len(seen.gpus), own),
    ]
    if seen.folder:
        fix = "name a folder that the nodes share: --results DIR"
        findings.append(wrong("folder", f"on {seen.host}: {seen.folder}", fix))
    findings += ranks_findings(seen, platform.options)
    return findings


def _versions(seen: NodeFacts, own: bool) -> Finding:
    python = python_platform.python_version()
    message = f"daasbench {seen.daasbench} on Python {seen.python} at {seen.host}"
    if seen.daasbench != __version__:
        fix = f"install daasbench {__version__} on the node, or {seen.daasbench} on this machine"
        return wrong("versions", f"{message}, but {__version__} on this machine", fix)
    if not own and seen.content and (content := suite_content()) != seen.content:
        message = (
            f"{message}, but its code (content {seen.content}) differs from that of this machine ({content}), so"
            " it refuses every job"
        )
        return wrong("versions", message, "use the same environment on both: the platform's option python")
    if seen.commit != machine.suite_commit():
        return warning(
            "versions",
            f"{message}, commit {seen.commit}, but commit {machine.suite_commit()} on this machine",
            "update one of them, so that both have the same commit",
        )
    if seen.python.split(".")[:2] != python.split(".")[:2]:
        return warning(
            "versions",
            f"{message}, but Python {python} on this machine",
            "the records of both are valid, but speeds may differ: use the same Python on both",
        )
    return ok("versions", message)


def resource_findings(
    platform: Platform, host: str, cores: int, memory_gb: float, gpus: int, own: bool = False
) -> list[Finding]:
    """Return how a platform's declared cores, memory and GPUs agree with what `host` has."""
    findings = [_count("cores", platform.cores_per_node, cores, host, own)]
    if platform.memory_gb is None:
        findings.append(ok("memory", f"{host} has {memory_gb:.3g} GB"))
    elif platform.memory_gb > memory_gb * MEMORY_SLACK:
        message = f"{platform.memory_gb:g} GB declared, but {host} has only {memory_gb:.3g}"
        findings.append(wrong("memory", message, f"write memory_gb = {int(memory_gb)}"))
    else:
        findings.append(ok("memory", f"{platform.memory_gb:g} GB declared, {host} has {memory_gb:.3g}"))
    return [*findings, _count("GPUs", platform.gpus_per_node, gpus, host, own)]


def _count(noun: str, declared: int | None, seen: int, host: str, own: bool) -> Finding:
    key = f"{noun.lower()}_per_node"
    if declared is None and (own or (noun == "GPUs" and not seen)):
        return ok(noun, f"{host} has {seen}")
    if declared is None:
        return warning(noun, f"{key} is missing; {host} has {seen} {noun}", f"write {key} = {seen}")
    message = f"{declared} declared, {host} has {seen}"
    return wrong(noun, message, f"write {key} = {seen}") if declared > seen else ok(noun, message)


def ranks_findings(seen: NodeFacts, options: dict[str, Option]) -> list[Finding]:
    """Return whether the launcher starts ranks that communicate with each other."""
    if seen.missing:
        if "launcher" in options:
            return [wrong("launcher", seen.missing, seen.fix)]
        return [warning("launcher", f"{seen.missing}: cases with several ranks are skipped", seen.fix)]
    if not seen.sizes:
        return []
    if seen.sizes == [RANKS] * RANKS:
        return [ok("launcher", f"starts {RANKS} ranks that communicate ({seen.mpi or 'MPI'})")]
    if set(seen.sizes) == {1}:
        message = (
            f"starts {len(seen.sizes)} separate ranks, because it belongs to another MPI than {seen.mpi or 'mpi4py'}"
        )
        fix = f"name the mpiexec of {seen.mpi or 'the MPI of mpi4py'} in the option launcher, or remove the option"
        return [wrong("launcher", message, fix)]
    message = f"{RANKS} ranks were requested, but the ranks report {', '.join(map(str, seen.sizes))} ranks"
    return [wrong("launcher", message, "pass the number to the launcher as {ranks}")]


def clock_findings(seen: NodeFacts, asked: str, answered: str) -> list[Finding]:
    """Return whether the clock of a node agrees with this machine's: `asked` and `answered` are before and after."""
    then, before, after = (datetime.datetime.fromisoformat(time) for time in (seen.at, asked, answered))
    skew_s = max((before - then).total_seconds(), (then - after).total_seconds())
    if skew_s <= SKEW_S:
        return []
    message = f"the clock of {seen.host} is off by {skew_s:.0f} s or more, and so are queue times in job records"
    return [warning("clock", message, "synchronise the clock with a time server")]


def worst(findings: Sequence[Finding]) -> FindingLevel:
    """Return the worst level of some findings."""
    order = list(FindingLevel)
    return max((finding.level for finding in findings), key=order.index, default=FindingLevel.OK)
