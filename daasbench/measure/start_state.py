"""The state in which a process starts: its files in memory or not, its code compiled or not.

Where the start is what is measured, each case is rehearsed once a job: a process goes as far as its first result
and tells which files it loaded, and its compiled code is kept in a folder of the job. Then, for each measured
process, the state is made, and it is looked at before and after: a start is called cold only if hardly anything
was in memory before and the process itself had read from storage what came, warm only if it had not.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daasbench.errors import MissingRequirement
from daasbench.host import page_cache
from daasbench.measure.inputs import inputs_alone
from daasbench.measure.messages import Command, Failure, Prepared, Spec
from daasbench.measure.mpi_process import MpiMeasuringProcess
from daasbench.measure.process import MeasuringProcess
from daasbench.model import Case, Planned, StartEvidence

LEFT = 0.1  # of the bytes that a start uses may stay in memory where it is called cold
OWN = 0.8  # of what came into memory meanwhile the process itself must have had read, where it is called cold
READ = 0.05  # of the bytes that a start uses may be read from storage where it is called warm
TRIES, PAUSE_S = 5, 1.0  # of putting files out of memory that others use
CACHES = ("NUMBA_CACHE_DIR", "CUPY_CACHE_DIR", "CUDA_CACHE_PATH")  # where compiled code is kept
COLD, UNCOMPILED = ("cold", "first"), ("uncompiled", "first")
ALONE = "measure its start on a machine where nothing else runs"

StartOf = Callable[[Planned, Mapping[str, str]], MeasuringProcess | MpiMeasuringProcess]


@dataclass(frozen=True, kw_only=True)
class State:
    """What was made for the next process of a case."""

    variables: Mapping[str, str] = field(default_factory=dict)
    evicted_by: str = ""
    files: tuple[str, ...] = ()
    memory_bytes: int = 0
    left_bytes: int = 0
    compiled: Path | None = None
    compiled_before: int = 0


class StartStates:
    """Makes and judges the states of one job's starts.

    Parameters
    ----------
    folder
        One of its own for compiled code; on a disk, so that it can be cold.
    start, spec
        Start a process of a case with more variables; what it is told.
    make_room
        Ends whatever else of this job has libraries in memory.
    """

    def __init__(
        self,
        folder: Path,
        start: StartOf,
        spec: Callable[[Planned], Spec],
        make_room: Callable[[], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.folder, self._start, self._spec, self._make_room, self._sleep = folder, start, spec, make_room, sleep
        self._files: dict[str, frozenset[str]] = {}  # by case: what a start of it loads
        self._used: dict[str, int] = {}  # and the bytes of them that were in memory then
        self._bare: frozenset[str] | None = None

    def make(self, one: Planned, *, timeout_s: float) -> State | Failure:
        """Return the state that the case asks for, once it is there.

        Raises
        ------
        Lacking
            It cannot be made here.
        """
        case = one.case
        if case.start is None:
            return State()
        if case.nodes > 1:
            raise MissingRequirement("what is in the memory of several nodes cannot be looked at", "ask for one node")
        self._make_room()
        kept = self.folder / "kept"
        kept.mkdir(parents=True, exist_ok=True)
        if case.id not in self._files:
            failure = self._rehearse(one, kept, timeout_s)
            if failure is not None:
                return failure
        compiled = self._empty() if case.start in UNCOMPILED else kept
        files = self._files[case.id] | (_below(kept) if compiled == kept else frozenset())
        page_cache.draw_in(files)
        memory_bytes = left_bytes = _cached(files)
        if case.start in COLD:
            left_bytes = self._put_out(case, files)
        return State(
            variables=_variables(compiled),
            evicted_by=page_cache.WAY if case.start in COLD else "",
            files=tuple(sorted(files)),
            memory_bytes=memory_bytes,
            left_bytes=left_bytes,
            compiled=compiled,
            compiled_before=len(_below(compiled)),
        )

    def judge(self, case: Case, state: State, seen: Prepared, foreign: float) -> StartEvidence | None:
        """Return how the process did start; None where that is not measured.

        Raises
        ------
        Lacking
            It was not in the state that the case asks for.
        """
        if case.start is None or state.compiled is None:
            return None
        if seen.read_bytes is None or seen.major_faults is None:
            message = "it is not seen what its processes had read from storage: not where /proc/self/io does not tell"
            raise MissingRequirement(
                f"{message}, nor of a Dask cluster's workers", "leave start out, or measure another way"
            )
        start_evidence = StartEvidence(
            evicted_by=state.evicted_by,
            files=len(state.files),
            memory_bytes=state.memory_bytes,
            left_bytes=state.left_bytes,
            came_bytes=max(0, _cached(state.files) - state.left_bytes),
            read_bytes=seen.read_bytes,
            major_faults=seen.major_faults,
            compiled_before=state.compiled_before,
            compiled_after=len(_below(state.compiled)),
            foreign=round(foreign, 4),
        )
        if case.start in COLD:
            _check_was_cold(start_evidence)
        elif start_evidence.read_bytes > READ * start_evidence.memory_bytes:
            message = (
                f"{_mb(start_evidence.read_bytes)} of {_mb(start_evidence.memory_bytes)} had to be read from storage"
            )
            raise MissingRequirement(
                f"its files did not stay in memory: {message}", "use a machine with more free memory"
            )
        return start_evidence

    # --- inside

    def _put_out(self, case: Case, files: Collection[str]) -> int:
        """Put the files out of memory; return how many bytes stayed. Who uses them now may be gone in a second."""
        most = LEFT * self._used[case.id]
        for last in [False] * (TRIES - 1) + [True]:
            page_cache.put_out(files)
            left_bytes = _cached(files)
            if left_bytes <= most or last:
                break
            self._sleep(PAUSE_S)
        if left_bytes > most:
            message = f"{_mb(left_bytes)} of the {_mb(self._used[case.id])} that it uses stay in memory"
            raise MissingRequirement(
                f"its files cannot be made cold: {message}, in use by others or not ours to see", ALONE
            )
        return left_bytes

    def _rehearse(self, one: Planned, kept: Path, timeout_s: float) -> Failure | None:
        """Let a process go as far as its first result; keep what it compiled, and note what it loaded."""
        process = self._start(one, _variables(kept))
        try:
            answer = process.ask(Command(step="prepare", spec=self._spec(one)), Prepared, timeout_s=timeout_s)
        finally:
            process.close()
        if isinstance(answer, Failure):
            return answer
        if self._bare is None:
            self._bare = frozenset(page_cache.interpreter_files())
        files = (frozenset(answer.files) | self._inputs(one)) - self._bare
        self._files[one.case.id], self._used[one.case.id] = files, _cached(files)
        return None

    def _inputs(self, one: Planned) -> frozenset[str]:
        spec = self._spec(one)
        return frozenset(spec.paths.values()) if "input" in spec.paths else _below(inputs_alone(spec))

    def _empty(self) -> Path:
        """Return an empty folder for compiled code; that of an earlier process is removed."""
        fresh = self.folder / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        return fresh


def _variables(compiled: Path) -> dict[str, str]:
    return dict.fromkeys(CACHES, str(compiled.resolve()))


def _below(folder: Path) -> frozenset[str]:
    return frozenset(str(path.resolve()) for path in folder.rglob("*") if path.is_file())


def _cached(files: Collection[str]) -> int:
    try:
        return page_cache.cached_bytes(files)
    except OSError as error:
        raise MissingRequirement(
            f"it cannot be seen which files are in memory: {error}", "use another system"
        ) from error


def _check_was_cold(start_evidence: StartEvidence) -> None:
    used_bytes = start_evidence.left_bytes + start_evidence.came_bytes
    if not used_bytes or start_evidence.left_bytes > LEFT * used_bytes:
        message = f"{_mb(start_evidence.left_bytes)} of {_mb(used_bytes)} were in memory before"
        raise MissingRequirement(f"its start was not cold: {message}", ALONE)
    if start_evidence.read_bytes < OWN * start_evidence.came_bytes:
        came, read = _mb(start_evidence.came_bytes), _mb(start_evidence.read_bytes)
        message = f"{came} came into memory, but the process read only {read} from storage"
        raise MissingRequirement(
            f"its start was not cold: {message}; other processes read these files, or they are cached elsewhere",
            ALONE,
        )


def _mb(size: float) -> str:
    return f"{size / 1e6:.3g} MB"
