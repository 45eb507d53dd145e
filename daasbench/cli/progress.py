"""The progress of a run: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from types import TracebackType
from typing import Any

import click

from daasbench.jobs.news import News, Phase
from daasbench.model import Record

LINE_EVERY_S = 2.0  # in a log


class Shown:
    """Shows the progress of a run on standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._last = 0.0

    def __enter__(self) -> Shown:
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, news: News | Phase) -> None:
        """Show that a measurement has ended; measuring continues if standard error was closed."""
        if not self.quiet and isinstance(news, News):
            with contextlib.suppress(BrokenPipeError):
                self._show(news)

    def _show(self, news: News) -> None:
        text = _sentence(news.record) if news.record else news.message
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task("", total=news.total)
            self._bar.update(self._task, completed=news.done, total=news.total, description=text)
            return
        now = time.monotonic()
        if now - self._last >= LINE_EVERY_S or news.done == news.total or (news.record and news.record.message):
            self._last = now
            click.echo(f"[{news.done}/{news.total}] {text}", err=True)


def _sentence(record: Record) -> str:
    case = record.case
    size = case.size or (case.input or "").rpartition("/")[2]
    head = f"{case.kernel} {case.implementation} {size}, process {record.process + 1}: {record.outcome}"
    return f"{head} ({record.message})" if record.message else head
