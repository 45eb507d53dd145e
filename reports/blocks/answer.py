"""The answer box: what a reader sees first on every page, and whether to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daasbench.evidence.claims import ProblemResults
from daasbench.evidence.disturbance import busy_caution, disturbed_share, share_in_words
from daasbench.evidence.entries import Entry
from daasbench.evidence.tally import Tally, tally
from daasbench.model import Basis, Outcome, Record
from daasbench.statistics import LEAST_PROCESSES

from .numbers import counted, listed

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

    from .page import CaptionedFigure

QUIET = 0.02  # of the samples disturbed: less than this is a quiet machine


@dataclass(frozen=True, kw_only=True)
class AnswerBox:
    """The answer to the question of a page, and how far to trust it.

    Attributes
    ----------
    sentences
        One to three, at most 25 words each; the first one answers. Empty if there is no answer.
    trust
        One line: how many measurements are correct, how many processes, how quiet the machine was.
    caution
        A sentence that is shown above the answer: the machine was busy.
    missing
        If a caveat voids the answer: what is missing, and the command that gets it.
    """

    sentences: tuple[str, ...]
    trust: str
    caution: str = ""
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A question with its answer box and the one figure that shows the answer: the top of a page."""

    question: str
    box: AnswerBox
    figure: CaptionedFigure | None = None


def caution(evidence: Evidence, problems: Sequence[ProblemResults]) -> str:  # noqa: ARG001  (called as `trust_line`)
    """Return the sentence that warns of a busy machine; empty if the machine was quiet enough."""
    return busy_caution(_records(problems))


def trust_line(evidence: Evidence, problems: Sequence[ProblemResults]) -> str:
    """Return how far the measurements of these problems can be trusted, in one line.

    For example ``"All 21 measurements correct; 9 not possible here (no GPU); 5 processes each; quiet machine"``.
    """
    records = _records(problems)
    counts = tally(records, missing=evidence.not_yet_run)
    parts = [_correct(counts), *_others(counts), _skipped(records, evidence)]
    parts += [_processes(problems), _conditions(records), _prices(problems)]
    return "; ".join(part for part in parts if part)


def _measured(problems: Sequence[ProblemResults]) -> list[Entry]:
    return [entry for problem in problems for entry in problem.newest if entry.basis is Basis.MEASURED]


def _records(problems: Sequence[ProblemResults]) -> list[Record]:
    return [row.record for entry in _measured(problems) for row in entry.rows]


def _correct(counts: Tally) -> str:
    if not counts.measured:
        return "Nothing was measured"
    if not counts.all_correct:
        return f"{counts.correct} of {counted(counts.measured, 'measurement')} correct"
    return "The only measurement is correct" if counts.correct == 1 else f"All {counts.correct} measurements correct"


def _others(counts: Tally) -> list[str]:
    """Return how many measurements have no correct result, by what happened: ``["1 wrong", "2 failed"]``."""
    words = {
        "wrong": counts.wrong,
        "failed": counts.failed,
        "stopped at the time limit": counts.timeout,
        "not verified": counts.unverified,
        "not yet run": counts.missing,
    }
    return [f"{count} {word}" for word, count in words.items() if count]


def _skipped(records: Sequence[Record], evidence: Evidence) -> str:
    skipped = [record for record in records if record.outcome is Outcome.SKIPPED]
    if not skipped:
        return ""
    gpu = all(record.case.gpus and not _has_gpu(record, evidence) for record in skipped)
    return f"{len(skipped)} not possible here (no GPU)" if gpu else f"{len(skipped)} skipped (reasons below)"


def _has_gpu(record: Record, evidence: Evidence) -> bool:
    machine = evidence.machines.get(record.machine or "")
    return machine is None or bool(machine.gpu)


def _processes(problems: Sequence[ProblemResults]) -> str:
    found = [len(entry.counted) for entry in _measured(problems) if entry.counted]
    if not found:
        return ""
    least, most = min(found), max(found)
    count = counted(most, "process") if least == most else f"{least} to {counted(most, 'process')}"
    if most == 1:
        return "1 process each: no interval"
    return f"{count} each: too few for an interval" if most < LEAST_PROCESSES else f"{count} each"


def _conditions(records: Sequence[Record]) -> str:
    share = disturbed_share(records)
    if share is None or busy_caution(records):
        return ""  # the caution says it
    return "quiet machine" if share < QUIET else f"{share_in_words(share)} of the samples disturbed"


def _prices(problems: Sequence[ProblemResults]) -> str:
    priced = [entry for entry in _measured(problems) if entry.cost]
    rows = {(entry.counted[0].price_date, entry.price.source if entry.price else None) for entry in priced}
    return listed(" of ".join(["price", date or "unknown date"]) + (f" ({source})" if source else "")
                  for date, source in sorted(rows, key=str))  # fmt: skip
