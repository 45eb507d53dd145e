"""The machines, what disturbed them, and how to measure the same again."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from daasbench.evidence.claims import ProblemResults
from daasbench.evidence.cores import cores_used
from daasbench.evidence.disturbance import sample_counts, share_in_words
from daasbench.evidence.entries import Entry
from daasbench.model import Limits, Machine, Record
from daasbench.records.layout import RUNS_FOLDER, SCENARIO_FILE
from daasbench.statistics import WIDEST

from .claims_in_words import source, title
from .numbers import counted, flow, listed, memory, number

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

MORE = 1.1  # times the declared cores: less is the error of the clock of processor time
MACHINES, RUNS = 12, 5  # shown on a page; more are counted


@dataclass(frozen=True, kw_only=True)
class LimitRow:
    """One limit of a machine, in words."""

    name: str
    value: str
    spread: str
    repeats: str


@dataclass(frozen=True, kw_only=True)
class ObservedMachine:
    """A machine with the limits that were measured on it."""

    name: str
    facts: tuple[tuple[str, str], ...]
    limits: tuple[tuple[str, tuple[LimitRow, ...], tuple[str, ...]], ...]
    warnings: tuple[str, ...]


def machines(evidence: Evidence) -> list[ObservedMachine]:
    """Return every machine of the evidence once, however many jobs saw it."""
    used: dict[str, list[Record]] = {}
    for record in evidence.records:
        if record.machine in evidence.machines:
            used.setdefault(_same(evidence.machines[record.machine]), []).append(record)
    found = []
    for records in used.values():
        machine = evidence.machines[records[0].machine or ""]
        keys = {record.limits for record in records if record.limits in evidence.limits}
        latest = {limits.threads: limits for limits in sorted(
            (evidence.limits[key] for key in keys if key), key=lambda one: one.measured_at)}  # fmt: skip
        found.append(_observed(machine, records, [latest[threads] for threads in sorted(latest)]))
    return found


def _same(machine: Machine) -> str:
    """Return what is equal for two observations of one machine."""
    return repr(msgspec.structs.replace(machine, id="", observed_at="", commit="", environment={}))


def _observed(machine: Machine, records: Sequence[Record], limits: Sequence[Limits]) -> ObservedMachine:
    platforms = listed(sorted({record.platform for record in records}))
    facts = [
        ("Platform", platforms),
        ("Processor", machine.cpu),
        ("Cores", f"{machine.cores} physical, {machine.threads} hardware threads, {machine.usable_cores} usable"),
        ("Memory", f"{memory(machine.memory_bytes)}, {memory(machine.usable_memory_bytes)} usable"),
        ("Last-level cache", memory(machine.last_level_cache_bytes) if machine.last_level_cache_bytes else "unknown"),
        ("Vector instructions", ", ".join(machine.instructions) or "unknown"),
        ("GPU", machine.gpu or "none seen"),
        ("Frequency governor", machine.governor or "unknown"),
        ("Virtual", machine.virtual or "no"),
        (
            "System",
            ", ".join(part for part in (machine.os, f"Python {machine.python}" if machine.python else "") if part),
        ),
    ]
    return ObservedMachine(
        name=machine.host or platforms,
        facts=tuple(fact for fact in facts if fact[1]),
        limits=tuple(_limits(one) for one in limits),
        warnings=tuple(_warnings(machine, records)),
    )


def _limits(limits: Limits) -> tuple[str, tuple[LimitRow, ...], tuple[str, ...]]:
    rows = tuple(
        LimitRow(
            name=name.replace("_", " "),
            value=flow(limit.value, limit.unit),
            spread=f"{flow(limit.low, limit.unit)} to {flow(limit.high, limit.unit)}{_caveat(name, limits)}",
            repeats=str(limit.repeats),
        )
        for name, limit in limits.values.items()
    )
    failed = tuple(f"{name}: {why}" for name, why in limits.failed.items())
    return f"{counted(limits.threads, 'thread')}{_origin_of(limits)}", rows, failed


def _origin_of(limits: Limits) -> str:
    """Return when limits were measured, if another run measured them: ``", measured 2026-11-22 by an earlier run"``."""
    return f", measured {limits.measured_at[:10]} by an earlier run" if limits.reused_from else ""


def _caveat(name: str, limits: Limits) -> str:
    """Return what a reader must know of the spread of a limit; empty if nothing."""
    limit, triad = limits.values[name], limits.values.get("triad")
    if name == "read" and triad and triad.value > limit.value:
        return "; disturbed: a read is not slower than a triad, whose rate is used"
    return "; disturbed: only the fastest repeat counts" if limit.high > WIDEST * limit.low else ""


def _warnings(machine: Machine, records: Sequence[Record]) -> list[str]:
    """Return what makes the figures of this machine less sure."""
    warned = []
    if machine.virtual:
        warned.append(f"This machine is virtual ({machine.virtual}). Other virtual machines may share its processor.")
    if machine.governor and machine.governor != "performance":
        warned.append(f"The frequency governor is {machine.governor!r}: the clock may change during a measurement.")
    return [*warned, *_disturbed_samples(records), *_more_cores_than_declared(machine, records)]


def _disturbed_samples(records: Sequence[Record]) -> list[str]:
    """Return how many samples other programs disturbed, and how many of them count."""
    counts = [sample_counts(record.samples) for record in records if record.samples]
    repeated, kept, timed = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0, 0)
    if not repeated + kept:
        return []
    share = share_in_words((repeated + kept) / timed)
    said = f"Other programs disturbed {repeated + kept} of {timed} samples ({share})."
    if repeated:
        said += f" {repeated} of them {'was' if repeated == 1 else 'were'} repeated and not counted."
    if kept:
        said += (
            f" {kept} of them {'is' if kept == 1 else 'are'} counted, because the last repeat of a round counts,"
            " disturbed or not. The raw samples show which."
        )
    return [said]


def _more_cores_than_declared(machine: Machine, records: Sequence[Record]) -> list[str]:
    """Return the warning on implementations that used more cores than their threads, where that can be told."""
    alike: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        key = (record.case.implementation, record.case.threads * record.case.ranks)
        alike.setdefault(key, []).append(record)
    found = {key: cores_used(mine, float(machine.usable_cores)) for key, mine in alike.items()}
    wide = [
        f"{name} ({number(used, 2)} cores on {counted(threads, 'thread')})"
        for (name, threads), used in sorted(found.items())
        if used and used > MORE * threads
    ]
    return [f"More cores were used than declared: {listed(wide[:5])}."] if wide else []


@dataclass(frozen=True, kw_only=True)
class RunProvenance:
    """How to measure one run again."""

    id: str
    commit: str
    dates: str
    command: str
    scenario: str


def runs(evidence: Evidence, report: str, among: Collection[str]) -> list[RunProvenance]:
    """Return the newest runs `among` those of the evidence, with the commands that repeat them and the report."""
    found: dict[str, list[Record]] = {}
    for record in evidence.records:
        if record.run in among:
            found.setdefault(record.run, []).append(record)
    made = []
    for run in sorted(found, key=lambda key: max(r.started_at for r in found[key]), reverse=True)[:RUNS]:
        records = found[run]
        commits = sorted({record.commit for record in records if record.commit})
        scenario = evidence.scenarios.get(run, "")
        checkout = [f"git checkout {shlex.quote(commits[-1])}"] if commits else []
        made.append(
            RunProvenance(
                id=run,
                commit=commits_of(records),
                dates=dates_of(records),
                command="\n".join([*checkout, *_commands(run, report)]),
                scenario=scenario,
            )
        )
    return made


def origin(evidence: Evidence, newest: Sequence[RunProvenance]) -> str:
    """Return where and when the evidence was measured: ``"Example 9000, 2 cores · 2026-11-22"``."""
    seen = {f"{one.cpu or one.host}, {counted(one.usable_cores, 'core')}" for one in evidence.machines.values()}
    where = next(iter(seen)) if len(seen) == 1 else counted(len(seen), "machine") if seen else ""
    return " · ".join(part for part in (where, newest[0].dates if newest else "") if part)


def dates_of(records: Sequence[Record]) -> str:
    """Return the days of the measurements: ``"2026-11-22 to 2026-11-24"``."""
    days = sorted({record.started_at[:10] for record in records if record.started_at})
    return " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "not recorded"


def commits_of(records: Sequence[Record]) -> str:
    """Return the commits of the suite that measured."""
    return listed(sorted({record.commit for record in records if record.commit})) or "not recorded"


def _commands(run: str, report: str) -> list[str]:
    folder = shlex.quote(f"results/{RUNS_FOLDER}/{run}/{SCENARIO_FILE}")
    return [
        f"daasbench run {folder} --results again   # measures the same cases in a new folder",
        f"daasbench report {report} --results results   # writes this page again from the records",
    ]


def versions(entries: Sequence[Entry]) -> list[tuple[str, str, str]]:
    """Return kernel, implementation and its versions, each once."""
    seen: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        seen.setdefault((entry.case.kernel, entry.case.implementation), set()).add(entry.case.version)
    return [(kernel, name, listed(sorted(found))) for (kernel, name), found in sorted(seen.items())]


def packages(evidence: Evidence) -> list[tuple[str, str]]:
    """Return the packages that the machines had, with their versions."""
    seen: dict[str, set[str]] = {}
    for machine in evidence.machines.values():
        for package, version in machine.packages.items():
            seen.setdefault(package, set()).add(version)
    return [(package, listed(sorted(found))) for package, found in sorted(seen.items())]


def inputs(problems: Sequence[ProblemResults]) -> list[tuple[str, str]]:
    """Return kernel and origin of every input: measured files with name and content hash, or generated."""
    seen = dict.fromkeys((title(problem.first.case), source(problem.first.case)) for problem in problems)
    return list(seen)


def peers_that_differ(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return what an implementation does in addition, as its kernel's card says."""
    return sorted({(entry.case.implementation, entry.adds) for entry in entries if entry.adds})
