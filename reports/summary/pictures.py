"""Which figures the report shows, and what goes into them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from daasbench.evidence.claims import ComparisonGroup, ProblemResults
from daasbench.evidence.disturbance import disturbed_share, share_in_words
from daasbench.evidence.entries import Entry, ProcessResult

from ..blocks.claims_in_words import details, group_answer, name, on, title
from ..blocks.comparison_table import limit_words, role
from ..blocks.intervals import cell, share, speed_of, time
from ..blocks.numbers import counted, duration, plural
from ..blocks.page import CaptionedFigure
from ..figures import canvas, dots, roof, stacks, trace

if TYPE_CHECKING:
    from daasbench.evidence import Evidence
    from daasbench.model import Limits

FEW, PROBLEMS = 8, 4  # up to FEW problems all have figures; of more, PROBLEMS do: a hundred would be too many to read
IMPLEMENTATIONS = 14  # in a comparison
TRACES = 6  # in a figure of samples: as many as there are colours to distinguish
POINTS = 900  # samples drawn in one figure
ROOFS = 2


def chosen(problems: Sequence[ProblemResults]) -> list[ProblemResults]:
    """Return the problems that get figures: the first of each kernel, then the second of each, and so on."""
    seen: Counter[str] = Counter()
    ranked = []
    for index, problem in enumerate(problems):
        if any(group.comparable for group in problem.groups):
            kernel = problem.first.case.kernel
            ranked.append((seen[kernel], index, problem))
            seen[kernel] += 1
    keep = sorted(ranked, key=lambda one: one[:2])[: FEW if len(ranked) <= FEW else PROBLEMS]
    return [problem for _, _, problem in sorted(keep, key=lambda one: one[1])]


def pictures(problem: ProblemResults, key: str, colours: Mapping[str, str]) -> list[CaptionedFigure]:
    """Return the figures of a problem: comparison, phases and samples of its first competition with results."""
    group = next((group for group in problem.groups if group.comparable), None)
    if group is None:
        return []
    what = f"{title(problem.first.case)}, {details(problem.first.case)}, {on(group.platform)} ({group.basis.value})"
    drawn = [_comparison(group, what, f"{key}-comparison", colours), _phases(group, what, f"{key}-phases")]
    if any(row.record.samples for entry in group.comparable for row in entry.counted):
        drawn.append(_samples(group, what, f"{key}-samples", colours))
    return drawn


def _left_out(shown: int, total: int, noun: str) -> str:
    return f" Shown: the fastest {shown} of {total} {plural(noun)}." if total > shown else ""


def _comparison(group: ComparisonGroup, what: str, key: str, colours: Mapping[str, str]) -> CaptionedFigure:
    shown = group.comparable[:IMPLEMENTATIONS]
    unit = plural(shown[0].unit)
    svg = dots.draw([_dot(entry, colours) for entry in shown], unit, key, f"Comparison: {what}", group_answer(group))
    text = (
        f"Comparison: {what}. Dots: {unit} per second, geometric mean of the processes. Lines: 95 % interval across"
        " processes. Right: share of the machine's speed limit."
    )
    return CaptionedFigure(
        svg=svg,
        caption=text + _left_out(len(shown), len(group.comparable), "correct implementation"),
        title=group_answer(group).partition(". ")[0].rstrip("."),
    )


def _dot(entry: Entry, colours: Mapping[str, str]) -> dots.ComparisonDot:
    found = speed_of(entry)
    return dots.ComparisonDot(
        label=name(entry),
        role=role(entry),  # type: ignore[arg-type]  # the three words of `role`
        colour=_colour(entry, colours),
        value=found.value if found else 0.0,
        low=found.low if found else None,
        high=found.high if found else None,
        fraction=entry.fraction.value if entry.fraction else None,
        share=cell(entry.fraction, share)[0] if entry.fraction else "",
    )


def _colour(entry: Entry, colours: Mapping[str, str]) -> str:
    return colours.get(entry.case.implementation, canvas.REFERENCE)


def _phases(group: ComparisonGroup, what: str, key: str) -> CaptionedFigure:
    shown = group.comparable[:IMPLEMENTATIONS]
    bars = []
    for entry in shown:
        seconds = {phase: entry.phase(phase) for phase in stacks.PHASES} | {"compute": entry.seconds}
        known = {phase: value for phase, value in seconds.items() if value is not None}
        bars.append(stacks.StackedBar(label=name(entry), seconds=known, note=f"{time(entry)[0]} per repeat"))
    total = "; ".join(f"{bar.label}: {counted(len(bar.seconds), 'phase')}" for bar in bars)
    svg = stacks.draw(bars, key, f"Phases: {what}", f"Seconds by phase, stacked. {total}.")
    text = (
        f"Phases: {what}. Until the first result, a process makes its inputs, copies them (put), sets up and calls the"
        " code for the first time. A steady repeat then computes and copies the result (get). Medians of the processes."
    )
    return CaptionedFigure(
        svg=svg,
        caption=text + _left_out(len(shown), len(group.comparable), "correct implementation"),
        title=_longest_phase(bars[0]),
    )


def _longest_phase(bar: stacks.StackedBar) -> str:
    """Return what takes a process longest, in a sentence."""
    phase = max(bar.seconds, key=lambda one: bar.seconds[one])
    return f"{bar.label}: the longest phase is {stacks.PHASES[phase][0]}, {duration(bar.seconds[phase])[0]}"


def _samples(group: ComparisonGroup, what: str, key: str, colours: Mapping[str, str]) -> CaptionedFigure:
    shown = [entry for entry in group.comparable if any(row.record.samples for row in entry.counted)][:TRACES]
    sets = _sets(shown)
    total = sum(len(row.record.samples.seconds) for entry in shown for row in entry.counted if row.record.samples)
    step = math.ceil(total / POINTS)
    traces = [_trace(entry, sets, step, _colour(entry, colours)) for entry in shown]
    flags = Counter(flag for t in traces for flag in t.flags)
    marked = (
        f"Drawn: {counted(flags[trace.COUNTS], 'sample')} that count, {counted(flags[trace.WARM_UP], 'warm-up')} and"
        f" {flags[trace.DISTURBED]} that other programs disturbed"
    )
    svg = trace.draw(traces, list(sets.values()), key, f"Raw samples: {what}", f"{marked}.")
    text = f"Raw samples as they were taken: {what}. {marked}."
    if step > 1:
        text += f" Of the samples that count, 1 in {step} is drawn."
    return CaptionedFigure(
        svg=svg,
        caption=text + _left_out(len(shown), len(group.comparable), "correct implementation"),
        title=_disturbance(shown),
    )


def _disturbance(shown: Sequence[Entry]) -> str:
    """Return how much other programs disturbed the samples, in a sentence."""
    share_ = disturbed_share(row.record for entry in shown for row in entry.counted)
    if not share_:
        return "Other programs disturbed none of the samples"
    return f"Other programs disturbed {share_in_words(share_)} of the samples"


def _started(row: ProcessResult) -> float:
    return datetime.fromisoformat(row.record.started_at).timestamp() if row.record.started_at else 0.0


def _sets(entries: Sequence[Entry]) -> dict[int, trace.Stretch]:
    """Return, for each set of processes, when it began and its place on the axis, without the pauses."""
    spans: dict[int, tuple[float, float]] = {}
    for entry in entries:
        for row in entry.counted:
            if row.record.samples and row.record.samples.at_s:
                began = _started(row)
                times = [began + row.record.samples.at_s[0], began + row.record.samples.at_s[-1]]
                old = spans.get(row.record.process, (times[0], times[1]))
                spans[row.record.process] = (min(old[0], times[0]), max(old[1], times[1]))
    placed: dict[int, trace.Stretch] = {}
    position = 0.0
    margin = 0.04 * sum(end - start for start, end in spans.values())
    for process in sorted(spans):
        start, end = spans[process]
        placed[process] = trace.Stretch(
            label=f"set {process + 1}", origin=start, start=position, end=position + end - start
        )
        position += end - start + margin
    return placed


def _trace(entry: Entry, sets: dict[int, trace.Stretch], step: int, colour: str) -> trace.Trace:
    at: list[float] = []
    seconds: list[float] = []
    flags: list[int] = []
    foreign: list[float] = []
    for row in entry.counted:
        samples = row.record.samples
        if samples is None or not samples.at_s:
            continue
        place = sets[row.record.process]
        shift = _started(row) - place.origin + place.start
        for index, flag in enumerate(samples.flags):
            if flag == trace.COUNTS and index % step:
                continue
            at.append(samples.at_s[index] + shift)
            seconds.append(samples.seconds[index])
            flags.append(flag)
            foreign.append(samples.foreign[index] if index < len(samples.foreign) else math.nan)
    return trace.Trace(label=name(entry), colour=colour, at_s=at, seconds=seconds, flags=flags, foreign=foreign)


def rooflines(
    problems: Sequence[ProblemResults], evidence: Evidence, colours: Mapping[str, str]
) -> list[CaptionedFigure]:
    """Return a roofline for each platform whose limits and whose kernels' operations are known."""
    drawn = []
    by_platform: dict[str, list[Entry]] = {}
    for problem in problems:
        for group in problem.measured:
            for entry in group.comparable:
                work = entry.counted[0].record.work
                if work and work.flop > 0 and work.bytes > 0 and entry.counted[0].record.limits in evidence.limits:
                    by_platform.setdefault(group.platform, []).append(entry)
    for index, (platform, entries) in enumerate(sorted(by_platform.items())[:ROOFS]):
        limits = max(
            (evidence.limits[entry.counted[0].record.limits or ""] for entry in entries), key=lambda one: one.threads
        )
        ceilings = _ceilings(limits, entries)
        points = [_point(entry, colours) for entry in entries]
        what = f"Roofline {on(platform)}: how near each implementation comes to the limits"
        text = f"{counted(len(points), 'implementation')} below {counted(len(ceilings), 'limit')}."
        svg = roof.draw(ceilings, points, f"roof-{index}", what, text)
        caption = (
            f"{what}, measured with {counted(limits.threads, 'thread')}. The operations are those of the problem, not"
            " those of the implementation."
        )
        drawn.append(CaptionedFigure(svg=svg, caption=caption, title=_nearest(entries)))
    return drawn


