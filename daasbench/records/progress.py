"""What a results folder already holds, read quickly: for resuming, for progress, for what a run may take.

Only the few fields that matter are decoded, so that ten thousand finished cases are looked through in a
fraction of a second.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from daasbench.model import Outcome, Reason, Record, Samples

FINAL_REASONS = (None, Reason.KERNEL)  # what failed for any other reason is done again


class _Line(msgspec.Struct):
    """The fields of a record or a turn that decide whether its case is to be run again."""

    type: str = ""
    key: str = ""
    attempt: int = 1
    outcome: Outcome | None = None
    reason: Reason | None = None


class _Timed(msgspec.Struct):
    """The fields of a record that tell how long it took."""

    type: str = ""
    platform: str = ""
    case: msgspec.Raw = msgspec.Raw(b"{}")
    samples: Samples | None = None
    phases: dict[str, float] = {}


@dataclass(kw_only=True)
class Progress:
    """By resume key: the final outcome of the latest attempt that has one, and the highest attempt, killed ones too."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0

    def ended(self, key: str) -> bool:
        """Return whether the case needs no further attempt; one that was skipped is looked at again."""
        return self.outcomes.get(key, Outcome.SKIPPED) != Outcome.SKIPPED

    def skipped(self, key: str) -> bool:
        """Return whether the case was skipped, because the machine lacked something then."""
        return self.outcomes.get(key) == Outcome.SKIPPED


def progress(run: Path) -> Progress:
    """Return what the records below a run folder say; torn lines are counted and left out."""
    found = Progress()
    decoder = msgspec.json.Decoder(_Line)
    final: dict[str, int] = {}  # attempts; in which order the files come says nothing
    for text in _lines(run):
        try:
            line = decoder.decode(text)
        except msgspec.DecodeError:
            found.unreadable += 1
            continue
        if line.type not in ("record", "round"):
            continue
        found.attempts[line.key] = max(line.attempt, found.attempts.get(line.key, 0))
        superseded = line.type != "record" or line.attempt < final.get(line.key, 0)
        if not superseded and line.outcome is not None and _is_final(line.outcome, line.reason):
            found.outcomes[line.key], final[line.key] = line.outcome, line.attempt
    return found


def _is_final(outcome: Outcome, reason: Reason | None) -> bool:
    return outcome == Outcome.SKIPPED or reason in FINAL_REASONS


def durations(results: Path) -> dict[tuple[str, str], float]:
    """Return how many seconds a process took for a case on a platform, the last time it was measured.

    By case id and platform; from the end of preparing to the last sample, and what preparing took.
    """
    from daasbench.model import Case

    found: dict[tuple[str, str], float] = {}
    decoder = msgspec.json.Decoder(_Timed)
    for text in _lines(results):
        with contextlib.suppress(msgspec.DecodeError):
            line = decoder.decode(text)
            if line.type == "record" and line.samples is not None:
                case = msgspec.json.decode(line.case, type=Case)
                measuring_s = sum(line.samples.seconds) + sum(line.samples.get_s)
                found[case.id, line.platform] = measuring_s + sum(line.phases.values())
    return found


def _lines(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.rglob("records.jsonl")):
        with open(path, "rb") as stream:
            yield from stream


class Tail:
    """Reads the records that another process appends to a file, as they come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._rest = b""
        self._decoder = msgspec.json.Decoder(Record)

    def new_records(self) -> list[Record]:
        """Return the records that were completed since the last call."""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(self._offset)
                text = stream.read()
        except OSError:
            return []
        self._offset += len(text)
        *whole, self._rest = (self._rest + text).split(b"\n")
        found = []
        for line in whole:
            if line.startswith(b'{"type":"record"'):
                with contextlib.suppress(msgspec.DecodeError):
                    found.append(self._decoder.decode(line))
        return found
