"""The protocols that a plug-in fulfils.

A kernel author rarely writes these classes by hand: `daasbench.kernel` (:mod:`daasbench.authoring.folder`) makes
them from plain functions, for the shipped kernels as for a user's own file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol, runtime_checkable

import msgspec

from daasbench.model import Job, JobStatus, Option, Request, Verdict, Work

FilePath = Annotated[str, msgspec.Meta(extra={"file": True})]
"""Type of a kernel option that names a file: resolved beside the scenario, hashed into the case's identity."""

OF_INPUT = msgspec.Meta(extra={"of_input": True})
"""Mark of a kernel option that describes the input file: refused without one, left out with generated data."""

Parameters = Mapping[str, Any]
"""What determines the shape of a problem: the numbers of a size, or what a survey of a file found."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of a kernel's options; the docstring of a subclass documents each."""


class Reference(msgspec.Struct, frozen=True):
    """A publication: one line for people, and its DOI."""

    text: str
    doi: str = ""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a facility's scientist wants to know of a kernel."""

    title: str
    unit: str  # of scientific work, singular
    units: str = ""  # the plural, where it is not the unit and an s; filled in if not given
    stands_for: str = ""  # production software
    community: str = ""
    method: str = ""  # the formula, in words and symbols
    leaves_out: str = ""
    tolerance: str = ""  # what it is and where it comes from
    real_work: str = ""  # how many units one real data set is
    literature: tuple[Reference, ...] = ()

    def __post_init__(self) -> None:
        if not self.units:
            msgspec.structs.force_setattr(self, "units", f"{self.unit}s")


class Problem(Protocol):
    """The inputs of one case: `blocks` are what repeats rotate over, the rest is shared by all blocks.

    `prepare` of an implementation sees every block that will be computed: where there are fewer than the harness asked
    for, the blocks from the first on again, each in memory of its own.
    """

    @property
    def blocks(self) -> Sequence[Any]:
        """Return the blocks; each an array, or a mapping, tuple or dataclass of arrays."""
        ...


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What an implementation may use; enforced by the harness, given so that plans can be made for it.

    `threads` and `gpus` are those of one rank or worker. `comm` is the communicator of backend ``mpi``, of
    exactly `ranks`
    ranks; `client` that of a Dask cluster of exactly `ranks` workers.
    """

    threads: int = 1
    ranks: int = 1
    gpus: int = 0
    comm: Any = None  # mpi4py.MPI.Intracomm
    client: Any = None  # distributed.Client


class Partitioned(msgspec.Struct, frozen=True, kw_only=True):
    """What `prepare` returns instead of ``compute`` where a block is spread over ranks or workers.

    For backend ``mpi`` every rank calls all three, in the same order. A part of a result may be overwritten by the
    next ``compute``; the whole that `get` returns is the caller's.
    """

    put: Callable[[Any], Any]  # a block -> this rank's part of it; outside of the timed window
    compute: Callable[[Any], Any]  # the part -> this rank's part of the result; done when it returns
    get: Callable[[Any], Any]  # -> the whole result, on rank 0; None on the others


class Implementation(msgspec.Struct, frozen=True, kw_only=True):
    """One way to compute a kernel.

    `load` imports the code and returns ``prepare(problem, resources)``, which does the set-up (plans, lookup
    tables) and returns ``compute(block)``; of the backends ``mpi`` and ``dask`` it returns a :class:`Partitioned`.
    A result is the caller's, who may keep it, unless `overwrites_result` says that the next call overwrites it.
    `requires` are importable names, `packages` the distributions that bring them and whose version is the
    implementation's; `fix` is the command that installs them.
    `judged_as` is a word of the kernel's `judgements`, by which its results are verified; empty: as the definition
    says. It is declared here because a name says nothing: anybody may add another implementation of the same kind.
    """

    name: str
    load: Callable[[], Callable[[Any, Resources], Any]]
    backend: str = "host"  # host, cuda, mpi or dask
    threads: bool = True  # whether it has a threads axis
    gpus: int = 0
    peer: bool = False
    requires: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()  # executables that it starts, by name on the PATH
    fix: str = ""
    adds: str = ""  # what it computes or does in addition, or otherwise
    judged_as: str = ""  # how its results are verified, where that is not by the definition
    version: str = ""
    overwrites_result: bool = False  # whether the next call overwrites the last result: who keeps that, copies it
    memory_factor: float = 1.0  # working memory, in units of one block and its result


class Kernel(Protocol):
    """What is computed."""

    @property
    def name(self) -> str:
        """Return its name: that of its entry point."""
        ...

    @property
    def card(self) -> Card:
        """Return what a scientist wants to know of it."""
        ...

    @property
    def sizes(self) -> Mapping[str, Parameters]:
        """Return the parameters of each size."""
        ...

    @property
    def options(self) -> type[Options]:
        """Return the class of its options."""
        ...

    @property
    def implementations(self) -> Mapping[str, Implementation]:
        """Return the implementations by name, the reference first."""
        ...

    @property
    def judgements(self) -> Mapping[str, str]:
        """Return what an implementation may declare as `judged_as`, with the meaning of each; most kernels: none."""
        ...

    @property
    def repeat_tolerance(self) -> float | None:
        """Return how far, relatively, a result may be from a verified one of the same block; None: any way."""
        ...

    @property
    def reads_files(self) -> bool:
        """Return whether ``--input`` is understood."""
        ...

    def survey(self, path: Path, options: Options) -> Parameters:
        """Return the parameters of a user's file from its headers; raise InputError on anything wrong."""
        ...

    def work(self, parameters: Parameters, options: Options) -> Work:
        """Return the least work of one repeat (one block)."""
        ...

    def make(self, parameters: Parameters, options: Options, seed: int, blocks: int) -> Problem:
        """Return a generated problem with known truth, of `blocks` different blocks.

        It may have fewer, but one at least, where each is expensive to verify: the harness repeats them.
        """
        ...

    def read(self, path: Path, parameters: Parameters, options: Options, blocks: int) -> Problem:
        """Return the problem of a user's file, of the first `blocks` blocks in it.

        Where the file has fewer, the problem has fewer, but one at least: the harness repeats them, each repeat in
        memory of its own, so that they do not stay in the cache.
        """
        ...

    def expect(self, problem: Any, options: Options) -> Any:
        """Return what the oracle needs, computed once a comparison by a process that measures nothing."""
        ...

    def verify(self, problem: Any, expectation: Any, block: int, result: Any, judged_as: str) -> Verdict:
        """Return the verdict on the result of a block by an implementation that declares `judged_as`.

        `block` counts the blocks that `make` or `read` returned: a repeated one is the block that it repeats.
        """
        ...


