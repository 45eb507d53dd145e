"""Samples of several rounds as one, and the worst of several verdicts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from daasbench.authoring.verdicts import worst_of
from daasbench.model import (
    Samples,
    Verdict,
)


def worse(one: Verdict, other: Verdict) -> Verdict:
    """Return the verdict that is further from right; one that is not ok is worse than one that is."""
    return worst_of((one, other))


def concatenate(parts: Sequence[Samples]) -> Samples:
    """Return the samples of several turns as one."""
    fields = [one.name for one in msgspec.structs.fields(Samples)]
    return Samples(**{name: [value for part in parts for value in getattr(part, name)] for name in fields})
