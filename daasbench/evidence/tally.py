"""How many measurements ended how: the counts that a report and the terminal state first.

A measurement is one case in one process. A case that a machine cannot run is skipped, which is no error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from daasbench.model import Outcome, Record


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The measurements of some records by outcome.

    Attributes
    ----------
    correct
        Those whose every repeat was verified and correct.
    unverified
        Those that ended and that nothing verified.
    wrong, failed, timeout
        Those that ran and have no correct result.
    skipped
        Those that the machine cannot run, because a requirement is missing.
    missing
        Those that were planned and have no record yet.
    skipped_because
        The skipped measurements by their message.
    """

    correct: int = 0
    unverified: int = 0
    wrong: int = 0
    failed: int = 0
    timeout: int = 0
    skipped: int = 0
    missing: int = 0
    skipped_because: Counter[str] = field(default_factory=Counter)

    @property
    def measured(self) -> int:
        """Return how many ran, whatever came out: all but the skipped and the missing ones."""
        return self.correct + self.unverified + self.wrong + self.failed + self.timeout

    @property
    def incorrect(self) -> int:
        """Return how many ran and have no correct result."""
        return self.wrong + self.failed + self.timeout

    @property
    def all_correct(self) -> bool:
        """Return whether every measurement that ran was verified and correct, and at least one ran."""
        return 0 < self.correct == self.measured


def tally(records: Iterable[Record], missing: int = 0) -> Tally:
    """Return the counts of the last attempts of some measurements; `missing`: how many have no record yet."""
    counts: Counter[str] = Counter()
    because: Counter[str] = Counter()
    for record in records:
        counts["unverified" if _is_unverified(record) else record.outcome.value] += 1
        if record.outcome is Outcome.SKIPPED:
            because[record.message] += 1
    return Tally(
        correct=counts[Outcome.OK.value],
        unverified=counts["unverified"],
        wrong=counts[Outcome.WRONG.value],
        failed=counts[Outcome.FAILED.value],
        timeout=counts[Outcome.TIMEOUT.value],
        skipped=counts[Outcome.SKIPPED.value],
        missing=missing,
        skipped_because=because,
    )


def _is_unverified(record: Record) -> bool:
    return record.outcome is Outcome.OK and record.verified_by is None
