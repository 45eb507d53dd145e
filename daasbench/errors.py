"""The one exception family.

::

    DaasbenchError                 exit code 70
    +-- UsageError                 2   something a person wrote or asked for is wrong
    |   +-- ScenarioError              a scenario or a platform file, or a --set
    |   +-- InputError                 a measured file: unreadable, truncated, wrong shape
    |   +-- UnknownName                a kernel, size, platform, report ... that does not exist
    |   +-- PluginError                a plug-in that is named and cannot be loaded
    |   +-- OutputError                a file that was asked for (a report, a table) cannot be written
    +-- Lacking                    -   this machine lacks something: the case is skipped, with its cure
    +-- BudgetError                4   the worst-case price is above the budget
    +-- Unfinished                 3   work was left undone; the same command continues it
        +-- LedgerError                records cannot be written or read (disk full, read-only)
        +-- Locked                     another controller holds the run folder
        +-- SubmitError                a scheduler refused a job; nothing of it runs
        +-- Unreachable                a place does not answer; what was asked of it may have happened or not
        +-- NoRoom                     a place answers and did not give in time what was asked of it

Every message is one sentence that says what is wrong, where, and what would be right.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DaasbenchError(Exception):
    """Anything that daasbench refuses or fails to do."""

    exit_code = 70


class UsageError(DaasbenchError):
    """Something that a person wrote or asked for is wrong; nothing was run."""

    exit_code = 2


class ScenarioError(UsageError):
    """A scenario, a platform file or a ``--set`` is wrong."""


class InputError(UsageError):
    """A measured file cannot be used: unreadable, truncated, of the wrong shape, without its dataset."""


class UnknownName(UsageError):
    """A name that nobody knows."""


class PluginError(UsageError):
    """A plug-in that was asked for by name cannot be loaded."""


class OutputError(UsageError):
    """A file that was asked for cannot be written; the message says which files were, and the fix."""


class MissingRequirement(DaasbenchError):
    """A machine lacks what a case needs.

    Parameters
    ----------
    what
        The sentence: what is lacking.
    cure
        How to get it, as a command or a sentence.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}; {fix}")
        self.what = what
        self.fix = fix


class BudgetError(DaasbenchError):
    """The worst-case price of what is still to be done is above the budget."""

    exit_code = 4


class Unfinished(DaasbenchError):
    """Work was left undone; the message says what is safe and how to go on."""

    exit_code = 3


class LedgerError(Unfinished):
    """Records cannot be written or read."""


class Locked(Unfinished):
    """Another controller holds the run folder."""


class SubmitError(Unfinished):
    """A scheduler refused a job: nothing of it was started."""


class Unreachable(Unfinished):
    """A place does not answer: what was asked of it may have happened or not, until it is asked again."""


class NoRoom(Unfinished):
    """A place did not give in time what was asked of it: it is full."""


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> UnknownName:
    """Return the error for an unknown `name`: where, what, the nearest match, and all that is known.

    Parameters
    ----------
    kind
        What the name should name, singular: ``"kernel"``, ``"size"``.
    name
        The word that was written.
    known
        Every word that would be right.
    where
        File and key, if the word stands in a file: ``"q.toml: cases[0].kernel"``.
    """
    return UnknownName(unknown_sentence(kind, name, known, where))


def unknown_sentence(kind: str, name: str, known: Iterable[str], where: str = "") -> str:
    """Return the sentence of :func:`unknown`, for errors of another class."""
    words = sorted(known)
    near = difflib.get_close_matches(name, words, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    place = f"{where}: " if where else ""
    allowed = ", ".join(words) if words else "none"
    return f"{place}no {kind} {name!r}{hint} (known: {allowed})"
