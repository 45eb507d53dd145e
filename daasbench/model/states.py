"""Outcomes, reasons, states and kinds of values; the base classes of all nouns; the name of a content."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

import msgspec

Scalar = str | int | float | bool
Option = Scalar | list[Scalar] | dict[str, Scalar | list[Scalar]]
"""Type of one of a runner's options in a platform's file: a value, a list, or a table."""
Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Noun(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is written by the machine: unknown fields are ignored, so that old code reads new files."""


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what a person writes: an unknown key is refused."""


class Outcome(StrEnum):
    """How an attempt at a case ended."""

    OK = "ok"
    WRONG = "wrong"  # it ran, the oracle disagrees
    FAILED = "failed"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"  # this machine lacks something


class Reason(StrEnum):
    """The class of why a case is not `ok`; only `kernel` counts against a platform's speed."""

    QUOTA = "quota"
    CAPACITY = "capacity"  # the place does not have what the case needs
    INTERRUPTED = "interrupted"
    BOOT = "boot"
    NETWORK = "network"
    BUDGET = "budget"
    SCHEDULER = "scheduler"
    KERNEL = "kernel"
    HARNESS = "harness"


class Basis(StrEnum):
    """Where a figure comes from; the three are never mixed in one column."""

    MEASURED = "measured"
    PROJECTED = "projected"
    REHEARSED = "rehearsed"


class JobState(StrEnum):
    """Our word for what a runner's native state means; an unknown word is LOST, never a crash."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    LOST = "lost"


def digest(thing: object) -> str:
    """Return 16 hexadecimal digits that name the content of `thing`, independent of the order of its keys."""
    return hashlib.sha256(msgspec.json.encode(thing, order="deterministic")).hexdigest()[:16]


SCHEMA = 1
