"""A look at a platform before it is used: pure data out, ``daasbench doctor --platform P`` prints it.

What holds for every platform is looked at here; what only its runner can know, the runner tells, if it is one of
the `Inspecting` ones. A bad file is refused as everywhere (ScenarioError); whatever else is wrong is a finding.
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
from daasbench.inspection.node import RANKS, Presence
from daasbench.model import Noun, Option, Platform, Price
from daasbench.scenario.platforms import load_platform
from daasbench.version import __version__

OLD_DAYS = 365  # of a price: cloud lists and energy contracts change about yearly
SKEW_S = 5.0  # of a node's clock, beyond the time that its answer took: job records of two clocks contradict
MEMORY_SLACK = 1.1  # declared over seen: firmware and kernel keep some of what is sold


class FindingLevel(StrEnum):
    """How a finding stands."""

    OK = "ok"
    WARNING = "warning"  # it runs, and a reader may be misled or surprised
    WRONG = "wrong"  # a run would fail, or leave out what it was asked for


class Finding(Noun, frozen=True, kw_only=True):
    """One thing that was looked at, what was seen, and what mends it."""

    level: FindingLevel
    check: str  # file, price, partition, launcher ...: a word or two
    message: str  # one sentence
    fix: str = ""  # of what is not ok


class Inspection(Noun, frozen=True, kw_only=True):
    """All that was found of one platform."""

    platform: str
    runner: str
    description: str
    findings: list[Finding]

    @property
    def usable(self) -> bool:
        """Return whether nothing would make a run fail."""
        return all(one.level is not FindingLevel.WRONG for one in self.findings)


@runtime_checkable
class Inspecting(Protocol):
    """What a runner may offer: a look at a platform before it is used."""

    def inspect(self, platform: Platform, folder: Path) -> list[Finding]:
        """Return what is found there; what does not answer is a finding, never an exception.

        Parameters
        ----------
        folder
            Where results shall be kept, which the nodes must see if the platform shares it with them.
        """
        ...


def ok(check: str, message: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(level=FindingLevel.OK, check=check, message=message)


def warning(check: str, message: str, fix: str = "") -> Finding:
    """Return that something may mislead or surprise."""
    return Finding(level=FindingLevel.WARNING, check=check, message=message, fix=fix)


def wrong(check: str, message: str, fix: str) -> Finding:
    """Return that something would make a run fail, and what mends it."""
    return Finding(level=FindingLevel.WRONG, check=check, message=message, fix=fix)


# --- the platform ---------------------------------------------------------------------------------------------


def check_platform(named: str, *, folder: Path, results: Path, today: datetime.date) -> Inspection:
    """Return what is found of a platform: the name of a shipped file, or a path relative to `folder`.

    Raises
    ------
    ScenarioError, UnknownName
        The file is wrong, or there is none.
    """
    name, declared = load_platform(named, folder, f"--platform {named}")
    findings = [ok("file", f"valid; {_declared(declared)}"), price_finding(declared.price, today)]
    runner = registry.runner(declared.runner)
    if not isinstance(runner, Inspecting):
        message = f"the runner {declared.runner} cannot look at its platforms"
        findings.append(warning("runner", message, "try a small case: daasbench run quickstart --platform P"))
    else:
        try:
            findings += runner.inspect(declared, results)
        except (DaasbenchError, OSError) as error:
            fix = "mend that, and look again"
            findings.append(wrong("runner", f"{declared.runner}: {error}", fix))
    return Inspection(platform=name, runner=declared.runner, description=declared.description, findings=findings)


def _declared(platform: Platform) -> str:
    """Return the resources of a platform's file in words."""
    words = [f"{platform.nodes} node{'s' if platform.nodes > 1 else ''}"]
    for count, noun in ((platform.cores_per_node, "cores"), (platform.gpus_per_node, "GPUs")):
        if count is not None:
            words.append(f"{count} {noun}")
    if platform.memory_gb is not None:
        words.append(f"{platform.memory_gb:g} GB")
    return f"runner {platform.runner}, {words[0]}" + (f" of {', '.join(words[1:])}" if words[1:] else "")


def price_finding(price: Price | None, today: datetime.date) -> Finding:
    """Return whether a platform has a price, and how old that is."""
    if price is None:
        fix = "declare one: docs/how-to/own-platform.md"
        return warning(
            "price", "none: nothing that is measured here has a cost, and --budget refuses to run it alone", fix
        )
    days = (today - price.date).days
    message = f"{price.amount} {price.currency} per {price.per} of {price.date} ({price.basis}; {price.source})"
    if days < 0:
        return warning("price", f"{message}: valid only in {-days} days", "give the price that is valid now")
    aged = f"{message}, {days} days old"
    return ok("price", aged) if days <= OLD_DAYS else warning("price", aged, "look it up again and date it anew")


# --- the machine behind it ------------------------------------------------------------------------------------


