"""The clock for times in files: UTC, ISO 8601."""

from __future__ import annotations

import datetime


def utc_now() -> str:
    """Return the time now, to the millisecond: ``2026-11-22T19:14:00.123Z``."""
    now = datetime.datetime.now(datetime.UTC)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
