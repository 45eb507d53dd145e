"""The outcome that an exception means. The suite's only broad ``except`` is here, where a failure is a result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from daasbench.errors import (
    DaasbenchError,
    MissingRequirement,
    NoRoom,
    SubmitError,
    Unfinished,
    Unreachable,
)
from daasbench.measure.messages import Failure
from daasbench.model import Outcome, Reason

log = logging.getLogger(__name__)

CLASSES = {NoRoom: Reason.CAPACITY, SubmitError: Reason.SCHEDULER, Unreachable: Reason.SCHEDULER}


def failure_of(error: BaseException) -> Failure:
    """Return the failure that an exception means: skipped with its fix, or failed with its message."""
    if isinstance(error, MissingRequirement):
        return Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=str(error))
    if isinstance(error, MemoryError):
        message = f"out of memory: {error}" if str(error) else "out of memory"
        return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=message)
    if isinstance(error, Unfinished):
        reason = next((reason for kind, reason in CLASSES.items() if isinstance(error, kind)), Reason.INTERRUPTED)
        return Failure(outcome=Outcome.FAILED, reason=reason, message=str(error))
    if isinstance(error, DaasbenchError):
        return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=str(error))
    message = f"{type(error).__name__}: {error}".strip().rstrip(":")
    return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=message)


def guarded(step: Callable[[], Any]) -> Any:
    """Return the result of `step`, or the Failure that its exception means."""
    try:
        return step()
    except Exception as error:
        log.exception("the case failed")
        return failure_of(error)
