"""Claims in words: the sentences of a report that state a result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from daasbench.evidence.claims import (
    UNCOMPARED,
    Comparison,
    ComparisonGroup,
    Decision,
    EvidenceLevel,
    ProblemResults,
    compare,
)
from daasbench.evidence.entries import Entry, card
from daasbench.evidence.unit_size import unit_size as size_of_generated
from daasbench.model import Case, Outcome
from daasbench.statistics import LEAST_PROCESSES, Interval

from .caveats import is_disturbed
from .intervals import phrase, speed_phrase, times_in_words
from .intervals import speed as speed
from .intervals import time as time
from .numbers import counted, listed, memory, plural, price_unit

LEVELS = {
    EvidenceLevel.NONE: ("no evidence", "nothing finished with a result"),
    EvidenceLevel.RUNS: ("L0", "it runs; its results are not verified"),
    EvidenceLevel.VERIFIED: ("L1", "every result is verified; no interval, or one too wide to compare"),
    EvidenceLevel.INTERVAL: (
        "L2",
        "every result is verified; 3 processes or more, and an interval within a factor of 3",
    ),
    EvidenceLevel.PLATFORMS: ("L3", "every result is verified, with intervals, on two machines or more"),
}
HERE = "here"  # the platform that is the machine of the command
OUTCOMES = {
    Outcome.OK: "ok",
    Outcome.WRONG: "wrong",
    Outcome.FAILED: "failed",
    Outcome.TIMEOUT: "stopped at the time limit",
    Outcome.SKIPPED: "skipped",
}


def resources(case: Case) -> str:
    """Return what a case may use: ``"2 threads"``, ``"4 ranks × 2 threads"``, ``"1 GPU"``."""
    parts = [counted(case.nodes, "node")] if case.nodes > 1 else []
    if case.ranks > 1 or _is_partitioned(case):
        parts.append(counted(case.ranks, "rank"))
    if case.threads > 1 or not (case.gpus or case.ranks > 1 or _is_partitioned(case)):
        parts.append(counted(case.threads, "thread"))
    if case.gpus:
        parts.append(f"{case.gpus} GPU{'s' if case.gpus > 1 else ''}")
    return " × ".join(parts)


def _is_partitioned(case: Case) -> bool:
    """Return whether an implementation runs on ranks or workers, also where it has only one."""
    kernel = card(case.kernel)
    known = kernel.implementations.get(case.implementation) if kernel else None
    return known is not None and known.backend in ("mpi", "dask")


def name(entry: Entry) -> str:
    """Return an entry's name within its problem: ``"numba (2 threads)"``."""
    return f"{entry.case.implementation} ({resources(entry.case)})"


def title(case: Case) -> str:
    """Return what is computed: the kernel's title if it is installed, its name otherwise."""
    kernel = card(case.kernel)
    return kernel.card.title if kernel else case.kernel


def file_name(case: Case) -> str:
    """Return the name of the measured file, without its folder."""
    return PurePosixPath(case.input).name if case.input else f"file {case.input_hash}"


def details(case: Case) -> str:
    """Return which problem of its kernel: size or file, and the options that were set."""
    parts = [file_name(case) if case.input_hash or case.input else f"size {case.size}"]
    settings = case.options | {option: PurePosixPath(path).name for option, path in case.files.items()}
    parts += [f"{option} {value}" for option, value in sorted(settings.items())]
    if case.cache:
        parts.append("within the cache")
    if case.start:
        parts.append(f"{case.start} start")
    if case.nodes > 1:
        parts.append(counted(case.nodes, "node"))
    if case.quick:
        parts.append("quick look: one process")
    return ", ".join(parts)


def source(case: Case) -> str:
    """Return where the inputs come from, in words."""
    if case.input_hash or case.input:
        return f"measured data: {file_name(case)}, content hash {case.input_hash or 'not recorded'}"
    return f"generated data: size {case.size}, seed {case.seed}"


def unit_size(entry: Entry) -> str:
    """Return how large one unit of work is: ``"2167 x 2070 pixels"``, its bytes if no more is known, or nothing."""
    work = next((row.record.work for row in entry.rows if row.record.work), None)
    if work is None or entry.unit == "GB":
        return ""
    known = work.unit_size or size_of_generated(card(entry.case.kernel), entry.case)
    if known or not (entry.case.input or entry.case.input_hash) or not work.input_bytes:
        return known
    return memory(work.input_bytes / work.units)


def units(entry: Entry) -> str:
    """Return what is counted, in the plural: ``"frames of 2167 x 2070 pixels"``."""
    size = unit_size(entry)
    return f"{plural(entry.unit)} of {size}" if size else plural(entry.unit)


def on(platform: str) -> str:
    """Return where something ran, within a sentence."""
    return "on this machine" if platform == HERE else f"on {platform}"


def ratio(found: Interval) -> str:
    """Return a ratio of speeds with its interval: ``"61.3 times (59.0 to 63.7)"``."""
    return phrase(found, times_in_words)


