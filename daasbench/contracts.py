"""The protocols that plug-ins implement: kernels, runners and reports.

A kernel author rarely writes these classes by hand. :class:`daasbench.authoring.FolderKernel` makes a kernel from a
folder of modules, and :func:`daasbench.kernel` makes a kernel from plain functions in one file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol, runtime_checkable

import msgspec

from daasbench.model import Job, JobStatus, Option, Request, Verdict, Work

FilePath = Annotated[str, msgspec.Meta(extra={"file": True})]
"""Type of a kernel option that names a file: its path is relative to the scenario; its hash is part of the case."""

OF_INPUT = msgspec.Meta(extra={"of_input": True})
"""Mark of a kernel option that describes the input file; such an option is refused for generated inputs."""

Parameters = Mapping[str, Any]
"""The parameters that determine the shape of a problem: those of a size, or those that a file's headers give."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base class of a kernel's options; the docstring of a subclass documents each option."""


class Reference(msgspec.Struct, frozen=True):
    """A publication: one line of text, and its DOI."""

    text: str
    doi: str = ""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The description of a kernel for scientists."""

    title: str
    unit: str  # the unit of scientific work, singular
    units: str = ""  # its plural, if that is not the unit with an s; filled in if not given
    verb: str = ""  # what a machine does with a unit: "integrates"
    stands_for: str = ""  # the production software that the kernel represents
    community: str = ""  # the fields of science that use it
    method: str = ""  # the formula, in words and symbols
    leaves_out: str = ""  # what the production software does in addition to the kernel
    tolerance: str = ""  # the tolerances and where they come from
    real_work: str = ""  # how many units a real data set has
    literature: tuple[Reference, ...] = ()

    def __post_init__(self) -> None:
        if not self.units:
            msgspec.structs.force_setattr(self, "units", f"{self.unit}s")


class Problem(Protocol):
    """The inputs of one case: the repeats rotate over `blocks`; all other attributes are shared by the blocks.

    `prepare` of an implementation gets every block that will be computed. If a problem has fewer blocks than the
    harness requested, the harness repeats them from the first block on. Each copy has its own memory.
    """

    @property
    def blocks(self) -> Sequence[Any]:
        """Return the blocks; each is an array, or a mapping, tuple or dataclass of arrays."""
        ...


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """The resources that an implementation may use; the harness enforces them.

    `threads` and `gpus` are those of one rank or worker. `comm` is the communicator of backend ``mpi``; it has
    exactly `ranks` ranks. `client` is the client of a Dask cluster with exactly `ranks` workers.
    """

    threads: int = 1
    ranks: int = 1
    gpus: int = 0
    comm: Any = None  # mpi4py.MPI.Intracomm
    client: Any = None  # distributed.Client


class Partitioned(msgspec.Struct, frozen=True, kw_only=True):
    """What `prepare` returns instead of ``compute`` if a block is partitioned over ranks or workers.

    With backend ``mpi`` every rank calls all three functions in the same order. The next ``compute`` may overwrite
    the part of a result that a rank holds. The whole result that `get` returns belongs to the caller.
    """

    put: Callable[[Any], Any]  # block -> this rank's part of it; not timed
    compute: Callable[[Any], Any]  # part of the block -> this rank's part of the result; complete when it returns
    get: Callable[[Any], Any]  # part of the result -> the whole result on rank 0, None on the other ranks; not timed


class Implementation(msgspec.Struct, frozen=True, kw_only=True):
    """One implementation of a kernel.

    `load` imports the code and returns ``prepare(problem, resources)``. ``prepare`` does the set-up (plans, lookup
    tables) and returns ``compute(block)``, or a :class:`Partitioned` for the backends ``mpi`` and ``dask``.
    A result belongs to the caller, unless `overwrites_result` is true: then the next call overwrites it.
    `requires` are the modules that must be importable, `packages` the distributions that contain them and whose
    versions are recorded; `fix` is the command that installs them.
    `judged_as` is a key of the kernel's `judgements` and selects how the results are verified; empty: by the
    kernel's definition. An oracle uses this field and never the name, so that third parties can add implementations.
    """

    name: str
    load: Callable[[], Callable[[Any, Resources], Any]]
    backend: str = "host"  # host, cuda, mpi or dask
    threads: bool = True  # whether the number of threads can be chosen
    gpus: int = 0
    peer: bool = False
    requires: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()  # names of the executables on the PATH that it starts
    fix: str = ""
    adds: str = ""  # what it computes or does in addition to the definition, or differently
    judged_as: str = ""  # how its results are verified, if not by the definition
    version: str = ""
    overwrites_result: bool = False  # whether the next call overwrites the last result
    memory_factor: float = 1.0  # working memory, as a multiple of one block with its result


