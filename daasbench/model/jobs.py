"""Jobs: what goes into a node, what a runner says of it, and the journal's events."""

from __future__ import annotations

from collections.abc import Iterator

from daasbench.model.cases import Case, Repeat
from daasbench.model.platforms import Platform
from daasbench.model.states import (
    SCHEMA,
    JobState,
    Noun,
    Reason,
    Scalar,
)


class JobStatus(Noun, frozen=True, kw_only=True):
    """What a runner says of a job now."""

    state: JobState
    native: str = ""  # the runner's own word, verbatim
    message: str = ""  # of one that waits: why; of one that ended badly: what happened, and the cure
    reason: Reason | None = None
    queued_at: str | None = None  # UTC, ISO 8601
    started_at: str | None = None
    ended_at: str | None = None
    nodes: int | None = None
    hosts: str = ""
    exit: int | None = None
    bytes_in: int = 0  # copied to the place
    bytes_out: int = 0  # copied from it

    @property
    def ended(self) -> bool:
        """Return whether nothing more will come."""
        return self.state not in (JobState.PENDING, JobState.RUNNING)


class Planned(Noun, frozen=True, kw_only=True):
    """A case that a job shall measure in one set of processes."""

    key: str
    case: Case
    process: int
    attempt: int = 1
    skip: str | None = None  # why this place cannot do it, with the cure


class Job(Noun, frozen=True, kw_only=True):
    """Cases that share one allocation on one platform: what goes into a node (``job.json``)."""

    id: str
    run: str
    platform_name: str
    platform: Platform
    planned: list[Planned]
    repeat: Repeat
    commit: str
    interleaved_with: list[str] = []  # platforms that take turns with this one: each set of processes visits all
    sources: dict[str, str] = {}  # kernel name: path of the user's Python file
    inputs: dict[str, dict[str, str]] = {}  # input hash: path on the node of "input" and of each file option
    order_seed: int = 0
    redact: bool = False
    suite: str = (
        ""  # names the code that planned it (daasbench.host.code_fingerprint); where it may run elsewhere or later
    )
    schema: int = SCHEMA


class Request(Noun, frozen=True, kw_only=True):
    """Exactly what a runner would send; what ``--dry-run`` prints."""

    runner: str
    command: list[str]
    environment: dict[str, str] = {}
    files: dict[str, str] = {}  # path, relative to the job's folder (of a queue: to that of the run's jobs): text
    text: str = ""  # for people
    jobs: list[str] = []  # of a queue: the jobs that it carries


class JobRecord(Noun, frozen=True, kw_only=True):
    """The errand around the records of a job."""

    job: str
    platform: str
    handle: str = ""
    submitted_at: str | None = None
    queued_at: str | None = None
    started_at: str | None = None  # by the runner's clock; `began_at` by the node's
    ended_at: str | None = None
    began_at: str | None = None  # when the worker on the node took the job
    left_at: str | None = None  # and when it ended
    followed_since: str | None = None  # since when the controller that accounted for it was there, by its clock
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
    """One line of a run's journal: written and flushed before the world is touched, and after."""

    at: str
    event: str  # created, planned, submitting, submitted, ended, accounted, interrupted, finished
    job: str | None = None
    detail: dict[str, Scalar | None] = {}


def sets_of(job: Job) -> Iterator[list[Planned]]:
    """Yield the sets of a job in its order: the contenders of one comparison in one set of processes."""
    sets: dict[tuple[int, str], list[Planned]] = {}
    for one in job.planned:
        sets.setdefault((one.process, one.case.problem_id), []).append(one)
    yield from sets.values()
