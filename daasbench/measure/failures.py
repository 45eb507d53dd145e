"""The outcome that an exception means. The suite's only broad ``except`` is here, where a failure is a result."""

from __future__ import annotations

import logging
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daasbench.errors import (
    DaasbenchError,
    MissingRequirement,
    NoRoom,
    PluginError,
    SubmitError,
    Unfinished,
    Unreachable,
)
from daasbench.measure.messages import Failure
from daasbench.model import Outcome, Reason

log = logging.getLogger(__name__)

_PACKAGE = Path(__file__).resolve().parents[1]
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
CLASSES = {NoRoom: Reason.CAPACITY, SubmitError: Reason.SCHEDULER, Unreachable: Reason.SCHEDULER}


def failure_of(error: BaseException) -> Failure:
    """Return the failure that an exception means: skipped with its fix, or failed with place and message."""
    if isinstance(error, MissingRequirement):
        return Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=str(error))
    if isinstance(error, MemoryError):
        message = f"out of memory: {error}" if str(error) else "out of memory"
        return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=message)
    if isinstance(error, Unfinished):
        reason = next((reason for kind, reason in CLASSES.items() if isinstance(error, kind)), Reason.INTERRUPTED)
        return Failure(outcome=Outcome.FAILED, reason=reason, message=str(error))
    if isinstance(error, DaasbenchError):
        cause = error.__cause__ if isinstance(error, PluginError) else None
        message = f"{place_of(cause)}{error}" if cause else str(error)
        return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=message)
    message = f"{type(error).__name__}: {error}".strip().rstrip(":")
    return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=f"{place_of(error)}{message}")


def place_of(error: BaseException) -> str:
    """Return where a kernel's own code raised an exception: ``"own.py:13 in raises: "``; empty if it did not.

    It is the innermost line of a file that belongs neither to daasbench's engine nor to Python or a library.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_of_a_kernel(frame.filename)]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}: " if frames else ""


def _is_of_a_kernel(file: str) -> bool:
    path = Path(file)
    if path.is_relative_to(_PACKAGE):
        return path.is_relative_to(_PACKAGE / "kernels")
    return path.is_file() and not any(path.is_relative_to(library) for library in _LIBRARIES)


def guarded(step: Callable[[], Any]) -> Any:
    """Return the result of `step`, or the Failure that its exception means."""
    try:
        return step()
    except Exception as error:
        log.exception("the case failed")
        return failure_of(error)
