"""Whether other programs disturbed the measurements: said above the answer of a page, and in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from daasbench.model import Record, Samples

FOREIGN = 0.05  # share of the usable processors in use by other programs above which a round is repeated (measure)
DISTURBED = 2  # the flag of samples whose round was repeated
MUCH = 0.2  # of the samples disturbed: every fifth repeat had to be measured again, or should have been
MOST = 0.5  # of the processes kept disturbed samples: the medians themselves are disturbed


def disturbed_share(records: Iterable[Record]) -> float | None:
    """Return the share (0-1) of the timed samples that other programs disturbed; None without samples.

    A sample was disturbed if its round was repeated, or kept although other programs used more than 5 % of the
    usable processors. Warm-ups do not count.
    """
    counts = [_counts(record.samples) for record in records if record.samples]
    total = sum(all_samples for _, _, all_samples in counts)
    return sum(repeated + kept for repeated, kept, _ in counts) / total if total else None


def was_busy(records: Sequence[Record]) -> bool:
    """Return whether the machine was too busy to trust the figures.

    It was if more than 20 % of the samples were disturbed, or if more than half of the processes kept disturbed
    samples: then the medians themselves are disturbed.
    """
    share = disturbed_share(records)
    if share is None:
        return False
    return share > MUCH or medians_disturbed(records)


def medians_disturbed(records: Iterable[Record]) -> bool:
    """Return whether more than half of the processes kept disturbed samples: their medians are then too long."""
    kept = [_counts(record.samples)[1] > 0 for record in records if record.samples]
    return sum(kept) > MOST * len(kept)


def busy_caution(records: Sequence[Record]) -> str:
    """Return the sentences that warn of a busy machine; empty if it was quiet."""
    share = disturbed_share(records)
    if share is None or not was_busy(records):
        return ""
    return (
        f"Caution: {_busy(records)} busy with other work ({100 * share:.0f} % of the samples were disturbed)."
        " Measure again on a quiet machine."
    )


def _busy(records: Sequence[Record]) -> str:
    """Return what was busy, by the platforms of the records: ``"this machine was"``."""
    platforms = {record.platform for record in records if record.samples}
    if platforms == {"here"}:
        return "this machine was"
    return f"the machine of {platforms.pop()} was" if len(platforms) == 1 else "the machines were"


def _counts(samples: Samples) -> tuple[int, int, int]:
    """Return how many timed samples were repeated, how many were kept although disturbed, and how many there are."""
    timed = [
        (flag, samples.foreign[index] if index < len(samples.foreign) else 0.0)
        for index, flag in enumerate(samples.flags)
        if flag != 1
    ]
    repeated = sum(flag == DISTURBED for flag, _ in timed)
    kept = sum(flag == 0 and foreign > FOREIGN for flag, foreign in timed)
    return repeated, kept, len(timed)
