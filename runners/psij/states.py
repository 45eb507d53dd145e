"""The states of psij and the exit codes of a worker, and their meaning in daasbench. Pure."""

from __future__ import annotations

from typing import Any

from daasbench.model import JobState, JobStatus, Reason

STATES = {  # of psij; any other is LOST
    "QUEUED": JobState.PENDING,
    "ACTIVE": JobState.RUNNING,
    "COMPLETED": JobState.DONE,
    "FAILED": JobState.FAILED,
    "CANCELED": JobState.CANCELLED,
}
SIGNALLED = 128  # a shell's exit code of a program that a signal ended is above it


def status_of(psij_status: Any) -> JobStatus:
    """Return the status of a job, from the status that psij reports."""
    native = psij_status.state.name
    state = STATES.get(native, JobState.LOST)
    message = " ".join((psij_status.message or "").split())
    if state is JobState.LOST:
        return lost(native, f"psij reports the state {native}, which daasbench does not know")
    if state is JobState.CANCELLED:
        return JobStatus(state=state, native=native, message=message or "it was cancelled", reason=Reason.INTERRUPTED)
    if state is JobState.FAILED:
        if "time limit" in message:
            return JobStatus(state=JobState.TIMEOUT, native=native, message=message, reason=Reason.SCHEDULER)
        if psij_status.exit_code:
            return status_of_exit(int(psij_status.exit_code), native, None)
        message = message or "the scheduler ended it, and psij does not know why"
        return JobStatus(state=state, native=native, message=message, reason=Reason.INTERRUPTED)
    return JobStatus(state=state, native=native, message=message, exit=psij_status.exit_code)


def status_of_exit(code: int, native: str, ended_at: str | None) -> JobStatus:
    """Return the status of a job whose worker ended with this exit code."""
    if code == 0:
        return JobStatus(state=JobState.DONE, native=native, exit=0, ended_at=ended_at)
    signalled = code >= SIGNALLED or code < 0
    message = "the worker was ended by a signal" if signalled else f"the worker ended with exit code {code}"
    reason = Reason.INTERRUPTED if signalled else Reason.HARNESS
    return JobStatus(state=JobState.FAILED, native=native, message=message, reason=reason, exit=code, ended_at=ended_at)


def lost(native: str, message: str) -> JobStatus:
    """Return the status of a job whose end cannot be found out."""
    return JobStatus(state=JobState.LOST, native=native, message=message, reason=Reason.INTERRUPTED)
