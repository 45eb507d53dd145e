"""A measuring process answers, dies, hangs or is orphaned: the worker notices, and nothing remains."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from daasbench.host.processes import pin, stop_tree
from daasbench.host.shared_memory import segments
from daasbench.measure.input_process import InputProcess
from daasbench.measure.messages import Command, Failure, Made, RoundResult, Spec
from daasbench.measure.mpi_process import MpiMeasuringProcess
from daasbench.measure.process import MeasuringProcess, ResponseChannel
from daasbench.model import Case, Outcome, Reason, Work

from .waiting import PATIENCE_S, lives, until

KERNEL = """
import os, time
from daasbench import kernel
@kernel(unit="frame", oracle=lambda inputs, got: 0.0, tolerance=0.5)
def sums(inputs): return {{}}
@sums.inputs(tiny={{}})
def frames(rng):
    {body}
    return {{"frames": rng.random(1000)}}
"""

ORPHANED = """
import os, subprocess, sys, time
if len(sys.argv) > 1:
    from daasbench.measure.process import die_with
    die_with(int(sys.argv[1]))
    child = subprocess.Popen(["sleep", "1000"])
    print(os.getpid(), child.pid, flush=True)
    time.sleep(1000)
read, write = os.pipe()
subprocess.Popen([sys.executable, __file__, str(read)], pass_fds=[read], start_new_session=True)
time.sleep(1000)
"""


@pytest.fixture
def measuring_process(tmp_path: Path) -> Iterator[MeasuringProcess]:
    with open(tmp_path / "log", "wb") as log:
        one = MeasuringProcess(1, sorted(os.sched_getaffinity(0))[:1], log)
        yield one
        one.close()


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., Spec]:
    """Return a function that writes a kernel whose inputs take `body` to make, and tells where."""

    def write(body: str = "pass", name: str = "one") -> Spec:
        from daasbench import registry

        file = tmp_path / "sums.py"
        file.write_text(KERNEL.format(body=body))
        version = registry.version_of(registry.kernel_from_file(file).implementations["numpy"], file)
        case = Case(kernel="sums", implementation="numpy", version=version, size="tiny", seed=0)
        return Spec(case=case, scratch=str(tmp_path / "scratch" / name), source=str(file))

    return write


def gone(pids: list[int]) -> None:
    """Return when none of the processes is there any more."""
    until(lambda: not any(psutil.pid_exists(pid) and lives(psutil.Process(pid)) for pid in pids), f"the end of {pids}")


def test_stopped_children_die_with_the_worker_too(tmp_path: Path) -> None:
    script = tmp_path / "orphaned.py"
    script.write_text(ORPHANED)
    worker = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    pids = [int(word) for word in worker.stdout.readline().split()]
    stop_tree(pids[0])
    worker.kill()
    worker.wait()
    worker.stdout.close()
    assert len(pids) == 2
    gone(pids)


def test_a_process_that_dies_is_reported_with_its_exit_code(
    measuring_process: MeasuringProcess, spec: Callable[..., Spec]
) -> None:
    answer = measuring_process.ask(Command(step="make", spec=spec("os._exit(9)")), Made, timeout_s=PATIENCE_S)
    assert isinstance(answer, Failure)
    assert (answer.outcome, answer.reason) == (Outcome.FAILED, Reason.KERNEL)
    assert "exit code 9" in answer.message


def test_shared_memory_goes_with_the_process_that_made_it(
    measuring_process: MeasuringProcess, spec: Callable[..., Spec]
) -> None:
    body = """
    from multiprocessing import resource_tracker, shared_memory
    resource_tracker.register = lambda *_: None  # or it would tidy up
    global kept
    kept = shared_memory.SharedMemory(create=True, size=4096)
