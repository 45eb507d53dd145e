"""What a failure means. The only broad ``except`` of the suite is here, because here a failure is a result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from daasbench.errors import DaasbenchError, MissingRequirement, NoRoom, SubmitError, Unfinished, Unreachable
from daasbench.measure.messages import Failure
from daasbench.model import (
    Outcome,
    Reason,
)

log = logging.getLogger(__name__)


CLASSES = {NoRoom: Reason.CAPACITY, SubmitError: Reason.SCHEDULER, Unreachable: Reason.SCHEDULER}


def failure_of(error: BaseException) -> Failure:
    """Return what a failed step means: skipped with its cure, or failed with its sentence."""
    if isinstance(error, MissingRequirement):
        return Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=str(error))
    if isinstance(error, MemoryError):
        message = f"out of memory: {error}" if str(error) else "out of memory"
        return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=message)
    if isinstance(error, Unfinished):
        reason = next((one for kind, one in CLASSES.items() if isinstance(error, kind)), Reason.INTERRUPTED)
        return Failure(outcome=Outcome.FAILED, reason=reason, message=str(error))
    if isinstance(error, DaasbenchError):
        return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=str(error))
    message = f"{type(error).__name__}: {error}".strip().rstrip(":")
    return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=message)


def guarded(step: Callable[[], Any]) -> Any:
    """Return what `step` returns, or the Failure that its exception means."""
    try:
        return step()
    except Exception as error:
        log.exception("the case failed")
        return failure_of(error)
