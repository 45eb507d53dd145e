"""The verdict of several checks together, and the check of the judgements that implementations declare."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from daasbench.contracts import Implementation
from daasbench.errors import PluginError, unknown_sentence
from daasbench.model import Verdict


def worst_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst verdict; of equal verdicts the first.

    A wrong verdict is worse than every correct verdict. Otherwise the verdicts are compared by their errors in units of
    their tolerances. An error that is missing or not a number counts as infinite. If two errors are infinite in this
    unit, the larger error is worse.
    """
    return max(verdicts, key=_nearness)


def _nearness(verdict: Verdict) -> tuple[bool, float, float]:
    error = math.inf if verdict.error is None or math.isnan(verdict.error) else verdict.error
    ratio = error / verdict.tolerance if verdict.tolerance else (math.inf if error else 0.0)
    return not verdict.ok, ratio, error


def check_judgements(kernel: str, implementations: Iterable[Implementation], known: Mapping[str, str]) -> None:
    """Raise PluginError if an implementation declares a judgement that its kernel does not know.

    Parameters
    ----------
    known
        The judgements of the kernel with their meanings; the keys are the values of `judged_as`.
    """
    for implementation in implementations:
        if implementation.judged_as and implementation.judged_as not in known:
            where = f"implementation {implementation.name!r} of kernel {kernel}: judged_as"
            raise PluginError(unknown_sentence("judgement", implementation.judged_as, known, where))
