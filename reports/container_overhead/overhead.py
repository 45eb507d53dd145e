"""Evidence to figures: the start of each kind, and the ratio of times inside to times outside.

Only verified processes count. Where the platforms ran alternately (a record says with which), the ratio is paired by
set of processes, so that drift of the machine hits both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daasbench.host.containers import container_of
from daasbench.model import Basis, Case, Outcome, Record
from daasbench.statistics import Interval, across_processes, ratio

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

PROBE = "start_"
PLAIN = "start_process"
STARTS = {
    PLAIN: "no container",
    "start_user_namespace": "a user namespace",
    "start_bwrap": "bubblewrap",
    "start_podman": "podman",
}
ENGINES = {"unshare": "a user namespace", "bwrap": "bubblewrap"}  # others are called by their name
Set = tuple[str, int]  # run and index of the set of processes


@dataclass(frozen=True, kw_only=True)
class ContainerStart:
    """What one start of a kind takes, seconds."""

    probe: str
    platform: str
    seconds: Interval
    records: tuple[Record, ...]  # of the processes that count

    @property
    def what(self) -> str:
        """Return in what a process is started, in words."""
        return STARTS.get(self.probe, self.probe.removeprefix(PROBE).replace("_", " "))


@dataclass(frozen=True, kw_only=True)
class SlowDown:
    """How many times as long a case takes inside; `ratio` has no interval where a side has one process."""

    case: Case
    native: str  # platform
    platform: str
    container: str
    interleaved: bool
    outside: Interval
    inside: Interval
    ratio: Interval
    records: tuple[Record, ...]  # of the processes that count, outside and inside

    @property
    def where(self) -> str:
        """Return where it ran, in words: ``"bubblewrap"``."""
        engine = self.container.partition(" ")[0]
        return ENGINES.get(engine, engine)


@dataclass(frozen=True, kw_only=True)
class ContainerGap:
    """A case without a figure, and why."""

    kernel: str
    platform: str
    outcome: str
    message: str
    count: int


@dataclass(frozen=True, kw_only=True)
class ObservedPlatform:
    """Where a platform's workers ran, as they observed it."""

    platform: str
    container: str  # as declared; empty: none
    virtual: str
    host: str
    cpu: str
    os: str
    commits: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """All that the page says."""

    starts: list[ContainerStart] = field(default_factory=list)
    slow_downs: list[SlowDown] = field(default_factory=list)
    gaps: list[ContainerGap] = field(default_factory=list)
    platforms: list[ObservedPlatform] = field(default_factory=list)


def overhead(evidence: Evidence) -> Overhead:
    """Return what the evidence says of containers."""
    containers = _containers(evidence)
    medians = _medians(evidence)
    return Overhead(
        starts=_starts(evidence, medians),
        slow_downs=list(_slow_downs(evidence, containers, medians)),
        gaps=_gaps(evidence),
        platforms=_platforms(evidence, containers),
    )


def _containers(evidence: Evidence) -> dict[str, str]:
    """Return what container each platform declares, empty without."""
    found = {}
    for job in evidence.jobs.values():
        container = container_of(job.platform.options)
        found[job.platform_name] = container.label if container else ""
    return found


def _medians(evidence: Evidence) -> dict[tuple[str, str], dict[Set, float]]:
    """Return the median seconds of the processes that count, by case and platform; none if any was wrong."""
    values = evidence.table["median_s"].tolist()
    found: dict[tuple[str, str], dict[Set, float]] = {}
    wrong = {(one.case.id, one.platform) for one in evidence.records if one.outcome is Outcome.WRONG}
    for record, median_s in zip(evidence.records, values, strict=True):
        place = (record.case.id, record.platform)
        if record.outcome is Outcome.OK and record.basis is Basis.MEASURED and place not in wrong and median_s > 0:
            found.setdefault(place, {})[record.run, record.process] = median_s
    return found


def _probe(case: Case) -> str:
    return str(case.options.get("probe", "")) if case.kernel == "probes" else ""


def _starts(evidence: Evidence, medians: Mapping[tuple[str, str], Mapping[Set, float]]) -> list[ContainerStart]:
    found: dict[tuple[str, str], ContainerStart] = {}
    for record in evidence.records:
        seconds = medians.get((record.case.id, record.platform))
        if _probe(record.case).startswith(PROBE) and seconds and record.work:
            each = [one / record.work.units for one in seconds.values()]
            probe = _probe(record.case)
            found[probe, record.platform] = ContainerStart(
                probe=probe, platform=record.platform, seconds=across_processes(each),
                records=tuple(
                    one
                    for one in _right(evidence.records)
                    if (one.case.id, one.platform) == (record.case.id, record.platform)
                ),
            )  # fmt: skip
    order = list(STARTS)
    return sorted(found.values(), key=lambda one: (order.index(one.probe) if one.probe in order else 9, one.platform))