def group_answer(group: ComparisonGroup) -> str:
    """Return the answer of one problem on one platform, in sentences that claim no more than its level."""
    fastest = group.fastest
    if fastest is None:
        tried = Counter(OUTCOMES[entry.outcome] for entry in group.entries)
        how = listed(f"{counted(count, 'case')} {word}" for word, count in tried.items())
        return f"No implementation has a correct result {on(group.platform)}: {how}."
    others, place, reached = len(group.comparable) - 1, on(group.platform), speed_phrase(fastest)
    if not others:
        return f"{name(fastest)} reaches {reached} {place}. Nothing else has a correct result to compare with."
    uncompared = [rival for rival in group.rivals if rival.decision in UNCOMPARED]
    disturbed = is_disturbed(group)
    if uncompared or disturbed:
        why = "other work disturbed most of the processes" if disturbed else _why_uncompared(uncompared)
        return (
            f"The shortest time of {others + 1} implementations {place} is that of {name(fastest)}: {reached}."
            f" No comparison is claimed: {why}."
        )
    if group.rivals:
        first = group.rivals[0].ratio
        names = listed([name(fastest), *(name(rival.base) for rival in group.rivals)])
        bounds = f" The ratio of their speeds is {ratio(first)}." if first else ""
        start = f"There is no clear difference between {names} {place}.{bounds} {name(fastest)} reaches {reached}."
    else:
        start = f"{name(fastest)} is the fastest of {others + 1} correct implementations {place}: {reached}."
    return " ".join([start, *_against(group)])


def _why_uncompared(pairs: Sequence[Comparison]) -> str:
    """Return why no order is claimed."""
    if all(pair.decision is Decision.UNCERTAIN for pair in pairs):
        return "an interval spans more than a factor of 3"
    return f"fewer than {LEAST_PROCESSES} processes give no interval"


def _against(group: ComparisonGroup) -> list[str]:
    """Return the sentences that compare the fastest with the best peer and the reference, unless already said."""
    fastest, said = group.fastest, [rival.base for rival in group.rivals]
    found = []
    if fastest and fastest.peer and group.best_own and group.best_own not in said:
        pair = compare(group.best_own, fastest)
        found.append(_sentence(pair, f"The fastest that is not a peer, {name(group.best_own)},", "it"))
    elif fastest and not fastest.peer and group.best_peer and group.best_peer not in said:
        found.append(_sentence(compare(fastest, group.best_peer), "It", f"the best peer, {name(group.best_peer)}"))
    if fastest and group.reference and group.reference not in said:
        pair = compare(fastest, group.reference)
        found.append(_sentence(pair, "It", f"the reference, {name(group.reference)}"))
    return [sentence for sentence in found if sentence]


def _sentence(pair: Comparison | None, subject: str, base: str) -> str:
    if pair is None or pair.ratio is None or pair.decision in UNCOMPARED:
        return ""
    if pair.decision is Decision.UNDECIDED:
        return f"{subject} is not clearly faster or slower than {base} ({ratio(pair.ratio)})."
    return f"{subject} is {ratio(pair.ratio)} as fast as {base}."


def cost_sentence(group: ComparisonGroup) -> str:
    """Return what a unit costs with the fastest, and with the cheapest if that is another; empty without prices."""
    fastest, cheapest = group.fastest, group.cheapest
    if fastest is None or fastest.cost is None:
        return ""
    text = f"With {name(fastest)} the cost is {' '.join(cost(fastest, cheapest))}, at the price {price_note(fastest)}."
    if cheapest and cheapest is not fastest and cheapest.cost:
        text += f" The lowest cost is {' '.join(cost(cheapest))}, with {name(cheapest)}."
    return text


def cost(entry: Entry, like: Entry | None = None) -> tuple[str, str]:
    """Return the cost of an entry with its currency, and for how many units: as many as for the cost of `like`."""
    if entry.cost is None:
        return "", ""
    currency = entry.counted[0].currency or "of unknown currency"
    value = like.cost.value if like and like.cost else entry.cost.value
    scale, per = price_unit(value, currency, entry.unit)
    size = unit_size(entry)
    return phrase(entry.cost, lambda _: scale), f"{per} of {size}" if size else per


def price_note(entry: Entry) -> str:
    """Return date, basis and source of the price behind a cost."""
    row = entry.counted[0]
    parts = [f"of {row.price_date or 'unknown date'}", row.price_basis, entry.price.source if entry.price else None]
    return ", ".join(part for part in parts if part)


def across_platforms(problem: ProblemResults) -> str:
    """Return how the platforms compare on a problem, each with its fastest; empty for one platform."""
    groups = sorted((f for f in problem.measured if f.fastest), key=lambda f: f.fastest.seconds if f.fastest else 0)
    if len(groups) < 2 or groups[0].fastest is None:
        return ""
    best = groups[0]
    parts = []
    for other in groups[1:]:
        pair = compare(best.fastest, other.fastest) if best.fastest else None
        if pair is None or pair.ratio is None or pair.decision in UNCOMPARED:
            reason = f": {_why_uncompared([pair])}" if pair else ""
            parts.append(f"No comparison with {other.platform} is claimed{reason}.")
        elif pair.decision is Decision.UNDECIDED:
            parts.append(f"{best.platform} and {other.platform} do not differ clearly ({ratio(pair.ratio)}).")
        else:
            parts.append(f"{best.platform} is {ratio(pair.ratio)} as fast as {other.platform}.")
    return " ".join(["Each platform with its fastest implementation:", *parts])


def projection(group: ComparisonGroup) -> str:
    """Return what was projected or rehearsed, in one sentence that says so and compares nothing."""
    fastest = next((entry for entry in group.entries if entry.counted), None)
    start = f"{group.basis.value.capitalize()}, not measured, on platform {group.platform}: "
    if fastest is None:
        return f"{start}no figure."
    return f"{start}the shortest time is that of {name(fastest)}, {speed_phrase(fastest)}."
