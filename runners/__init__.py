"""Runners start jobs on platforms. The author of a runner imports everything from this package.

``from daasbench.runners import JobStatus, Request, SubmitError`` brings the protocols, the models that a runner
receives and returns, the errors that it raises, the files that a worker writes into a job's folder, the findings of a
preflight check, and the options of all runners (launcher of ranks, Dask scheduler, container). The runners themselves
are found by their names, through entry points of the group ``daasbench.runners``.
"""

from daasbench.contracts import Queue, Runner
from daasbench.errors import (
    LedgerError,
    MissingRequirement,
    ScenarioError,
    SubmitError,
    Unreachable,
    UsageError,
    unknown_sentence,
)
from daasbench.host.containers import container_of, folders_of, wrapped
from daasbench.host.launchers import OPTIONS, check_options
from daasbench.inspection.platform import Finding, FindingLevel, Inspecting, ok, warning, wrong
from daasbench.jobs.time_limits import wall_time_limit_s
from daasbench.model import (
    Case,
    Job,
    JobState,
    JobStatus,
    Option,
    Planned,
    Platform,
    Reason,
    Request,
    Written,
    sets_of,
)
from daasbench.model.parsing import convert
from daasbench.worker import CLAIM, ENDED, STARTED, Began, Left

__all__ = [
    "CLAIM",
    "ENDED",
    "OPTIONS",
    "STARTED",
    "Began",
    "Case",
    "Finding",
    "FindingLevel",
    "Inspecting",
    "Job",
    "JobState",
    "JobStatus",
    "LedgerError",
    "Left",
    "MissingRequirement",
    "Option",
    "Planned",
    "Platform",
    "Queue",
    "Reason",
    "Request",
    "Runner",
    "ScenarioError",
    "SubmitError",
    "Unreachable",
    "UsageError",
    "Written",
    "check_options",
    "container_of",
    "convert",
    "folders_of",
    "ok",
    "sets_of",
    "unknown_sentence",
    "wall_time_limit_s",
    "warning",
    "wrapped",
    "wrong",
]
