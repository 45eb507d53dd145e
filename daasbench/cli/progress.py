"""The progress of a run: a line per measurement, and on a terminal a bar below the lines."""

from __future__ import annotations

import contextlib
import sys
import time
from enum import IntEnum
from types import TracebackType
from typing import TYPE_CHECKING

import click

from daasbench.cli import figures
from daasbench.cli.names import first_line, input_of, options_of, resources, units
from daasbench.evidence.phases import of_process
from daasbench.jobs.news import News, Phase
from daasbench.model import Outcome, Record
from daasbench.statistics.intervals import median_interval

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from daasbench.cli.terminal import Terminal, TimeLeft

BAR = 16  # columns of the bar: with the counts and the times it leaves half of 60 columns for what is going on
DOT = " · "


class Detail(IntEnum):
    """How much is shown of a run: -q, nothing, -v."""

    QUIET = 0  # no progress
    NORMAL = 1
    FULL = 2  # whole messages, and what verified a result


class Shown:
    """Shows the progress of a run on standard error.

    Parameters
    ----------
    quiet
        Show nothing.
    detail
        How much to show.
    processes
        How many processes measure each case, in words: ``"3"``; empty if that is not known.
    with_platform
        Whether each line names the platform: there are several.
    """

    def __init__(
        self, *, quiet: bool, detail: Detail = Detail.NORMAL, processes: str = "", with_platform: bool = False
    ) -> None:
        self.detail = Detail.QUIET if quiet else detail
        self.processes, self.with_platform = processes, with_platform
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._terminal: Terminal | None = None
        self._left: TimeLeft | None = None
        self._started, self._done_before = time.monotonic(), -1

    def __enter__(self) -> Shown:
        if self.detail and sys.stderr.isatty():
            self._start_bar()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, news: News | Phase) -> None:
        """Show an item of news; measuring continues if standard error was closed."""
        if self.detail:
            with contextlib.suppress(BrokenPipeError):
                self._show_phase(news.text) if isinstance(news, Phase) else self._show(news)

    def _start_bar(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.table import Column

        from daasbench.cli.terminal import TimeLeft, errors

        self._terminal, self._left = errors(), TimeLeft()
        columns = (
            BarColumn(bar_width=BAR),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            self._left,
            TextColumn(  # has the rest of the line, whatever that is
                "{task.description}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
            ),
        )
        self._bar = Progress(*columns, console=self._terminal, transient=True, expand=True)
        self._task = self._bar.add_task("starting", total=None)
        self._bar.tasks[0].start_time = self._bar.get_time() - _age_s()
        self._bar.start()

    def _show_phase(self, text: str) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=text)
        elif self._done_before < 0:  # a log needs to know why no measurement has ended yet, and no more
            click.echo(text, err=True)

    def _show(self, news: News) -> None:
        text = self._sentence(news.record) if news.record else news.message
        if self._done_before < 0:
            self._done_before = news.done - 1 if news.record else news.done
        line = f"[{news.done}/{news.total}] {text}" if news.total else text
        if self._bar is None or self._task is None or self._terminal is None:
            click.echo(line, err=True)
            return
        from daasbench.cli.terminal import filled

        self._terminal.print(filled(line, self._terminal.width), style=_style(news.record), markup=False)
        self._bar.update(self._task, completed=news.done, total=news.total)
        self._set_end(news)

    def _set_end(self, news: News) -> None:
        """Expect the end as if the rest were as fast as what is done; nothing before two measurements have ended."""
        done, now = news.done - self._done_before, time.monotonic()
        if self._left is not None:
            known = done >= 2 and news.done < news.total
            self._left.ends_at = now + (now - self._started) / done * (news.total - news.done) if known else None

    def _sentence(self, record: Record) -> str:
        case = record.case
        what = [case.kernel, f"{case.implementation} ({resources(case)})", input_of(case)]
        what.append(options_of(case, files=False))
        what += [record.platform] if self.with_platform else []
        of = f" of {self.processes}" if self.processes else ""
        what.append(f"process {record.process + 1}{of}")
        return f"{DOT.join(filter(None, what))}: {self._ending(record)}"

    def _ending(self, record: Record) -> str:
        """Return how a measurement ended: how fast, or why not."""
        if record.outcome is Outcome.OK:
            verified = f" (verified by {record.verified_by})" if self.detail is Detail.FULL else ""
            return ", ".join([*_speed(record), f"ok{verified}"])
        if not record.message:
            return str(record.outcome)
        message = record.message if self.detail is Detail.FULL else first_line(record.message)
        if record.outcome is Outcome.SKIPPED and self.detail is not Detail.FULL:
            message = message.partition("; ")[0]
        return f"{record.outcome}, {message}"


def _age_s() -> float:
    """Return the seconds since this command was started."""
    import psutil

    started: float = psutil.Process().create_time()
    return max(0.0, time.time() - started)


def _speed(record: Record) -> list[str]:
    """Return the median time of a repeat and the rate, or the time until the first result of a measured start."""
    if record.case.start:
        return [f"first result after {figures.duration(of_process(record).total_s)}"]
    counted = record.samples.counted() if record.samples else []
    if not counted:
        return []
    median_s = median_interval(counted).value
    if median_s <= 0 or record.work is None:
        return [figures.duration(median_s)]
    rate = figures.rate(record.work.units / median_s, units(record.case, record.work.unit))
    return [figures.duration(median_s), rate]


def _style(record: Record | None) -> str:
    if record is None or record.outcome is Outcome.OK:
        return ""
    return "yellow" if record.outcome is Outcome.SKIPPED else "red"
