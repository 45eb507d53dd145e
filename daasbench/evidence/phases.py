"""The phases from sending a job to having its results back, put together from its errand and its records. Pure.

What was not seen has no number but a sentence that says why. The clocks of the controller, the scheduler and the
node are taken to agree, unless something comes out before its cause: then that is what is said of the phases between
two clocks.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from daasbench.model import Event, JobRecord, Record
from daasbench.statistics.intervals import median_interval

CLOCKS_S = 2.0  # that clocks may seem to differ: schedulers tell whole seconds

ERRAND: Mapping[str, str] = {
    "stage_in": "stage-in: files are copied to the platform and the job is handed over",
    "queue": "queue: the job waits for its turn",
    "boot": "boot: until the worker on the node has taken the job",
    "stage_out": "stage-out: from the end of the job until its records are back and accounted for",
}
PROCESS: Mapping[str, str] = {
    "interpreter": "interpreter: from the start of the process until Python and daasbench listen",
    "start": "start of ranks or workers: until all have reported",
    "import": "import: the kernel, the implementation and its libraries",
    "context": "GPU context: the driver, the device, the first question to it",
    "read": "read: the inputs from their file",
    "put": "put: the inputs to the device, the ranks or the workers",
    "setup": "set-up: plans and tables",
    "compile": "compile: what the first call takes longer than a steady one: to compile, or load what was compiled",
    "compute": "compute: a steady call; of the first call, what is not compile",
    "get": "get: the result back to the host",
}
ELSEWHERE: Mapping[str, str] = {
    "start": "one process computes here",
    "context": "no GPU is used",
    "interpreter": "the start of ranks holds it",
}


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Seconds by phase, and of every other phase why it has none."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def total_s(self) -> float:
        """Return the sum of the phases that were seen."""
        return sum(self.seconds.values())


def of_process(record: Record) -> Parts:
    """Return the phases of a process until its first result is on the host.

    The first call is divided into a steady one (the median of the samples that count, never more than the first
    call itself) and what it took longer.
    """
    seen = dict(record.phases)
    first_s = seen.get("first_call")
    counted = record.samples.counted() if record.samples else []
    if first_s is not None and counted:
        steady_s = min(first_s, median_interval(counted).value)
        seen |= {"compile": first_s - steady_s, "compute": steady_s}
    seconds = {name: seen[name] for name in PROCESS if name in seen}
    missing = {name: ELSEWHERE.get(name, "the records do not tell it") for name in PROCESS if name not in seconds}
    return Parts(seconds=seconds, missing=missing)


def of_errand(events: Sequence[Event], job: str) -> Parts:
    """Return the phases of the errand of a job, as the journal of its run tells them."""
    at = {event.event: event.at for event in events if event.job == job}
    message = next(
        (event.detail for event in reversed(events) if event.job == job and event.event == "accounted"), None
    )
    if message is None:
        return Parts(missing=dict.fromkeys(ERRAND, "the journal does not tell of the job's end"))
    errand = msgspec.convert({**message, "job": job}, JobRecord)
    queued = bool(errand.queued_at) or "://" in errand.handle
    begun = errand.started_at or (None if queued else at.get("submitted"))
    if begun == errand.began_at:  # the worker's own word, taken for what a scheduler has forgotten
        begun = None
    spans = {
        "stage_in": (at.get("submitting"), at.get("submitted")),
        "queue": (errand.queued_at, errand.started_at),
        "boot": (begun, errand.began_at),
        "stage_out": (errand.ended_at, at["accounted"]),
    }
    off_s = {
        "boot": _ahead_s(errand.left_at, errand.ended_at),  # the node's clock before the scheduler's
        "stage_out": max(
            _ahead_s(errand.queued_at, at.get("submitted")), _ahead_s(at.get("submitting"), errand.queued_at)
        ),  # the scheduler's and the controller's
    }
    seconds: dict[str, float] = {}
    missing: dict[str, str] = {}
    for name, (start, end) in spans.items():
        took_s = _between(start, end)
        if name == "stage_out" and _ahead_s(errand.followed_since, errand.ended_at) > CLOCKS_S:
            missing[name] = "it ended while no controller was there, and was collected later"
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
    """Return by how much what cannot be later is; 0 where it is not, or either is not known."""
    return max(0.0, _between(earlier, later) or 0.0)


def _between(start: str | None, end: str | None) -> float | None:
    """Return the seconds from one time to another; None if either is not known."""
    if not start or not end:
        return None
    try:
        times = [datetime.datetime.fromisoformat(text) for text in (start, end)]
    except ValueError:
        return None
    aware = [time if time.tzinfo else time.replace(tzinfo=datetime.UTC) for time in times]
    return (aware[1] - aware[0]).total_seconds()
