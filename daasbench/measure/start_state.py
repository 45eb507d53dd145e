"""The state in which a process starts: its files in memory or not, its code compiled or not.

Where the start is measured, each case is rehearsed once per job: a process computes its first result and reports
which files it loaded; its compiled code is kept in a folder of the job. Then the state is made for each measured
process and checked before and after. A start is called cold only if hardly any of its files were in memory before and
the process itself read them from storage; it is called warm only if the process read hardly anything from storage.
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

LEFT = 0.1  # share of the bytes that a start uses: most that may be in memory before a cold start
OWN = 0.8  # share of the bytes that came into memory: least that the process itself must read in a cold start
READ = 0.05  # share of the bytes that a start uses: most that may be read from storage in a warm start
TRIES, PAUSE_S = 5, 1.0  # of evicting files that other processes use
CACHES = ("NUMBA_CACHE_DIR", "CUPY_CACHE_DIR", "CUDA_CACHE_PATH")  # where compiled code is kept
COLD, UNCOMPILED = ("cold", "first"), ("uncompiled", "first")
ALONE = "measure its start on a machine on which nothing else runs"

StartOf = Callable[[Planned, Mapping[str, str]], MeasuringProcess | MpiMeasuringProcess]


@dataclass(frozen=True, kw_only=True)
class State:
    """The state that was made for the next process of a case."""

    variables: Mapping[str, str] = field(default_factory=dict)
    evicted_by: str = ""
    files: tuple[str, ...] = ()
    memory_bytes: int = 0
    left_bytes: int = 0
    compiled: Path | None = None
    compiled_before: int = 0


class StartStates:
    """Makes and checks the states in which the processes of one job start.

    Parameters
    ----------
    folder
        For compiled code only; on a disk, so that it can be cold.
    start, spec
        Start a process of a case with more variables; return the description of a case.
    make_room
        Ends the other processes of this job that have libraries in memory.
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
        self._files: dict[str, frozenset[str]] = {}  # by case: the files that its start loads
        self._used: dict[str, int] = {}  # by case: the bytes of them that were in memory then
        self._bare: frozenset[str] | None = None

    def make(self, planned: Planned, *, timeout_s: float) -> State | Failure:
        """Make the state that the case requests, and return it.

        Raises
        ------
        MissingRequirement
            This machine cannot make it.
        """
        case = planned.case
        if case.start is None:
            return State()
        if case.nodes > 1:
            raise MissingRequirement(
                "the page caches of several nodes cannot be observed", "use one node for this case"
            )
        self._make_room()
        kept = self.folder / "kept"
        kept.mkdir(parents=True, exist_ok=True)
        if case.id not in self._files:
            failure = self._rehearse(planned, kept, timeout_s)
            if failure is not None:
                return failure
        compiled = self._empty() if case.start in UNCOMPILED else kept
        files = self._files[case.id] | (_below(kept) if compiled == kept else frozenset())
        page_cache.load(files)
        memory_bytes = left_bytes = _cached(files)
        if case.start in COLD:
            left_bytes = self._evict(case, files)
        return State(
            variables=_variables(compiled),
            evicted_by=page_cache.METHOD if case.start in COLD else "",
            files=tuple(sorted(files)),
            memory_bytes=memory_bytes,
            left_bytes=left_bytes,
            compiled=compiled,
            compiled_before=len(_below(compiled)),
        )

    def judge(self, case: Case, state: State, seen: Prepared, foreign: float) -> StartEvidence | None:
        """Return the evidence of how the process started; None where the start is not measured.

        Raises
        ------
        MissingRequirement
            It was not in the state that the case requests.
        """
        if case.start is None or state.compiled is None:
            return None
        if seen.read_bytes is None or seen.major_faults is None:
            message = "cannot verify how it started: bytes read from storage are unavailable (/proc/self/io is"
            raise MissingRequirement(
                f"{message} unreadable, or the case runs on Dask workers)", "remove start from this case"
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

    def _evict(self, case: Case, files: Collection[str]) -> int:
        """Evict the files; return how many bytes remain. Try again, as a process that uses them may end soon."""
        most = LEFT * self._used[case.id]
        for last in [False] * (TRIES - 1) + [True]:
            page_cache.evict(files)
            left_bytes = _cached(files)
            if left_bytes <= most or last:
                break
            self._sleep(PAUSE_S)
        if left_bytes > most:
            message = f"{_mb(left_bytes)} of the {_mb(self._used[case.id])} that it uses remain in memory"
            raise MissingRequirement(
                f"its files cannot be evicted: {message}, used by other processes or not visible to this user", ALONE
            )
        return left_bytes

    def _rehearse(self, planned: Planned, kept: Path, timeout_s: float) -> Failure | None:
        """Run a process until its first result; keep its compiled code, and record the files that it loaded."""
        process = self._start(planned, _variables(kept))
        try:
            answer = process.ask(Command(step="prepare", spec=self._spec(planned)), Prepared, timeout_s=timeout_s)
        finally:
            process.close()
        if isinstance(answer, Failure):
            return answer
        if self._bare is None:
            self._bare = frozenset(page_cache.interpreter_files())
        files = (frozenset(answer.files) | self._inputs(planned)) - self._bare
        self._files[planned.case.id], self._used[planned.case.id] = files, _cached(files)
        return None

    def _inputs(self, planned: Planned) -> frozenset[str]:
        spec = self._spec(planned)
        return frozenset(spec.paths.values()) if "input" in spec.paths else _below(inputs_alone(spec))

    def _empty(self) -> Path:
        """Return an empty folder for compiled code; the folder of an earlier process is removed."""
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
        raise MissingRequirement(f"cannot find out which files are in memory: {error}", "use another system") from error


def _check_was_cold(start_evidence: StartEvidence) -> None:
    used_bytes = start_evidence.left_bytes + start_evidence.came_bytes
    if not used_bytes or start_evidence.left_bytes > LEFT * used_bytes:
        message = f"{_mb(start_evidence.left_bytes)} of {_mb(used_bytes)} were in memory before"
        raise MissingRequirement(f"its start was not cold: {message}", ALONE)
    if start_evidence.read_bytes < OWN * start_evidence.came_bytes:
        came, read = _mb(start_evidence.came_bytes), _mb(start_evidence.read_bytes)
        message = f"{came} came into memory, but the process read only {read} from storage"
        raise MissingRequirement(
            f"its start was not cold: {message}; other processes read these files, or another cache holds them",
            ALONE,
        )


def _mb(size: float) -> str:
    return f"{size / 1e6:.3g} MB"
