"""Whether other programs disturbed the measurements: said above the answer of a page, and in the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

from daasbench.model import Record, Samples

FOREIGN = 0.05  # share of the usable processors in use by other programs above which a round is repeated (measure)
DISTURBED = 2  # the flag of samples whose round was repeated
MUCH = 0.2  # of the samples disturbed: every fifth repeat had to be measured again, or should have been


def disturbed_share(records: Iterable[Record]) -> float | None:
    """Return the share (0-1) of the timed samples that other programs disturbed; None without samples.

    A sample was disturbed if its round was repeated, or kept although other programs used more than 5 % of the
    usable processors. Warm-ups do not count.
    """
    counts = [sample_counts(record.samples) for record in records if record.samples]
    total = sum(all_samples for _, _, all_samples in counts)
    return sum(repeated + kept for repeated, kept, _ in counts) / total if total else None


def was_busy(records: Sequence[Record]) -> bool:
    """Return whether the machine was too busy to trust the figures.

    It was if more than 20 % of the samples were disturbed, or if the medians of more than half of the processes are.
    """
    share = disturbed_share(records)
    if share is None:
        return False
    return share > MUCH or _most_medians_disturbed(records)


def medians_disturbed(records: Iterable[Record]) -> bool:
    """Return whether other programs made the time of a case too long.

    The time of a process is the median of its counted repeats: a few disturbed ones among them do not move it. So the
    median of the shares that other programs used then decides. If the medians of few processes are disturbed, they
    differ from the others, and the interval across the processes shows it. It cannot show it if most are. So the time
    of a case is disturbed if more than half of its processes have a disturbed median. One such case is enough.
    """
    cases: defaultdict[tuple[str, str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        cases[record.case.id, record.platform, record.basis, record.commit].append(record)
    return any(map(_most_medians_disturbed, cases.values()))


def is_busy(foreign: float) -> bool:
    """Return whether other programs used so much of the usable processors that a time is disturbed.

    `foreign` is their share (0-1): of a round, or the median of the counted repeats of a process, which is the column
    ``foreign_cpu`` of the table.
    """
    return foreign > FOREIGN


def _most_medians_disturbed(records: Iterable[Record]) -> bool:
    found = [_is_median_disturbed(record.samples) for record in records if record.samples]
    return sum(found) > len(found) / 2


def _is_median_disturbed(samples: Samples) -> bool:
    counted = [share for flag, share in zip(samples.flags, samples.foreign, strict=False) if flag == 0]
    return is_busy(median(counted)) if counted else False


def busy_caution(records: Sequence[Record]) -> str:
    """Return the sentences that warn of a busy machine; empty if it was quiet."""
    share = disturbed_share(records)
    if share is None or not was_busy(records):
        return ""
    return (
        f"Caution: {_busy(records)} busy with other work ({share_in_words(share)} of the samples were disturbed)."
        " Measure again on a quiet machine."
    )


def _busy(records: Sequence[Record]) -> str:
    """Return what was busy, by the platforms of the records: ``"this machine was"``."""
    platforms = {record.platform for record in records if record.samples}
    if platforms == {"here"}:
        return "this machine was"
    return f"the machine of {platforms.pop()} was" if len(platforms) == 1 else "the machines were"


def share_in_words(share: float) -> str:
    """Return a share (0-1) of samples as a page and the terminal show it: ``"17 %"``, ``"less than 1 %"``."""
    percent = 100 * share
    if 0 < percent < 1:
        return "less than 1 %"
    return "more than 99 %" if 99 < percent < 100 else f"{percent:.0f} %"


def sample_counts(samples: Samples) -> tuple[int, int, int]:
    """Return how many timed samples were repeated, how many were kept although disturbed, and how many there are."""
    timed = [
        (flag, samples.foreign[index] if index < len(samples.foreign) else 0.0)
        for index, flag in enumerate(samples.flags)
        if flag != 1
    ]
    repeated = sum(flag == DISTURBED for flag, _ in timed)
    kept = sum(flag == 0 and is_busy(foreign) for flag, foreign in timed)
    return repeated, kept, len(timed)