"""
    assert isinstance(
        measuring_process.ask(Command(step="make", spec=spec(body.strip())), Made, timeout_s=PATIENCE_S), Made
    )
    made = segments([measuring_process.pid])
    assert made
    measuring_process.close()
    assert not any(map(os.path.exists, made))


def test_shared_memory_goes_with_the_ranks_that_made_it(
    tmp_path: Path, spec: Callable[..., Spec], needs: Callable[[str], None]
) -> None:
    needs("mpi4py")
    case = msgspec.structs.replace(spec().case, ranks=2)
    with open(tmp_path / "log", "wb") as log:
        ranks = MpiMeasuringProcess(case, {}, [], log, tmp_path)
        try:
            answer = ranks.ask(Command(step="round", repeats=1), RoundResult, timeout_s=PATIENCE_S)
            made = segments(ranks.computing)
        finally:
            ranks.close()
    assert isinstance(answer, Failure)
    assert "that is not prepared" in answer.message
    assert made  # MPICH's
    assert not any(map(os.path.exists, made))


def test_a_process_that_dies_is_reported_though_its_child_holds_the_pipe(
    measuring_process: MeasuringProcess, spec: Callable[..., Spec]
) -> None:
    body = "time.sleep(1000) if os.fork() == 0 else os._exit(9)"
    answer = measuring_process.ask(Command(step="make", spec=spec(body)), Made, timeout_s=PATIENCE_S)
    assert isinstance(answer, Failure)
    assert "exit code 9" in answer.message
    group = os.getpgid(measuring_process.pid) if psutil.pid_exists(measuring_process.pid) else measuring_process.pid
    measuring_process.close()
    gone([one.pid for one in psutil.process_iter() if _in_group(one.pid, group)])


def _in_group(pid: int, group: int) -> bool:
    try:
        return os.getpgid(pid) == group
    except ProcessLookupError:
        return False


def test_a_process_that_hangs_is_ended_at_its_limit(
    measuring_process: MeasuringProcess, spec: Callable[..., Spec]
) -> None:
    answer = measuring_process.ask(Command(step="make", spec=spec("time.sleep(1000)")), Made, timeout_s=1.0)
    assert isinstance(answer, Failure)
    assert (answer.outcome, answer.reason) == (Outcome.TIMEOUT, Reason.KERNEL)
    gone([measuring_process.pid])
    measuring_process.close()  # again: nothing to do


def test_every_thread_is_pinned() -> None:
    code = (
        "import os, threading, time; from daasbench.host.processes import pin;"
        "threading.Thread(target=time.sleep, args=(1,), daemon=True).start(); cpu = min(os.sched_getaffinity(0));"
        "pin([cpu]);"
        "print({tuple(os.sched_getaffinity(int(task))) for task in os.listdir('/proc/self/task')} == {(cpu,)})"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"
    before = os.sched_getaffinity(0)
    pin([])
    assert os.sched_getaffinity(0) == before


def test_a_problem_is_made_once_and_a_dead_input_process_is_replaced(tmp_path: Path, spec: Callable[..., Spec]) -> None:
    with open(tmp_path / "log", "wb") as log:
        input_process = InputProcess(tmp_path / "scratch", [], log, timeout_s=PATIENCE_S)
        try:
            first = input_process.make("one", spec())
            assert isinstance(first, Made)
            written = (input_process.folder("one") / "arrays").stat().st_mtime_ns
            assert input_process.make("one", spec()) == first
            assert (input_process.folder("one") / "arrays").stat().st_mtime_ns == written
            process = input_process._process
            assert process is not None
            assert psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
            os.kill(process.pid, signal.SIGKILL)
            assert isinstance(input_process.make("two", spec(name="two")), Made)
            refused = input_process.make("three", spec("raise ValueError('no beam')", name="three"))
            assert isinstance(refused, Failure)
            assert "no beam" in refused.message
        finally:
            input_process.close()
    assert not (tmp_path / "scratch").exists()


def test_room_is_made_by_removing_what_was_used_longest_ago(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(make_s=0.0, work=Work(unit="frame", units=1.0), blocks=1, exceeds_cache=None, expect_s=0.0, bytes=40)
    asked = []

    def ask(self: InputProcess, spec: Spec) -> Made:
        asked.append(spec.scratch)
        Path(spec.scratch).mkdir()
        return made

    monkeypatch.setattr(InputProcess, "_ask", ask)
    monkeypatch.setattr("daasbench.measure.input_process.KEPT_BYTES", 100)
    case = Case(kernel="k", implementation="i", version="1")
    with open(tmp_path / "log", "wb") as log:
        input_process = InputProcess(tmp_path / "scratch", [], log, timeout_s=PATIENCE_S)
        for name in ("a", "b", "a", "c", "d"):
            input_process.make(name, Spec(case=case, scratch=str(input_process.folder(name))))
    assert [Path(one).name for one in asked] == ["a", "b", "c", "d"]
    assert sorted(one.name for one in (tmp_path / "scratch").iterdir()) == ["a", "c", "d"]


def test_an_answer_that_cannot_be_written_is_reported_as_a_failure() -> None:
    said: list[bytes] = []
    ResponseChannel(said.append).send({"units": np.float64(2.0)})
    failure = msgspec.json.decode(said[0], type=Failure)
    assert failure.outcome == Outcome.FAILED
    assert failure.message.startswith("the answer cannot be written: Encoding objects of type numpy.float64")
