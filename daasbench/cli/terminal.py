"""The terminal that is written to: its width, and whether it shows colours (NO_COLOR and pipes: it does not)."""

from __future__ import annotations

import sys

from rich.console import Console

WIDE = 500  # columns of an output that is no terminal: a pipe or a file cuts no line


class Terminal(Console):
    """A console whose reader may go away: that raises BrokenPipeError, as a write does, and never ends the command."""

    def on_broken_pipe(self) -> None:
        """Raise the error that rich is handling when it calls this; rich would end the command with exit code 1."""
        raise


def output() -> Terminal:
    """Return standard output."""
    return Terminal(highlight=False, width=None if sys.stdout.isatty() else WIDE)


def errors() -> Terminal:
    """Return standard error."""
    return Terminal(stderr=True, highlight=False, width=None if sys.stderr.isatty() else WIDE)
