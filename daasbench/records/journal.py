"""The journal of a run: each event is on the disk before anything outside is changed (docs/reference/journal.md)."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from daasbench.model import Event
from daasbench.records.layout import unwritable

SENT = ("submitting", "submitted")  # after these events a job may be in a queue or running
SETTLED = ("accounted", "interrupted", "unsent")  # after these events it is neither


def read_events(path: Path) -> list[Event]:
    """Return the events of a journal in order; torn lines are skipped.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    events = []
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(msgspec.DecodeError):
            events.append(msgspec.json.decode(line, type=Event))
    return events


def append_events(path: Path, events: Sequence[Event]) -> None:
    """Append events to a journal; they are on the disk when this returns.

    Raises
    ------
    LedgerError, UsageError
        If the file cannot be written; nothing outside was changed.
    """
    text = b"".join(msgspec.json.encode(event) + b"\n" for event in events)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":  # the last writer was killed in its line
                text = b"\n" + text
            if os.write(descriptor, text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unwritable(path, error) from error


def unsettled(events: Iterable[Event]) -> dict[str, Event]:
    """Return, by job, the last event of each job that may have been sent and is not accounted for yet."""
    last: dict[str, Event] = {}
    for event in events:
        if event.job is None:
            continue
        if event.event in SENT:
            last[event.job] = event
        elif event.event in SETTLED:
            last.pop(event.job, None)
    return last