def _slow_downs(
    evidence: Evidence, containers: Mapping[str, str], medians: Mapping[tuple[str, str], Mapping[Set, float]]
) -> Iterator[SlowDown]:
    by_case: dict[str, dict[str, list[Record]]] = {}
    for record in evidence.records:
        if not _probe(record.case).startswith(PROBE):
            by_case.setdefault(record.case.id, {}).setdefault(record.platform, []).append(record)
    for case_id, platforms in sorted(by_case.items(), key=lambda one: _order(next(iter(one[1].values()))[0].case)):
        natives = [name for name in sorted(platforms) if not containers.get(name) and (case_id, name) in medians]
        for name in sorted(platforms):
            if not containers.get(name) or (case_id, name) not in medians or not natives:
                continue
            right = _right(platforms[name])  # one that was killed has no list
            record = right[0]
            native = next((one for one in natives if one in record.interleaved_with), natives[0])
            interleaved = all(native in one.interleaved_with for one in right)
            inside, outside = medians[case_id, name], medians[case_id, native]
            yield SlowDown(
                case=record.case,
                native=native,
                platform=name,
                container=containers[name],
                interleaved=interleaved,
                outside=across_processes(list(outside.values())),
                inside=across_processes(list(inside.values())),
                ratio=_ratio(outside, inside, paired=interleaved),
                records=(*_right(platforms[native]), *right),
            )


def _right(records: Iterable[Record]) -> list[Record]:
    return [one for one in records if one.outcome is Outcome.OK and one.basis is Basis.MEASURED]


def _ratio(outside: Mapping[Set, float], inside: Mapping[Set, float], *, paired: bool) -> Interval:
    """Return inside over outside: over the sets that both have, if they ran alternately."""
    both = sorted(outside.keys() & inside.keys())
    if paired and both:
        return ratio(
            {at: outside[one] for at, one in enumerate(both)}, {at: inside[one] for at, one in enumerate(both)}
        )
    return ratio(dict(enumerate(outside.values())), {-1 - at: value for at, value in enumerate(inside.values())})


def _order(case: Case) -> tuple[str, str, str, str, int]:
    return case.kernel, str(sorted(case.options.items())), case.implementation, case.size or "", case.threads


def _gaps(evidence: Evidence) -> list[ContainerGap]:
    counts: dict[tuple[str, str, str, str], int] = {}
    for record in evidence.records:
        if record.outcome is not Outcome.OK:
            message = record.message or (str(record.reason) if record.reason else "")
            key = (title(record.case), record.platform, str(record.outcome), message)
            counts[key] = counts.get(key, 0) + 1
    for missing in evidence.planned_missing:
        key = (title(missing.planned.case), missing.platform, "not yet run", "run the same command again to measure it")
        counts[key] = counts.get(key, 0) + 1
    return [
        ContainerGap(kernel=kernel, platform=platform, outcome=outcome, message=message, count=count)
        for (kernel, platform, outcome, message), count in sorted(counts.items())
    ]


def _platforms(evidence: Evidence, containers: Mapping[str, str]) -> list[ObservedPlatform]:
    found: dict[tuple[str, str], list[Record]] = {}
    for record in evidence.records:
        if record.outcome is not Outcome.SKIPPED and record.machine:
            found.setdefault((record.platform, record.machine), []).append(record)
    places = {}
    for (name, machine), records in sorted(found.items()):
        seen = evidence.machines.get(machine)
        if seen is not None:
            commits = tuple(sorted({one.commit for one in records}))
            place = ObservedPlatform(
                platform=name,
                container=containers.get(name, ""),
                virtual=seen.virtual or "",
                host=seen.host,
                cpu=seen.cpu,
                os=seen.os,
                commits=commits,
            )
            places[place] = place
    return list(places)


def title(case: Case) -> str:
    """Return which case it is, in words: kernel, implementation, probe, size, threads."""
    options = "".join(f", {value}" for _, value in sorted(case.options.items()))
    threads = "1 thread" if case.threads == 1 else f"{case.threads} threads"
    what = f"size {case.size}" if case.size else str(case.input)
    return f"{case.kernel} / {case.implementation}{options}, {what}, {threads}"
