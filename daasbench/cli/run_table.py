"""The table at the end of a run: problem by problem, the fastest first, and below it what has no figure and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from daasbench.cli import figures
from daasbench.cli.names import (
    command,
    counted,
    first_line,
    input_of,
    kernel_of,
    listed,
    options_of,
    resources,
    skip_reason,
)
from daasbench.evidence.digits import rate_unit, time_unit
from daasbench.evidence.unit_size import unit_size, unit_words
from daasbench.host.installation import one_command
from daasbench.model import Case, Outcome
from daasbench.records.layout import LOG_FILE
from daasbench.records.run_folder import RunFolder

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from daasbench.evidence.claims import ProblemResults
    from daasbench.evidence.entries import Entry
    from daasbench.statistics import Interval


LIMITS = {"memory": "memory", "matmul": "arithmetic"}  # by the first word of a limit's name
OVER_THE_LIMIT = "Above 100 %: the data came from a cache, or the limit was measured on a busy machine."
GAP = 2  # spaces between columns
COLOURS = {Outcome.OK: "green", Outcome.SKIPPED: "yellow"}
BAD = "bold red"
DROPPED = ("time", "limit", "range")  # the columns that a narrow terminal does without, in this order


@dataclass(frozen=True, kw_only=True)
class Row:
    """One implementation that has a figure; the texts of its cells by column."""

    cells: dict[str, str]
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Footnote:
    """What has no figure, or not all of it: the implementations, and the reason that they share."""

    outcome: Outcome
    reason: str
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the whole table shares: which names need their resources and platform, because these differ."""

    with_resources: bool
    with_platform: bool

    def name(self, entry: Entry) -> str:
        """Return the name of an implementation: ``"numba (2 threads)"``."""
        word = entry.case.implementation
        return f"{word} ({resources(entry.case)})" if self.with_resources else word


def show_run(folder: Path, console: Console) -> None:
    """Print the table of a run's folder."""
    from daasbench.cli.terminal import filled
    from daasbench.evidence.claims import problem_results
    from daasbench.evidence.collection import gather
    from daasbench.evidence.disturbance import busy_caution
    from daasbench.evidence.entries import entries

    evidence = gather(folder)
    problems = problem_results(entries(evidence))
    every = [entry for problem in problems for entry in problem.newest]
    layout = Layout(
        with_resources=len({resources(entry.case) for entry in every}) > 1,
        with_platform=len({entry.platform for entry in every}) > 1,
    )
    rows = {problem.id: [_row(entry, layout) for entry in _sorted(problem) if entry.counted] for problem in problems}
    widths = _widths([row for found in rows.values() for row in found], console.width)
    fixes: dict[str, None] = {}
    for problem in problems:
        _print_heading(problem, console)
        if rows[problem.id]:
            console.print(_table(rows[problem.id], widths))
        for note in _footnotes(problem, layout, fixes):
            _print_footnote(note, console)
        console.print()
    _print_logs(folder, every, console)
    for line in doubts(every):
        console.print(line, markup=False)
    if install := one_command(fixes):
        console.print(f"To install what is missing: {install}", markup=False, soft_wrap=True)
    if caution := busy_caution(evidence.records):
        console.print(filled(caution, console.width), style="bold yellow", markup=False)


def _sorted(problem: ProblemResults) -> list[Entry]:
    return sorted(problem.newest, key=lambda entry: (entry.platform, _value(entry)))


def _value(entry: Entry) -> float:
    start = _start(entry)
    return start.value if start is not None else entry.seconds


def _start(entry: Entry) -> Interval | None:
    """Return the seconds until the first result of a case whose start is measured; None for other cases."""
    from daasbench.evidence.phases import of_process
    from daasbench.statistics.intervals import across_processes

    if not entry.case.start or not entry.counted:
        return None
    return across_processes([of_process(row.record).total_s for row in entry.counted])


def _row(entry: Entry, layout: Layout) -> Row:
    cells = {"name": layout.name(entry), "platform": entry.platform if layout.with_platform else ""}
    start = _start(entry)
    if start is not None:
        seconds, spread = figures.with_range(start, time_unit(start.value))
        cells |= {"speed": f"first result after {seconds}", "range": spread}
    elif entry.time is not None and entry.speed is not None:
        speed, spread = figures.with_range(entry.speed, rate_unit(entry.speed.value, entry.unit))
        time = figures.with_range(entry.time, time_unit(entry.time.value))[0]
        cells |= {"speed": speed, "range": spread, "time": f"{time} each"}
        if entry.fraction and entry.limit_name:
            kind = LIMITS.get(entry.limit_name.partition("_")[0], entry.limit_name.replace("_", " "))
            cells["limit"] = f"{figures.share(entry.fraction.value)} of {kind}"
    if len(entry.outcomes) > 1:
        outcome = ", ".join(f"{entry.outcomes[one]} {one}" for one in Outcome if entry.outcomes[one])
    else:
        outcome = str(entry.outcome)
    return Row(cells={**cells, "outcome": outcome}, outcome=entry.outcome)


