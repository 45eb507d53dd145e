"""The worst of several verdicts."""

from __future__ import annotations

from daasbench.authoring.verdicts import worst_of
from daasbench.model import Verdict


def worse(one: Verdict, other: Verdict) -> Verdict:
    """Return the verdict that is further from correct; a verdict that is not ok is worse than one that is."""
    return worst_of((one, other))
