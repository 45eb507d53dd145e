"""The exceptions of daasbench.

::

    DaasbenchError                 exit code 70
    +-- UsageError                 2   a file, an option or a name that the user gave is wrong
    |   +-- ScenarioError              a scenario, a platform file or a --set is wrong
    |   +-- InputError                 a measured file cannot be used: unreadable, truncated, wrong shape
    |   +-- UnknownName                a kernel, size, platform, report ... does not exist
    |   +-- PluginError                a plug-in that the user named cannot be loaded
    |   +-- OutputError                a report or a table cannot be written
    +-- MissingRequirement         -   a requirement is missing: the case is skipped, with the fix
    +-- BudgetError                4   the worst-case price is above the budget
    +-- Unfinished                 3   work is unfinished; the same command continues it
        +-- LedgerError                records cannot be written or read (disk full, read-only)
        +-- Locked                     another daasbench process uses the run folder
        +-- SubmitError                a scheduler refused a job; no part of it runs
        +-- Unreachable                a platform does not answer; the request may have taken effect or not
        +-- NoRoom                     a platform answers, but did not provide the resources in time

Every message is one sentence: what is wrong, where, and how to correct it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DaasbenchError(Exception):
    """The base of all errors that daasbench raises."""

    exit_code = 70


class UsageError(DaasbenchError):
    """A file, an option or a name that the user gave is wrong; nothing was run."""

    exit_code = 2


class ScenarioError(UsageError):
    """A scenario, a platform file or a ``--set`` is wrong."""


class InputError(UsageError):
    """A measured file cannot be used: unreadable, truncated, of the wrong shape, without its dataset."""


class UnknownName(UsageError):
    """A kernel, a size, a platform, a report ... of this name does not exist."""


class PluginError(UsageError):
    """A plug-in that the user named cannot be loaded."""


class OutputError(UsageError):
    """A report or a table cannot be written; the message says which files were written, and the fix."""


class MissingRequirement(DaasbenchError):
    """A requirement of a case is missing on this machine.

    Parameters
    ----------
    what
        What is missing, as a sentence.
    fix
        How to install or obtain it, as a command or a sentence.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}; {fix}")
        self.what = what
        self.fix = fix


class BudgetError(DaasbenchError):
    """The worst-case price of the remaining measurements is above the budget."""

    exit_code = 4


class Unfinished(DaasbenchError):
    """Work is unfinished; the message says what is safe and how to continue."""

    exit_code = 3


class LedgerError(Unfinished):
    """Records cannot be written or read."""


class Locked(Unfinished):
    """Another daasbench process uses the run folder."""


class SubmitError(Unfinished):
    """A scheduler refused a job; no part of it was started."""


class Unreachable(Unfinished):
    """A platform does not answer; it is not known whether the request took effect."""


class NoRoom(Unfinished):
    """A platform did not provide the requested resources in time: it is full."""


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> UnknownName:
    """Return the error for an unknown `name`: where it was written, the nearest match, and all known names.

    Parameters
    ----------
    kind
        The kind of thing, singular: ``"kernel"``, ``"size"``.
    name
        The name that was written.
    known
        All names that exist.
    where
        File and key, if the name is in a file: ``"q.toml: cases[0].kernel"``.
    """
    return UnknownName(unknown_sentence(kind, name, known, where))


def unknown_sentence(kind: str, name: str, known: Iterable[str], where: str = "") -> str:
    """Return the message of :func:`unknown`, for errors of another class."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    prefix = f"{where}: " if where else ""
    allowed = ", ".join(names) if names else "none"
    return f"{prefix}no {kind} {name!r}{hint} (known: {allowed})"