class Backend(Protocol):
    """Where arrays live."""

    name: str

    def put(self, block: Any) -> Any:
        """Return `block` with its arrays in the backend's memory."""
        ...

    def get(self, result: Any) -> Any:
        """Return `result` with its arrays as numpy arrays in host memory."""
        ...

    def wait(self) -> None:
        """Return when everything that was started has ended."""
        ...

    def peak_bytes(self) -> int | None:
        """Return the peak of device memory; None for the host."""
        ...


class Runner(Protocol):
    """A way to get to a platform."""

    name: str

    def check(self, options: Mapping[str, Option], where: str) -> None:
        """Raise ScenarioError, naming `where`, if the platform's options are not of this runner's form."""
        ...

    def render(self, job: Job, folder: Path) -> Request:
        """Return exactly what would be sent; pure."""
        ...

    def submit(self, request: Request, folder: Path, keep_open: Sequence[int] = ()) -> str:
        """Send it; return a handle that outlives this process. `keep_open`: descriptors the job shall hold."""
        ...

    def poll(self, handle: str) -> JobStatus:
        """Return our state and the native word."""
        ...

    def fetch(self, handle: str, folder: Path) -> None:
        """Bring the records into `folder`; may be called again."""
        ...

    def cancel(self, handle: str) -> None:
        """End the job; return when it has ended."""
        ...


@runtime_checkable
class Queue(Runner, Protocol):
    """A runner whose jobs wait in a scheduler and outlive their controller: they may be collected later.

    A runner that has all of these members is a queue: ``isinstance(runner, Queue)``.
    Handles are URLs, so that who has one needs neither the run nor the process that submitted: ``slurm:///1234_7``.
    """

    @property
    def every_s(self) -> float:
        """Return how long to wait between two looks; it may grow while nothing changes."""
        ...

    def split(self, job: Job) -> list[Job]:
        """Return the jobs that a platform's cases become here: those of one share an allocation. Pure.

        Together they hold every case of `job` once, the sets of a comparison undivided; their ids do not count.
        """
        ...

    def render_all(self, jobs: Sequence[Job], folder: Path) -> list[Request]:
        """Return exactly what would be sent for jobs of one platform, each in one of the requests. Pure.

        `folder` is that of the run's jobs, to which the files of a request are relative.
        """
        ...

    def submit_all(self, request: Request, folder: Path) -> dict[str, str]:
        """Send it; return the handle of each of its jobs.

        Raises
        ------
        SubmitError
            Nothing of it was accepted.
        Unreachable
            It is not known whether it was; `find` tells it later.
        """
        ...

    def find(self, jobs: Sequence[Job], folder: Path) -> dict[str, str]:
        """Return the handles of those jobs that did arrive, though nobody noted it.

        Raises
        ------
        Unreachable
            The place does not answer: nothing is known.
        """
        ...

    def cancel_all(self, handles: Sequence[str]) -> None:
        """Ask the place to end all of them; whether they have, `poll` tells."""
        ...


class Report(Protocol):
    """Evidence in, files that a person reads out; pure: same evidence, same bytes."""

    name: str
    title: str
    formats: tuple[str, ...]

    def write(self, evidence: Any, out: Path, formats: Sequence[str]) -> list[Path]:
        """Write the report into the folder `out`; return the files, the main one first.

        Raises
        ------
        OutputError
            If a file cannot be written; the message says which were.
        """
        ...
