"""The nouns: frozen, keyword-only, no I/O (docs/reference/glossary.md).

Everything that is written to a file is defined here. ``SCHEMA`` is the version of the files of a results folder; a
frozen sample of every version is in ``tests/data/``.
"""

from __future__ import annotations

from daasbench.model.cases import Case, Repeat, Start
from daasbench.model.jobs import Event, Job, JobRecord, JobStatus, Planned, Request, sets_of
from daasbench.model.machines import Limit, Limits, LimitsRule, Machine
from daasbench.model.platforms import Beamline, Goal, Platform, Price
from daasbench.model.records import DaskWorker, Line, Record, Round, Samples, StartEvidence, Verdict, Work
from daasbench.model.states import (
    SCHEMA,
    Basis,
    Count,
    JobState,
    Noun,
    Option,
    Outcome,
    Reason,
    Scalar,
    Seconds,
    Written,
    digest,
)

__all__ = [
    "SCHEMA",
    "Basis",
    "Beamline",
    "Case",
    "Count",
    "DaskWorker",
    "Event",
    "StartEvidence",
    "Goal",
    "Job",
    "JobRecord",
    "JobState",
    "JobStatus",
    "Limit",
    "Limits",
    "LimitsRule",
    "Line",
    "Machine",
    "Noun",
    "Option",
    "Outcome",
    "Planned",
    "Platform",
    "Price",
    "Reason",
    "Record",
    "Repeat",
    "Request",
    "Samples",
    "Scalar",
    "Seconds",
    "Start",
    "Round",
    "Verdict",
    "Work",
    "Written",
    "digest",
    "sets_of",
]
