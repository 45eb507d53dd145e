"""Outcomes, reasons, states and kinds of values; the base classes of all nouns; content hashes."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

import msgspec

Scalar = str | int | float | bool
Option = Scalar | list[Scalar] | dict[str, Scalar | list[Scalar]]
"""Type of an option of a runner in a platform file: a value, a list, or a table."""
Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Noun(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything that programs write: unknown fields are ignored, so that old code reads new files."""


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything that a person writes: an unknown key is refused."""


class Outcome(StrEnum):
    """How an attempt at a case ended."""

    OK = "ok"
    WRONG = "wrong"  # it ran, the oracle disagrees
    FAILED = "failed"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"  # a requirement is missing on this machine


class Reason(StrEnum):
    """The class of why a case is not `ok`; only `kernel` counts against a platform's speed."""

    QUOTA = "quota"
    CAPACITY = "capacity"  # the platform does not have what the case needs
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
    """The state of a job, from the native state of its runner; an unknown native state is LOST, never a crash."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    LOST = "lost"


def digest(thing: object) -> str:
    """Return the content hash of `thing`: 16 hexadecimal digits, independent of the order of its keys."""
    return hashlib.sha256(msgspec.json.encode(thing, order="deterministic")).hexdigest()[:16]


SCHEMA = 1
"""The version of the files of a results folder."""
