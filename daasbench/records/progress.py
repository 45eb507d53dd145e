"""The measurements that a results folder already has: for resuming, for progress, for the expected time of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from daasbench.model import Case, Outcome, Reason, Samples
from daasbench.records.readers import FieldReader, Fields

FINAL_REASONS = (None, Reason.KERNEL)  # a case that failed for another reason is measured again


class _Ending(Fields):
    """The fields of a record or a round that decide whether its case must be measured again."""

    key: str = ""
    attempt: int = 1
    outcome: Outcome | None = None
    reason: Reason | None = None


class _Duration(Fields):
    """The fields of a record that give its duration."""

    platform: str = ""
    case: msgspec.Raw = msgspec.Raw(b"{}")
    samples: Samples | None = None
    phases: dict[str, float] = {}


@dataclass(kw_only=True)
class Progress:
    """The state of every case, by resume key.

    Attributes
    ----------
    outcomes
        The final outcome of the latest attempt that has a final outcome.
    attempts
        The highest attempt, interrupted attempts included.
    unreadable
        The number of torn or invalid lines.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0

    def ended(self, key: str) -> bool:
        """Return whether the case needs no further attempt; a skipped case is tried again."""
        return self.outcomes.get(key, Outcome.SKIPPED) != Outcome.SKIPPED

    def skipped(self, key: str) -> bool:
        """Return whether the case was skipped because a requirement was missing."""
        return self.outcomes.get(key) == Outcome.SKIPPED


def progress(run: Path) -> Progress:
    """Return the state of the cases below a run folder; torn lines are counted and excluded.

    Raises
    ------
    LedgerError
        If a newer daasbench wrote a line.
    """
    reader = FieldReader(_Ending)
    result = Progress()
    final: dict[str, int] = {}  # by attempt, because the order of the files does not show which attempt is the latest
    for line in reader.read(run):
        if line.type not in ("record", "round"):
            continue
        result.attempts[line.key] = max(line.attempt, result.attempts.get(line.key, 0))
        superseded = line.type != "record" or line.attempt < final.get(line.key, 0)
        if not superseded and line.outcome is not None and _is_final(line.outcome, line.reason):
            result.outcomes[line.key], final[line.key] = line.outcome, line.attempt
    result.unreadable = reader.torn
    return result


def _is_final(outcome: Outcome, reason: Reason | None) -> bool:
    return outcome == Outcome.SKIPPED or reason in FINAL_REASONS


def durations(results: Path) -> dict[tuple[str, str], float]:
    """Return the seconds that a process took for a case on a platform when it was last measured.

    The keys are case id and platform. The values are the seconds from the end of preparing to the last sample, and the
    seconds of preparing.
    """
    seconds: dict[tuple[str, str], float] = {}
    for line in FieldReader(_Duration).read(results):
        if line.type == "record" and line.samples is not None:
            case = msgspec.json.decode(line.case, type=Case)
            measuring_s = sum(line.samples.seconds) + sum(line.samples.get_s)
            seconds[case.id, line.platform] = measuring_s + sum(line.phases.values())
    return seconds