def presence_findings(seen: Presence, platform: Platform, *, own: bool = False) -> list[Finding]:
    """Return how what a node says of itself agrees with what is declared, and with this side.

    Parameters
    ----------
    own
        Whether the node is this machine, whose resources need no declaration.
    """
    found = [
        _versions(seen, own),
        *resource_findings(platform, seen.host, seen.cores, seen.memory_gb, len(seen.gpus), own),
    ]
    if seen.folder:
        fix = "name a folder that the nodes share: --results DIR"
        found.append(wrong("folder", f"on {seen.host}: {seen.folder}", fix))
    found += ranks_findings(seen, platform.options)
    return found


def _versions(seen: Presence, own: bool) -> Finding:
    here, message = (
        python_platform.python_version(),
        f"daasbench {seen.daasbench} on Python {seen.python} at {seen.host}",
    )
    if seen.daasbench != __version__:
        fix = f"install daasbench {__version__} there, or the other one here"
        return wrong("versions", f"{message}, and {__version__} here", fix)
    if not own and seen.content and (content := suite_content()) != seen.content:
        message = f"{message}, of other code (content {seen.content}) than here ({content}): it would refuse every job"
        return wrong("versions", message, "use the same environment on both sides: the platform's option python")
    if seen.commit != machine.suite_commit():
        return warning("versions", f"{message}, of commit {seen.commit}, here {machine.suite_commit()}", "update one")
    if seen.python.split(".")[:2] != here.split(".")[:2]:
        return warning("versions", f"{message}, Python {here} here", "records of both are fine; compare with care")
    return ok("versions", message)


def resource_findings(
    platform: Platform, who: str, cores: int, memory_gb: float, gpus: int, own: bool = False
) -> list[Finding]:
    """Return how a platform's declared cores, memory and GPUs agree with what `who` has."""
    found = [_count("cores", platform.cores_per_node, cores, who, own)]
    if platform.memory_gb is None:
        found.append(ok("memory", f"{who} has {memory_gb:.3g} GB"))
    elif platform.memory_gb > memory_gb * MEMORY_SLACK:
        message = f"{platform.memory_gb:g} GB are declared, {who} has {memory_gb:.3g}"
        found.append(wrong("memory", message, f"write memory_gb = {int(memory_gb)}"))
    else:
        found.append(ok("memory", f"{platform.memory_gb:g} GB are declared, {who} has {memory_gb:.3g}"))
    return [*found, _count("GPUs", platform.gpus_per_node, gpus, who, own)]


def _count(noun: str, declared: int | None, seen: int, who: str, own: bool) -> Finding:
    key = f"{noun.lower()}_per_node"
    if declared is None and (own or (noun == "GPUs" and not seen)):
        return ok(noun, f"{who} has {seen}")
    if declared is None:
        message = f"none declared, {who} has {seen}: what this machine has is taken for its number"
        return warning(noun, message, f"write {key} = {seen}")
    message = f"{declared} declared, {who} has {seen}"
    return wrong(noun, message, f"write {key} = {seen}") if declared > seen else ok(noun, message)


def ranks_findings(seen: Presence, options: dict[str, Option]) -> list[Finding]:
    """Return whether the launcher starts ranks that see each other."""
    if seen.missing:
        if "launcher" in options:
            return [wrong("launcher", seen.missing, seen.fix)]
        return [warning("launcher", f"{seen.missing}: cases with several ranks are skipped", seen.fix)]
    if not seen.sizes:
        return []
    if seen.sizes == [RANKS] * RANKS:
        return [ok("launcher", f"starts {RANKS} ranks that see each other ({seen.mpi or 'MPI'})")]
    if set(seen.sizes) == {1}:
        message = (
            f"starts {len(seen.sizes)} ranks of which each is alone: it is of another MPI than {seen.mpi or 'ours'}"
        )
        fix = f"name the mpiexec of {seen.mpi or 'the MPI of mpi4py'} in the option launcher, or leave it out"
        return [wrong("launcher", message, fix)]
    message = f"{RANKS} ranks were asked for; they say that they are {', '.join(map(str, seen.sizes))}"
    return [wrong("launcher", message, "give the launcher the number as {ranks}")]


def clock_findings(seen: Presence, asked: str, answered: str) -> list[Finding]:
    """Return whether a node's clock agrees with ours, which stood at `asked` before and at `answered` after."""
    then, before, after = (datetime.datetime.fromisoformat(one) for one in (seen.at, asked, answered))
    skew_s = max((before - then).total_seconds(), (then - after).total_seconds())
    if skew_s <= SKEW_S:
        return []
    message = f"that of {seen.host} is off by {skew_s:.0f} s or more: queue times in the job records are off as much"
    return [warning("clock", message, "let its clock follow a time server")]


def worst(findings: Sequence[Finding]) -> FindingLevel:
    """Return the worst level of some findings."""
    order = list(FindingLevel)
    return max((one.level for one in findings), key=order.index, default=FindingLevel.OK)
