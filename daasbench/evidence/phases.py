"""The phases from submitting a job to having its results, from the journal and the records. Pure.

A phase that was not observed has no number but a sentence that says why. The clocks of the controller, the scheduler
and the node are assumed to agree, unless an event precedes its cause: then phases between two clocks have no number.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from daasbench.model import Event, JobRecord, Record
from daasbench.statistics.intervals import median_interval

CLOCKS_S = 2.0  # by which clocks may seem to differ: schedulers report whole seconds

JOB: Mapping[str, str] = {
    "stage_in": "stage-in: files are copied to the platform and the job is submitted",
    "queue": "queue: the job waits for resources",
    "boot": "boot: until the worker on the node has taken the job",
    "stage_out": "stage-out: from the end of the job until its records are fetched and accounted for",
}
PROCESS: Mapping[str, str] = {
    "interpreter": "interpreter: from the start of the process until Python and daasbench are ready",
    "start": "start of ranks or workers: until all have reported",
    "import": "import: the kernel, the implementation and its libraries",
    "context": "GPU context: the driver, the device, the first call to it",
    "read": "read: the inputs from their file",
    "put": "put: the inputs to the device, the ranks or the workers",
    "setup": "set-up: plans and tables",
    "compile": "compile: the excess of the first call over a steady call: compiling, or loading compiled code",
    "compute": "compute: a steady call; the first call without compile",
    "get": "get: the result back to the host",
}
WHY_NOT: Mapping[str, str] = {  # of phases that a process may not have
    "start": "a single process computes",
    "context": "no GPU is used",
    "interpreter": "it is part of the start of ranks",
}


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Seconds by phase, and for every other phase the reason why it has none."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def total_s(self) -> float:
        """Return the sum of the observed phases."""
        return sum(self.seconds.values())


def of_process(record: Record) -> Parts:
    """Return the phases of a process until its first result is on the host.

    The first call is divided into a steady call (the median of the samples that count, at most the first call itself)
    and the excess.
    """
    seen = dict(record.phases)
    first_s = seen.get("first_call")
    counted = record.samples.counted() if record.samples else []
    if first_s is not None and counted:
        steady_s = min(first_s, median_interval(counted).value)
        seen |= {"compile": first_s - steady_s, "compute": steady_s}
    seconds = {name: seen[name] for name in PROCESS if name in seen}
    missing = {name: WHY_NOT.get(name, "the records do not have it") for name in PROCESS if name not in seconds}
    return Parts(seconds=seconds, missing=missing)


def of_job(events: Sequence[Event], job: str) -> Parts:
    """Return the phases of a job from submitting it to having its records, from the journal of its run."""
    at = {event.event: event.at for event in events if event.job == job}
    details = [event.detail for event in events if event.job == job and event.event == "accounted"]
    if not details:
        return Parts(missing=dict.fromkeys(JOB, "the journal does not have the end of the job"))
    record = msgspec.convert({**details[-1], "job": job}, JobRecord)
    queued = bool(record.queued_at) or "://" in record.handle
    begun = record.started_at or (None if queued else at.get("submitted"))
    if begun == record.began_at:  # the scheduler had forgotten the start, and the worker's time replaced it
        begun = None
    spans = {
        "stage_in": (at.get("submitting"), at.get("submitted")),
        "queue": (record.queued_at, record.started_at),
        "boot": (begun, record.began_at),
        "stage_out": (record.ended_at, at["accounted"]),
    }
    off_s = {
        "boot": _ahead_s(record.left_at, record.ended_at),  # the node's clock is ahead of the scheduler's
        "stage_out": max(
            _ahead_s(record.queued_at, at.get("submitted")), _ahead_s(at.get("submitting"), record.queued_at)
        ),  # the scheduler's clock and the controller's
    }
    seconds: dict[str, float] = {}
    missing: dict[str, str] = {}
    for name, (start, end) in spans.items():
        took_s = _between(start, end)
        if name == "stage_out" and _ahead_s(record.followed_since, record.ended_at) > CLOCKS_S:
            missing[name] = "the job ended while no controller ran, and was collected later"
        elif took_s is None:
            missing[name] = "the platform has no queue" if name == "queue" and not queued else "it was not noted"
        elif took_s < 0:
            missing[name] = f"the clocks of two machines differ: it would be {took_s:.3g} s"
        elif off_s.get(name, 0.0) > CLOCKS_S:
            missing[name] = f"the clocks of two machines differ by {off_s[name]:.0f} s or more"
        else:
            seconds[name] = took_s
    return Parts(seconds=seconds, missing=missing)


def _ahead_s(later: str | None, earlier: str | None) -> float:
    """Return the seconds by which `later` is after `earlier`, which cannot be; 0 if it is not, or a time is unknown."""
    return max(0.0, _between(earlier, later) or 0.0)


def _between(start: str | None, end: str | None) -> float | None:
    """Return the seconds from `start` to `end`; None if a time is unknown."""
    if not start or not end:
        return None
    try:
        times = [datetime.datetime.fromisoformat(text) for text in (start, end)]
    except ValueError:
        return None
    aware = [time if time.tzinfo else time.replace(tzinfo=datetime.UTC) for time in times]
    return (aware[1] - aware[0]).total_seconds()
