"""Jobs: what goes into a node, its state according to the runner, its metadata, and the events of the journal."""

from __future__ import annotations

from collections.abc import Iterator

from daasbench.model.cases import Case, Repeat
from daasbench.model.machines import Limits, LimitsRule
from daasbench.model.platforms import Platform
from daasbench.model.states import SCHEMA, JobState, Noun, Reason, Scalar


class JobStatus(Noun, frozen=True, kw_only=True):
    """The present state of a job according to its runner."""

    state: JobState
    native: str = ""  # the state in the words of the runner, verbatim
    message: str = ""  # why a job waits; or what went wrong, and the fix
    reason: Reason | None = None
    queued_at: str | None = None  # UTC, ISO 8601
    started_at: str | None = None
    ended_at: str | None = None
    nodes: int | None = None
    hosts: str = ""
    exit: int | None = None
    bytes_in: int = 0  # copied to the platform
    bytes_out: int = 0  # copied from it

    @property
    def ended(self) -> bool:
        """Return whether the job has ended."""
        return self.state not in (JobState.PENDING, JobState.RUNNING)


class Planned(Noun, frozen=True, kw_only=True):
    """A case that a job measures in one set of processes."""

    key: str
    case: Case
    process: int
    attempt: int = 1
    skip: str | None = None  # why this platform cannot measure it, with the fix


class Job(Noun, frozen=True, kw_only=True):
    """Cases that share one allocation on one platform: what goes into a node (``job.json``)."""

    id: str
    run: str
    platform_name: str
    platform: Platform
    planned: list[Planned]
    repeat: Repeat
    commit: str
    interleaved_with: list[str] = []  # platforms interleaved with this one: each set of processes visits all
    sources: dict[str, str] = {}  # kernel name: path of the user's Python file
    inputs: dict[str, dict[str, str]] = {}  # input hash: path on the node of "input" and of each file option
    order_seed: int = 0
    redact: bool = False
    suite: str = ""  # fingerprint of the code that planned it, where the job may run elsewhere or later
    limits: LimitsRule = LimitsRule()
    known_limits: list[Limits] = []  # of earlier jobs in the results folder; the newest is first
    schema: int = SCHEMA


class Request(Noun, frozen=True, kw_only=True):
    """Exactly what a runner sends; ``--dry-run`` prints it."""

    runner: str
    command: list[str]
    environment: dict[str, str] = {}
    files: dict[str, str] = {}  # text by path, relative to the job's folder (of a queue: to the folder of all jobs)
    text: str = ""  # for readers
    jobs: list[str] = []  # of a queue: the jobs in this request


class JobRecord(Noun, frozen=True, kw_only=True):
    """Submission and execution metadata of a job."""

    job: str
    platform: str
    handle: str = ""
    submitted_at: str | None = None
    queued_at: str | None = None
    started_at: str | None = None  # by the clock of the runner; `began_at` by that of the node
    ended_at: str | None = None
    began_at: str | None = None  # when the worker on the node took the job
    left_at: str | None = None  # and when it ended
    followed_since: str | None = None  # when the controller that accounted for the job started, by its clock
    nodes: int = 1
    hosts: str = ""
    state: str = ""
    native: str = ""
    exit: int | None = None
    billed_s: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    message: str = ""


class Event(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the journal of a run: written and flushed before anything outside is changed, and after."""

    at: str
    event: str  # created, planned, submitting, submitted, ended, accounted, interrupted, finished
    job: str | None = None
    detail: dict[str, Scalar | None] = {}


def sets_of(job: Job) -> Iterator[list[Planned]]:
    """Yield the sets of a job in its order: the cases of one comparison in one set of processes."""
    sets: dict[tuple[int, str], list[Planned]] = {}
    for planned in job.planned:
        sets.setdefault((planned.process, planned.case.problem_id), []).append(planned)
    yield from sets.values()
