"""How the verdicts of several checks become one, and which kinds of judgement a kernel knows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from daasbench.contracts import Implementation
from daasbench.errors import PluginError, unknown_sentence
from daasbench.model import Verdict


def worst_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that is wrong or comes closest to it; of equal ones the first.

    A wrong verdict comes before any that is right. Otherwise the error in units of its tolerance decides; no error,
    and one that is not a number, are infinite. Of two that are infinite in this unit the larger error comes first.
    """
    return max(verdicts, key=_nearness)


def _nearness(verdict: Verdict) -> tuple[bool, float, float]:
    error = math.inf if verdict.error is None or math.isnan(verdict.error) else verdict.error
    ratio = error / verdict.tolerance if verdict.tolerance else (math.inf if error else 0.0)
    return not verdict.ok, ratio, error


def check_judgements(kernel: str, implementations: Iterable[Implementation], known: Mapping[str, str]) -> None:
    """Raise PluginError if an implementation is judged in a way that its kernel does not know.

    Parameters
    ----------
    known
        The meaning of each judgement of the kernel, by the word for `judged_as`.
    """
    for one in implementations:
        if one.judged_as and one.judged_as not in known:
            where = f"implementation {one.name!r} of kernel {kernel}: judged_as"
            raise PluginError(unknown_sentence("judgement", one.judged_as, known, where))
