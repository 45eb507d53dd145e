"""The answer box of a question about scaling: how many ranks or threads to use, and what more of them give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from daasbench.evidence.claims import problem_results
from daasbench.scenario.scaling_series import Intent
from daasbench.statistics import Interval, too_uncertain

from ..blocks.answer import AnswerBox, caution, trust_line
from ..blocks.caveats import Voids
from ..blocks.numbers import counted, joined, listed
from ..blocks.questions import asked
from ..blocks.ratios import between, figure, times, to
from .scaling_series import ENOUGH, Communication, ScalingSeries, SeriesPoint
from .sentences import steps
from .verdict import ScalingVerdict, bounds, is_trend, verdict

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

UNASKED = "How many cores are worth using?"
POLAR = ("is", "are", "does", "do", "can", "will", "would", "should", "has", "have")
VERB = {Intent.STRONG: "are", Intent.WEAK: "do"}
NAMED = 2  # series in a sentence of several; more are counted
NO_TREND = "Two core counts cannot show a trend; measure at least three."


def by_question(evidence: Evidence, series: Sequence[ScalingSeries]) -> Mapping[str, list[ScalingSeries]]:
    """Return the series of each question that the scenarios ask, in their order."""
    found: dict[str, list[ScalingSeries]] = {}
    for one in series:
        measured = Counter(row.record.run for point in one.points for row in point.entry.rows)
        run = max(measured, key=lambda run: (measured[run], run))  # a point may be shared with another question
        text = asked(evidence.scenarios.get(run, "")) or UNASKED
        found.setdefault(text, []).append(one)
    return found


def runs(series: Sequence[ScalingSeries]) -> list[str]:
    """Return the runs that measured these series."""
    return sorted({row.record.run for one in series for point in one.points for row in point.entry.rows})


def answer_box(evidence: Evidence, question: str, series: Sequence[ScalingSeries]) -> AnswerBox:
    """Return the answer of these series to a question."""
    problems = problem_results([point.entry for one in series for point in one.points])
    verdicts = [verdict(one) for one in series]
    said = one_series(verdicts[0], question) if len(series) == 1 else several(verdicts)
    lacking = next((found.caveat for found in verdicts if found.caveat), None)
    return AnswerBox(
        sentences=tuple(said),
        trust="; ".join(filter(None, (trust_line(evidence, problems), _shared_cores(series), _no_trend(series)))),
        caution=caution(evidence, problems),
        missing=lacking.missing(evidence, runs(series)) if lacking and not said else "",
    )


def nothing() -> AnswerBox:
    """Return the box of evidence without any series."""
    return AnswerBox(
        sentences=(),
        trust="",
        missing="Nothing was measured with more than one core count. Measure it: daasbench run strong_scaling",
    )


def missing(evidence: Evidence, series: Sequence[ScalingSeries]) -> list[str]:
    """Return what voids a verdict or leaves it open, each once, with the command that measures what is missing."""
    found = [(one, verdict(one).lacking) for one in series]
    return list(dict.fromkeys(lacking.missing(evidence, runs([one])) for one, lacking in found if lacking))


def worth_using(found: ScalingVerdict) -> str:
    """Return how many ranks or threads are worth using, in two or three words."""
    series, best = found.series, found.best
    if best is None:
        return "cannot be told yet"
    if found.unsure and found.limit:
        least = "at most" if best is series.base else f"{best.count} to"
        return f"{least} {steps(found.limit.count, series.unit)}"
    if best is series.base and found.worse is None:
        return "cannot be told yet"
    return steps(best.count, series.unit) if found.worse else f"at least {steps(best.count, series.unit)}"


def finding(series: Sequence[ScalingSeries]) -> str:
    """Return what a figure of these series shows: how fast the largest points are; only what is drawn, if voided."""
    sure = [one for one in series if verdict(one).caveat is None and one.largest and one.largest.speed_up]
    found = [point.speed_up for one in sure if (point := one.largest) and point.speed_up]
    if not found or any(one.low is None or too_uncertain(one) for one in found):
        return "Speed by the number of cores"
    if len(series) > 1:
        most = max(point.cores for one in sure if (point := one.largest))
        return f"Speed-up with up to {counted(most, 'core')}: {to(found)} times"
    only, largest = sure[0], sure[0].measured[-1]
    return f"{steps(largest.count, only.unit)} {_as_fast(found[0], only.measured[0], only)}"


def _shared_cores(series: Sequence[ScalingSeries]) -> str:
    over = sum(point.oversubscribed for one in series for point in one.points)
    return f"{counted(over, 'point')} with more ranks than cores: listed, not used" if over else ""


def _no_trend(series: Sequence[ScalingSeries]) -> str:
    """Return that several series are too short to show a trend; one series says it in a sentence."""
    short = len(series) > 1 and not any(map(is_trend, series))
    return "two core counts each: no trend" if short else ""


# --- one series -----------------------------------------------------------------------------------------------


def one_series(found: ScalingVerdict, question: str = "") -> list[str]:
    """Return the verdict on a series in one to three sentences; nothing if a caveat voids it."""
    if found.best is None:
        return []
    series = found.series
    if not is_trend(series):
        return [_pair(series, question), *_talks(series, series.measured[1]), NO_TREND]
    return [sentence for sentence in (_advice(found), _next(found)) if sentence]


def _pair(series: ScalingSeries, question: str) -> str:
    """Return how the second of two points compares with the first."""
    first, second = series.measured
    step, polar = second.step, question.strip().lower().startswith(tuple(f"{word} " for word in POLAR))
    if step is None or step.high is None or step.low is None:
        return ""
    who = steps(second.count, series.unit)
    no = "No" if polar else f"Use {steps(first.count, series.unit)}"
    if step.low <= 1 <= step.high:
        return f"{no}: {who} are about as fast as {first.count}, {times(step)}."
    if step.high < 1:
        return f"{no}: {who} are slower than {first.count}, {_loss(step, series)}."
    said = f"{who} {_as_fast(step, first, series)}."
    low, high = bounds(second)
    word = "Yes: " if low >= ENOUGH else "A little: " if high < ENOUGH else ""
    return f"{word}{said}" if polar else said


def _loss(step: Interval, series: ScalingSeries) -> str:
    return f"{figure(step)} times the {'work per second' if series.intent is Intent.WEAK else 'speed'}"


def _as_fast(step: Interval, before: SeriesPoint, series: ScalingSeries) -> str:
    """Return a ratio of speeds in words; for a problem that grows, of work per second."""
    said = f"{figure(step)} times as fast as {before.count}"
    if series.intent is Intent.WEAK:
        said = f"{figure(step)} times the work of {before.count} per second"
    return f"{VERB[series.intent]} {joined((said, between(step)))}"


def _advice(found: ScalingVerdict) -> str:
    series, best, base = found.series, found.best, found.series.base
    if best is None or base is None:
        return ""
    if found.unsure and found.limit:
        least = "at most" if best is base else f"{best.count} to"
        return f"Use {least} {steps(found.limit.count, series.unit)}."
    most = steps(best.count, series.unit)
    if best is series.measured[-1]:
        speed = best.speed_up
        gained = f": they {_as_fast(speed, base, series)}" if speed else ""
        return f"Use {most}, the most that were measured{gained}."
    return f"Use {most}." if found.worse else f"Use at least {most}."


def _next(found: ScalingVerdict) -> str:
    """Return what the first point that is not worth it gives, or why this cannot be told."""
    series = found.series
    point = found.worse or found.unsure
    if point is None or found.best is None:
        return _efficiency(series)
    before = series.measured[series.measured.index(point) - 1]
    who = steps(point.count, series.unit)
    if point is found.unsure or point.step is None:
        seen = f": they {_as_fast(point.step, before, series)}" if point.step and not _wide(point) else ""
        return f"Whether {who} are worth it cannot be told yet{seen}."
    if point.step.high is not None and point.step.high < 1:
        return f"{who} are slower than {before.count}: {_loss(point.step, series)}."
    tail = f", at an efficiency of {_rough(point.efficiency.value)}" if point.efficiency else ""
    return f"{who} {_as_fast(point.step, before, series)}{tail}{_share(point)}."


def _wide(point: SeriesPoint) -> bool:
    return point.step is None or too_uncertain(point.step) or point.step.low is None


def _efficiency(series: ScalingSeries) -> str:
    largest = series.largest
    if largest is None or largest.efficiency is None:
        return ""
    return f"Their efficiency is {_rough(largest.efficiency.value)}{_share(largest)}."


def _share(point: SeriesPoint) -> str:
    found = point.communication
    return f"; communication takes {_rough(found.share.value)} of the time" if isinstance(found, Communication) else ""


def _talks(series: ScalingSeries, point: SeriesPoint) -> list[str]:
    found = point.communication
    if not isinstance(found, Communication):
        return []
    return [f"With {steps(point.count, series.unit)}, communication takes {_rough(found.share.value)} of the time."]


def _rough(share: float) -> str:
    return "less than 1 %" if share < 0.01 else f"{100 * share:.0f} %"


# --- several series -------------------------------------------------------------------------------------------


def several(verdicts: Sequence[ScalingVerdict]) -> list[str]:
    """Return the verdicts on several series, those with the same advice in one sentence; at most three sentences."""
    groups: dict[int, list[ScalingVerdict]] = {}
    unclear: list[ScalingVerdict] = []
    for found in verdicts:
        if found.best is None or (found.best is found.series.base and found.worse is None):
            unclear.append(found)
        else:
            groups.setdefault(found.best.cores, []).append(found)
    if not groups:
        return []
    ordered = sorted(groups.items(), key=lambda one: (-len(one[1]), one[0]))
    said = [_group(cores, mine, len(verdicts)) for cores, mine in ordered[:2]]
    rest = sum(len(mine) for _, mine in ordered[2:])
    others = [f"{counted(rest, 'other')} need another number" if rest else "", _unclear(unclear)]
    last = "; ".join(filter(None, others))
    return [*said, f"{last[0].upper()}{last[1:]}."] if last else said


def _group(cores: int, mine: Sequence[ScalingVerdict], total: int) -> str:
    """Return the advice that these series share: ``"Use 2 cores for 5 of 7 analyses: ..."``."""
    who = _names([found.series for found in mine], total)
    start = f"Use {counted(cores, 'core')} for {who}"
    gained = [found.best.speed_up for found in mine if found.best and found.best.speed_up]
    if not gained:
        lost = [found.worse.step for found in mine if found.worse and found.worse.step]
        return f"{start}: more give {to(lost)} times the speed." if lost else f"{start}."
    base = listed(map(str, sorted({found.series.measured[0].cores for found in mine})), "or")
    weak = all(found.series.intent is Intent.WEAK for found in mine)
    return f"{start}: {to(gained)} times {f'the work of {base} per second' if weak else f'as fast as {base}'}."


def _names(series: Sequence[ScalingSeries], total: int) -> str:
    if len(series) == total:
        return f"all {total} analyses"
    if len(series) > NAMED:
        return f"{len(series)} of {total} analyses"
    return listed(f"{one.case.kernel.replace('_', ' ')} ({one.case.implementation})" for one in series)


def _unclear(verdicts: Sequence[ScalingVerdict]) -> str:
    """Return how many series have no verdict, and why."""
    if not verdicts:
        return ""
    why = listed(dict.fromkeys((found.caveat.kind if found.caveat else Voids.UNCERTAIN).value for found in verdicts))
    return f"for {len(verdicts)} {'analysis' if len(verdicts) == 1 else 'analyses'} it cannot be told yet ({why})"