def doubts(entries: Sequence[Entry]) -> list[str]:
    """Return what the ranges mean where they are no intervals, what makes a figure certain enough, and what is odd."""
    from daasbench.statistics.intervals import processes_needed, too_uncertain

    lines = []
    counted = [entry for entry in entries if entry.time]
    few = any(entry.time and entry.time.low is None for entry in counted)
    more = processes_needed(max((len(entry.medians) for entry in counted), default=0))
    if few and any(entry.case.quick for entry in counted):
        lines.append("A quick look: no interval and no comparison. For both, run without --quick.")
    elif few:
        text = f"{_too_few(counted)}: too few for an interval, and no comparison."
        lines.append(f"{text} More: --set repeat.processes={more}")
    if any(entry.fraction and entry.fraction.value > 1 for entry in counted):
        lines.append(OVER_THE_LIMIT)
    if any(entry.time and too_uncertain(entry.time) for entry in counted):
        text = f"{figures.UNCERTAIN}: the ends of the interval differ by more than a factor of 3."
        lines.append(f"{text} Measure on a quiet machine with --set repeat.processes={more}")
    return lines


def _too_few(counted: Sequence[Entry]) -> str:
    """Return which cases have too few processes: all of them, or those of some implementations."""
    few = [entry for entry in counted if entry.time and entry.time.low is None]
    numbers = sorted({len(entry.medians) for entry in few})
    said = f"{' or '.join(map(str, numbers))} process{'' if numbers == [1] else 'es'}"
    if len(few) == len(counted):
        return f"{said} per case"
    names = sorted({entry.case.implementation for entry in few})
    return f"{listed(names)} {'has' if len(names) == 1 else 'have'} cases with {said}"


def _widths(rows: Sequence[Row], width: int) -> dict[str, int]:
    """Return the widths of the columns that are shown: those with a text, as many as fit into the terminal."""
    columns = ("name", "platform", "speed", "range", "time", "limit", "outcome")
    widths = {column: max((len(row.cells.get(column, "")) for row in rows), default=0) for column in columns}
    shown = {column: size for column, size in widths.items() if size}
    for column in DROPPED:
        if sum(shown.values()) + GAP * len(shown) > width:
            shown.pop(column, None)
    return shown


def _table(rows: Sequence[Row], widths: dict[str, int]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
    table.add_column(width=0)  # an indent of GAP spaces
    for column, size in widths.items():
        if column in ("name", "outcome"):
            table.add_column(min_width=size if column == "outcome" else None, overflow="fold")
        else:
            table.add_column(width=size, no_wrap=True, justify="right" if column in ("speed", "time") else "left")
    for row in rows:
        cells = [Text(row.cells.get(column, "")) for column in widths if column != "outcome"]
        table.add_row("", *cells, Text(row.cells["outcome"], style=COLOURS.get(row.outcome, BAD)))
    return table


def _print_heading(problem: ProblemResults, console: Console) -> None:
    case = problem.first.case
    kernel = kernel_of(case.kernel)
    works = (row.record.work for entry in problem.newest for row in entry.rows)
    size = next((work.unit_size for work in works if work and work.unit_size), "") or unit_size(kernel, case)
    what = [input_of(case), unit_words(kernel, size), options_of(case), _nodes(case)]
    console.print(kernel.card.title if kernel else case.kernel, style="bold", markup=False, highlight=False)
    console.print(", ".join(filter(None, what)), markup=False, highlight=False)


def _nodes(case: Case) -> str:
    return counted(case.nodes, "node") if case.nodes > 1 else ""


def _footnotes(problem: ProblemResults, layout: Layout, fixes: dict[str, None]) -> list[Footnote]:
    """Return what is said below the rows; what can be installed is collected in `fixes`."""
    found: dict[tuple[Outcome, str], Footnote] = {}
    several = Counter(entry.case.implementation for entry in problem.newest)
    for entry in problem.newest:
        for row in entry.rows:
            record = row.record
            if record.outcome is Outcome.OK:
                continue
            skipped = record.outcome is Outcome.SKIPPED
            reason = skip_reason(record.message, fixes) if skipped else first_line(record.message)
            note = found.setdefault((record.outcome, reason), Footnote(outcome=record.outcome, reason=reason))
            name = layout.name(entry) if several[entry.case.implementation] > 1 else entry.case.implementation
            name += f" on {entry.platform}" if layout.with_platform else ""
            if name not in note.names:
                note.names.append(name)
    order = list(Outcome)
    return sorted(found.values(), key=lambda note: (order.index(note.outcome), note.names))


def _print_footnote(note: Footnote, console: Console) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from daasbench.cli.terminal import filled

    what = f"{listed(note.names)} ({note.reason})" if note.reason else listed(note.names)
    text = Text(filled(f"{note.outcome}: {what}", console.width - GAP), style="default")
    text.stylize(COLOURS.get(note.outcome, BAD), 0, len(f"{note.outcome}: "))
    console.print(Padding(text, (0, 0, 0, GAP), expand=False))


def _print_logs(folder: Path, entries: Sequence[Entry], console: Console) -> None:
    """Print where the logs of the jobs are in which something failed, and the command that shows them."""
    bad = [row.record for entry in entries for row in entry.rows if row.record.outcome not in COLOURS]
    jobs, run = list(dict.fromkeys(record.job for record in bad)), RunFolder(folder)
    for job in jobs[:3]:
        console.print(f"log: {run.job_folder(job) / LOG_FILE}", markup=False, highlight=False, soft_wrap=True)
    if jobs:
        results = folder.parent.parent
        shown = command("show", "log", run.id, *(jobs[:1] if len(jobs) == 1 else ()), results=results)
        more = f" ({len(jobs)} jobs)" if len(jobs) > 1 else ""
        console.print(f"to read it{more}: {shown}", markup=False, highlight=False, soft_wrap=True)