class Kernel(Protocol):
    """A computation with its inputs, its implementations and the verification of its results."""

    @property
    def name(self) -> str:
        """Return the kernel's name, which is the name of its entry point."""
        ...

    @property
    def card(self) -> Card:
        """Return the description of the kernel for scientists."""
        ...

    @property
    def sizes(self) -> Mapping[str, Parameters]:
        """Return the parameters of each size."""
        ...

    @property
    def options(self) -> type[Options]:
        """Return the class of the kernel's options."""
        ...

    @property
    def implementations(self) -> Mapping[str, Implementation]:
        """Return the implementations by name, the reference first."""
        ...

    @property
    def judgements(self) -> Mapping[str, str]:
        """Return the values that an implementation may declare as `judged_as`, each with its meaning; often none."""
        ...

    @property
    def repeat_tolerance(self) -> float | None:
        """Return the allowed relative difference between two results of the same block; None: no limit."""
        ...

    @property
    def reads_files(self) -> bool:
        """Return whether the kernel reads files (``--input``)."""
        ...

    def survey(self, path: Path, options: Options) -> Parameters:
        """Return the parameters of a user's file from its headers; raise InputError if the file is not usable."""
        ...

    def work(self, parameters: Parameters, options: Options) -> Work:
        """Return the minimum work of one repeat, which computes one block."""
        ...

    def make(self, parameters: Parameters, options: Options, seed: int, blocks: int) -> Problem:
        """Return a generated problem with known truth and `blocks` different blocks.

        It may have fewer blocks, at least one, if a block is expensive to verify: the harness repeats them.
        """
        ...

    def read(self, path: Path, parameters: Parameters, options: Options, blocks: int) -> Problem:
        """Return the problem of a user's file with the first `blocks` blocks of the file.

        If the file has fewer blocks, the problem has fewer, at least one. The harness repeats them, each copy in its
        own memory, so that they do not stay in the cache.
        """
        ...

    def expect(self, problem: Any, options: Options) -> Any:
        """Return what `verify` needs; a process that does not measure calls this once per comparison."""
        ...

    def verify(self, problem: Any, expectation: Any, block: int, result: Any, judged_as: str) -> Verdict:
        """Return the verdict on a result of an implementation that declares `judged_as`.

        `block` is the index of the block among those that `make` or `read` returned; a copy has the index of its
        original.
        """
        ...


class Backend(Protocol):
    """Moves arrays to the memory in which an implementation computes, and back."""

    name: str

    def put(self, block: Any) -> Any:
        """Return `block` with its arrays in the backend's memory."""
        ...

    def get(self, result: Any) -> Any:
        """Return `result` with its arrays as numpy arrays in host memory."""
        ...

    def wait(self) -> None:
        """Wait until all computations that were started have ended."""
        ...

    def peak_bytes(self) -> int | None:
        """Return the peak of the device memory in bytes; None for the host."""
        ...


class Runner(Protocol):
    """Starts jobs on a platform."""

    name: str

    def check(self, options: Mapping[str, Option], where: str) -> None:
        """Raise ScenarioError, whose message begins with `where`, if the platform's options are not valid."""
        ...

    def render(self, job: Job, folder: Path) -> Request:
        """Return exactly what `submit` would send. The function is pure: it changes nothing."""
        ...

    def submit(self, request: Request, folder: Path, keep_open: Sequence[int] = ()) -> str:
        """Start the job; return a handle that is valid after this process has ended.

        `keep_open` are file descriptors that the job must inherit.
        """
        ...

    def poll(self, handle: str) -> JobStatus:
        """Return the state of the job, and the state as the platform names it."""
        ...

    def fetch(self, handle: str, folder: Path) -> None:
        """Copy the records of the job into `folder`; may be called repeatedly."""
        ...

    def cancel(self, handle: str) -> None:
        """Cancel the job; return when it has ended."""
        ...


@runtime_checkable
class Queue(Runner, Protocol):
    """A runner that submits jobs to a scheduler, where they continue after this process has ended.

    A runner that has all of these members is a queue: ``isinstance(runner, Queue)``.
    Handles are URLs such as ``slurm:///1234_7``: a handle is enough to find the job from another process.
    """

    @property
    def every_s(self) -> float:
        """Return the seconds to wait between two polls; they may grow while nothing changes."""
        ...

    def split(self, job: Job) -> list[Job]:
        """Return the jobs into which `job` is divided; the cases of one job share an allocation. The function is pure.

        Together the jobs hold every case of `job` once. Cases that are compared stay in one job. The ids of the
        returned jobs are ignored.
        """
        ...

    def render_all(self, jobs: Sequence[Job], folder: Path) -> list[Request]:
        """Return exactly what would be sent for jobs of one platform. The function is pure.

        Each job is in exactly one of the requests. `folder` is the folder of the run's jobs; the files of a request are
        relative to it.
        """
        ...

    def submit_all(self, request: Request, folder: Path) -> dict[str, str]:
        """Send the request; return the handle of each of its jobs.

        Raises
        ------
        SubmitError
            If the scheduler did not accept any of the jobs.
        Unreachable
            If it is not known whether the jobs were accepted; `find` can answer this later.
        """
        ...

    def find(self, jobs: Sequence[Job], folder: Path) -> dict[str, str]:
        """Return the handles of the jobs that the scheduler knows although no handle was recorded.

        Raises
        ------
        Unreachable
            If the platform does not answer.
        """
        ...

    def cancel_all(self, handles: Sequence[str]) -> None:
        """Ask the platform to cancel all of these jobs; `poll` then tells whether they have ended."""
        ...


class Report(Protocol):
    """Writes a report from evidence; the same evidence gives the same bytes."""

    name: str
    title: str
    formats: tuple[str, ...]

    def write(self, evidence: Any, out: Path, formats: Sequence[str]) -> list[Path]:
        """Write the report into the folder `out`; return the files, the main file first.

        Raises
        ------
        OutputError
            If a file cannot be written; the message lists the files that were written.
        """
        ...
