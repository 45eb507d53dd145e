"""What is found when a platform is looked at before it is used: pure data out, ``daasbench doctor`` prints it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from daasbench.model import Noun, Platform


class Level(StrEnum):
    """How a finding stands."""

    OK = "ok"
    WARNING = "warning"  # it runs, and a reader may be misled or surprised
    WRONG = "wrong"  # a run would fail


class Finding(Noun, frozen=True, kw_only=True):
    """One thing that was looked at, what was seen, and what mends it."""

    level: Level
    about: str  # file, price, partition, launcher ...: a word or two
    told: str  # one sentence
    cure: str = ""  # of what is not ok


@runtime_checkable
class Inspecting(Protocol):
    """What a runner may offer: a look at a platform before it is used."""

    def inspect(self, platform: Platform, folder: Path) -> list[Finding]:
        """Return what is found there; what does not answer is a finding, never an exception.

        Parameters
        ----------
        folder
            Where results shall be kept, which the nodes must see if the platform shares it with them.
        """
        ...


def ok(about: str, told: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(level=Level.OK, about=about, told=told)


def warning(about: str, told: str, cure: str = "") -> Finding:
    """Return that something may mislead or surprise."""
    return Finding(level=Level.WARNING, about=about, told=told, cure=cure)


def wrong(about: str, told: str, cure: str) -> Finding:
    """Return that something would make a run fail, and what mends it."""
    return Finding(level=Level.WRONG, about=about, told=told, cure=cure)
