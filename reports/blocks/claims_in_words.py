"""Claims in words: the sentences of a report that state a result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from daasbench.evidence.claims import Comparison, ComparisonGroup, Decision, EvidenceLevel, ProblemResults, compare
from daasbench.evidence.entries import Entry, card
from daasbench.model import Case, Outcome
from daasbench.statistics import Interval

from .numbers import counted, duration, factor, listed, price, rate

LEVELS = {
    EvidenceLevel.NONE: ("no evidence", "nothing finished with a result"),
    EvidenceLevel.RUNS: ("L0", "it runs; its results are not verified"),
    EvidenceLevel.VERIFIED: ("L1", "every repeat verified; one process, so no interval and no comparison"),
    EvidenceLevel.INTERVAL: ("L2", "every repeat verified, several processes and an interval"),
    EvidenceLevel.PLATFORMS: ("L3", "verified, with intervals, on two platforms or more"),
}
OUTCOMES = {
    Outcome.OK: "ok",
    Outcome.WRONG: "wrong result",
    Outcome.FAILED: "failed",
    Outcome.TIMEOUT: "time limit reached",
    Outcome.SKIPPED: "skipped",
}


def resources(case: Case) -> str:
    """Return what a case may use: ``"2 threads"``, ``"4 ranks × 2 threads"``, ``"1 GPU"``."""
    parts = [counted(case.nodes, "node")] if case.nodes > 1 else []
    if case.ranks > 1:
        parts.append(counted(case.ranks, "rank"))
    if case.threads > 1 or not (case.gpus or case.ranks > 1):
        parts.append(counted(case.threads, "thread"))
    if case.gpus:
        parts.append(f"{case.gpus} GPU{'s' if case.gpus > 1 else ''}")
    return " × ".join(parts)


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


def speed(entry: Entry) -> tuple[str, str]:
    """Return units per second and the interval; repeats per second where the units are not known."""
    if entry.time is None:
        return "", ""
    units = entry.units or 1.0
    low, high = (units / end if end else None for end in (entry.time.high, entry.time.low))
    return rate(units / entry.time.value, low, high, entry.unit)


def ratio(found: Interval) -> str:
    """Return a ratio of speeds with its interval: ``"61.3 × [59.0, 63.7]"``."""
    return " ".join(part for part in factor(found.value, found.low, found.high) if part)


def group_answer(group: ComparisonGroup) -> str:
    """Return the answer of one problem on one platform, in one sentence that claims no more than its level."""
    fastest = group.fastest
    place = f"On platform {group.platform}, "
    if fastest is None:
        tried = Counter(OUTCOMES[entry.outcome] for entry in group.entries)
        how = listed(f"{counted(count, 'case')} {word}" for word, count in tried.items())
        return f"{place}no implementation has a verified result: {how}."
    reached = " ".join(part for part in speed(fastest) if part)
    others = len(group.comparable) - 1
    if not others:
        return f"{place}{name(fastest)} is the only implementation with a verified result: {reached}."
    unknown = [rival for rival in group.rivals if rival.decision is Decision.UNKNOWN]
    if unknown:
        return (
            f"{place}{name(fastest)} has the shortest median of {others + 1} verified implementations: {reached};"
            " some of them ran in one process only, which gives no interval, so no comparison is claimed."
        )
    if group.rivals:
        first = group.rivals[0]
        bound = f"{ratio(first.ratio)} includes 1" if first.ratio else "no ratio"
        names = listed([name(fastest), *(name(rival.base) for rival in group.rivals)], "and")
        start = (
            f"{place}it cannot be told yet which of {names} is the fastest (speed ratio {bound}); {name(fastest)}"
            f" reaches {reached}"
        )
    else:
        start = f"{place}{name(fastest)} is the fastest of {others + 1} verified implementations: {reached}"
    return start + "".join(f"; {clause}" for clause in _against(group)) + "."


def _against(group: ComparisonGroup) -> list[str]:
    """Return the clauses that compare the fastest with the best peer and the reference, unless already said."""
    fastest, said = group.fastest, [rival.base for rival in group.rivals]
    clauses = []
    if fastest and fastest.peer and group.best_own and group.best_own not in said:
        pair = compare(group.best_own, fastest)
        clauses.append(_clause(pair, f"the fastest that is not a peer, {name(group.best_own)},", "it"))
    elif fastest and not fastest.peer and group.best_peer and group.best_peer not in said:
        clauses.append(_clause(compare(fastest, group.best_peer), "it", f"the best peer, {name(group.best_peer)}"))
    if fastest and group.reference and group.reference not in said:
        pair = compare(fastest, group.reference)
        clauses.append(_clause(pair, "it", f"the reference, {name(group.reference)}"))
    return [clause for clause in clauses if clause]


def _clause(pair: Comparison | None, subject: str, against: str) -> str:
    if pair is None or pair.ratio is None or pair.decision is Decision.UNKNOWN:
        return ""
    if pair.decision is Decision.UNDECIDED:
        question = f"whether {subject.rstrip(',')} is faster than {against}"
        return f"it cannot be told yet {question} ({ratio(pair.ratio)} includes 1)"
    return f"{subject} is {ratio(pair.ratio)} as fast as {against}"


def cost_sentence(group: ComparisonGroup) -> str:
    """Return what a unit costs with the fastest, and with the cheapest if that is another; empty without prices."""
    fastest, cheapest = group.fastest, group.cheapest
    if fastest is None or fastest.cost is None:
        return ""
    text = f"Priced: {' '.join(cost(fastest))} with {name(fastest)}, at the price {price_note(fastest)}"
    if cheapest and cheapest is not fastest and cheapest.cost:
        text += f"; the lowest cost is {' '.join(cost(cheapest))} with {name(cheapest)}"
    return text + "."


def cost(entry: Entry) -> tuple[str, str]:
    """Return the cost of an entry with its currency, and for how many units."""
    if entry.cost is None:
        return "", ""
    return price(entry.cost.value, entry.counted[0].currency or "of unknown currency", entry.unit)


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
        if pair is None or pair.ratio is None or pair.decision is Decision.UNKNOWN:
            parts.append(f"with {other.platform} no comparison is claimed (one process gives no interval)")
        elif pair.decision is Decision.UNDECIDED:
            parts.append(f"it cannot be told yet whether faster than {other.platform} ({ratio(pair.ratio)} includes 1)")
        else:
            parts.append(f"{ratio(pair.ratio)} as fast as {other.platform}")
    return f"Between platforms, each with its fastest: {best.platform} is ahead: {listed(parts)}."


def headline(problems: Sequence[ProblemResults]) -> str:
    """Return the answer to a question in one sentence."""
    groups = [group for problem in problems for group in problem.measured]
    if not groups:
        return "Nothing was measured yet that answers it."
    if len(groups) == 1:
        return group_answer(groups[0])
    places = len({group.platform for group in groups})
    noun = f"{counted(len(problems), 'problem')} on {counted(places, 'platform')}"
    leaders = Counter(group.fastest.case.implementation for group in groups if group.fastest)
    if not leaders:
        return f"No implementation has a verified result in any of {noun}."
    total = len(groups)
    lead = listed(f"{who} has the shortest time in {_share(count, total)}" for who, count in leaders.most_common(3))
    rest = total - sum(count for _, count in leaders.most_common(3))
    others = f", others in {rest}" if rest else ""
    of = "problems" if places == 1 else "pairs of problem and platform"
    return f"Of {total} {of}, {lead}{others}; {_decided(groups)}{_range(groups)}."


def _share(count: int, total: int) -> str:
    return "all" if count == total else str(count)


def _decided(groups: Sequence[ComparisonGroup]) -> str:
    decided = sum(group.decided for group in groups)
    if decided == len(groups):
        return "each time faster than every other implementation by 95 % intervals"
    if not decided:
        return "by 95 % intervals it cannot be told yet in any of them which is the fastest"
    return f"{decided} of {len(groups)} are sure by 95 % intervals, for the others no order is claimed"


def _range(groups: Sequence[ComparisonGroup]) -> str:
    """Return between which factors the leader passes the best peer, or numpy without peers, where decided."""
    with_peers = any(group.best_peer for group in groups)
    whom = "the best peer" if with_peers else "the numpy reference"
    bases = [(group.fastest, group.best_peer if with_peers else group.reference) for group in groups]
    pairs = [compare(fastest, base) for fastest, base in bases if fastest]
    found = [pair.ratio for pair in pairs if pair and pair.ratio and pair.decision is Decision.FASTER]
    if not found:
        return ""
    where = "all of them" if len(found) == len(groups) else f"{len(found)} of them"
    if len(found) == 1:
        return f"; in {where} the leader is {ratio(found[0])} as fast as {whom}"
    least, most = (pick(found, key=lambda interval: interval.value) for pick in (min, max))
    return f"; in {where} the leader is {ratio(least)} to {ratio(most)} as fast as {whom}"


def projection(group: ComparisonGroup) -> str:
    """Return what was projected or rehearsed, in one sentence that says so and compares nothing."""
    fastest = next((entry for entry in group.entries if entry.counted), None)
    start = f"{group.basis.value.capitalize()}, not measured, on platform {group.platform}: "
    if fastest is None:
        return f"{start}no figure."
    return f"{start}the shortest time is that of {name(fastest)}, {' '.join(filter(None, speed(fastest)))}."


def time(entry: Entry) -> tuple[str, str]:
    """Return the seconds of one repeat and the interval."""
    return duration(entry.time.value, entry.time.low, entry.time.high) if entry.time else ("", "")