def _nearest(entries: Sequence[Entry]) -> str:
    """Return which implementation comes nearest to a limit, in a sentence; empty if no share is known."""
    known = [(entry.fraction, entry) for entry in entries if entry.fraction]
    if not known:
        return ""
    found, entry = max(known, key=lambda one: one[0].value)
    limit = limit_words(entry.limit_name)
    return f"{name(entry)} comes nearest to a limit: {cell(found, share)[0]} of {limit}"


def _ceilings(limits: Limits, entries: Sequence[Entry]) -> list[roof.Ceiling]:
    """Return the limits that bound these entries: the same ones of which the tables give the share."""
    used = {entry.limit_name for entry in entries}
    memory = [probe for probe in ("read", "triad") if f"memory_{probe}" in used] or ["triad"]
    names = {**dict.fromkeys(memory, True), "matmul_float32": False, "matmul_float64": False}
    return [
        roof.Ceiling(
            label=limit_words(f"memory_{name}" if slope else name), value=limits.values[name].value, slope=slope
        )
        for name, slope in names.items()
        if name in limits.values
    ]


def _point(entry: Entry, colours: Mapping[str, str]) -> roof.RooflinePoint:
    work = entry.counted[0].record.work
    if work is None:
        raise ValueError("an entry without work has no place under a roof")
    options = details(entry.case).partition(", ")[2]
    group = f"{entry.case.kernel}, {options}" if options else entry.case.kernel
    return roof.RooflinePoint(
        label=entry.case.implementation, group=group, colour=_colour(entry, colours),
        intensity=work.flop / work.bytes, speed=work.flop / entry.seconds,
    )  # fmt: skip
