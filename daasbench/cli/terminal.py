"""The terminal that is written to: its width, and whether it shows colours (NO_COLOR and pipes: it does not)."""

from __future__ import annotations

import re
import sys
import textwrap
import time

from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.text import Text

from daasbench.cli.figures import span

WIDE = 500  # columns of an output that is no terminal: a pipe or a file cuts no line
NO_BREAK = "\N{NO-BREAK SPACE}"


class Terminal(Console):
    """A console whose reader may go away: that raises BrokenPipeError, as a write does, and never ends the command."""

    def on_broken_pipe(self) -> None:
        """Raise the error that rich is handling when it calls this; rich would end the command with exit code 1."""
        raise


class TimeLeft(ProgressColumn):
    """The time until the end, counted down while nothing ends; empty as long as it is not known."""

    def __init__(self) -> None:
        self.ends_at: float | None = None  # by the monotonic clock
        super().__init__()

    def render(self, task: Task) -> Text:  # noqa: ARG002  (the form of a column)
        """Return ``"2 min left"``."""
        if self.ends_at is None:
            return Text("")
        left_s = self.ends_at - time.monotonic()
        return Text(f"{span(left_s)} left" if left_s >= 1 else "ends soon")


def filled(text: str, width: int) -> str:
    """Return a text in lines of at most `width` columns; ``14 800`` and ``100 %`` are never parted."""
    whole = re.sub(r"(?<=\d) (?=\d{3}\b|%)", NO_BREAK, text)
    lines = textwrap.wrap(whole, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(NO_BREAK, " ")


def output() -> Terminal:
    """Return standard output."""
    return Terminal(highlight=False, width=None if sys.stdout.isatty() else WIDE)


def errors() -> Terminal:
    """Return standard error."""
    return Terminal(stderr=True, highlight=False, width=None if sys.stderr.isatty() else WIDE)
