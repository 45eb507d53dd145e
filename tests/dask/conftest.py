"""A scenario on a Dask platform in a folder, the command that runs it, and what it leaves behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from daasbench.model import Record
from daasbench.records.readers import read_lines

from ..waiting import PATIENCE_S, until

KERNEL = '''
import os, signal, time
from daasbench import kernel
from daasbench.contracts import Implementation, Partitioned

@kernel(unit="frame", oracle=lambda inputs, got: abs(got["total"] - inputs["frames"].sum()), tolerance=0.5)
def sums(inputs):
    """Sum of frames, with workers that come to harm."""
    return {"total": inputs["frames"].sum()}

@sums.inputs(tiny={"n": 4})
def frames(n, rng):
    return {"frames": rng.poisson(3, (n, 16, 16)).astype("u4")}

def worked(harm):
    def prepare(problem, resources):
        client, calls = resources.client, 0
        workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
        def task(part, call, folder):
            with open(f"{folder}/tasks", "a") as log:
                log.write(f"{call}\\n")
            time.sleep(SLEEP_S)
            if call > 3 and part.shape[0] == 1:
                harm()
            return part.sum()
        def put(block):
            parts = block["frames"][1:], block["frames"][:1]
            pairs = zip(workers, parts)
            return [client.scatter(part, workers=[worker], hash=False) for worker, part in pairs]
        def compute(parts):
            nonlocal calls
            calls += 1
            pairs = zip(workers, parts)
            futures = [client.submit(task, part, calls, FOLDER, workers=[one], pure=False) for one, part in pairs]
            for one in futures:
                if one.exception() is not None:
                    raise one.exception()
            return futures
        return Partitioned(put=put, compute=compute, get=lambda futures: {"total": sum(client.gather(futures))})
    return prepare

def add(name, harm):
    sums.implementations[name] = Implementation(name=name, load=lambda: worked(harm), backend="dask")

def fail():
    raise ValueError("the detector is upside down")

add("worked", lambda: None)
add("killed", lambda: os.kill(os.getpid(), signal.SIGKILL))
add("raises", fail)
'''

SCENARIO = """
question = "What does a Dask cluster do to a measurement?"
platforms = ["./site.toml"]
[repeat]
processes = 1
min_repeats = 3
max_repeats = {repeats}
interval = 0.5
limit_s = 100
"""
CASES = """
[[cases]]
kernel = "{kernel}"
implementations = {names}
sizes = ["tiny"]
ranks = {ranks}
threads = {threads}
cache = true
"""
COMMAND = (
    "import daasbench.host.machine; daasbench.host.machine.suite_commit = lambda: '0123456789ab';"
    " from daasbench.cli import main; main()"
)

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="absent: two processors")


@dataclass(frozen=True, kw_only=True)
class Site:
    """A platform, a scenario on it, and what became of it."""

    folder: Path
    environment: Mapping[str, str]

    def write(self, options: str, *, sleep_s: float = 0.0, repeats: int = 6, ranks: int = 2, **kernels: Any) -> None:
        """Write the platform with these options, and a scenario of these implementations; `sums` is a file."""
        (self.folder / "site.toml").write_text(f'runner = "dask"\n[options]\n{options}\n')
        text = KERNEL.replace("SLEEP_S", str(sleep_s)).replace("FOLDER", repr(str(self.folder)))
        (self.folder / "sums.py").write_text(text)
        scenario = SCENARIO.format(repeats=repeats)
        for kernel, names in kernels.items():
            name = "./sums.py" if kernel == "sums" else kernel
            scenario += CASES.format(kernel=name, names=json.dumps(names), ranks=ranks, threads=1)
        (self.folder / "q.toml").write_text(scenario)

    def start(self) -> subprocess.Popen[str]:
        """Start the command."""
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, "run", "./q.toml"],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environment},
        )

    def run(self) -> int:
        """Run the command to its end; return its exit code."""
        process = self.start()
        out, err = process.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in out + err
        assert process.returncode in (0, 1, 3), out + err + self.log()
        return process.returncode

    def records(self) -> dict[tuple[str, str], Record]:
        """Return the records, by kernel and implementation."""
        lines = [line for path in self.folder.rglob("records.jsonl") for line in read_lines(path).lines]
        return {(one.case.kernel, one.case.implementation): one for one in lines if isinstance(one, Record)}

    def record(self) -> Record:
        """Return the only record."""
        (one,) = self.records().values()
        return one

    def log(self) -> str:
        """Return what the workers of the suite wrote into their logs."""
        return "\n".join(path.read_text(errors="replace") for path in self.folder.rglob("jobs/*/log"))

    def wait_for(self, kind: str, controller: subprocess.Popen[str]) -> None:
        """Return when a line of this kind is in a ledger, which the controller lives to see."""

        def written() -> bool:
            assert controller.poll() is None, (*controller.communicate(), self.log())
            return any(f'"type":"{kind}"' in path.read_text() for path in self.folder.rglob("records.jsonl"))

        until(written, f"a {kind} line")


@pytest.fixture
def site(tmp_path: Path, needs: Callable[[str], None]) -> Site:
    """Return a folder for a scenario, of a user whose own settings of Dask would spoil every measurement."""
    needs("distributed")
    settings = tmp_path / "home" / ".config" / "dask"
    settings.mkdir(parents=True)
    preload = settings / "preload.py"
    preload.write_text(f"open({str(tmp_path / 'preloaded')!r}, 'w').close()\n")
    mine = {"scheduler": {"allowed-failures": 7, "work-stealing": True}, "worker": {"preload": [str(preload)]}}
    (settings / "mine.yaml").write_text(json.dumps({"distributed": mine, "jobqueue": {"slurm": {"queue": "nowhere"}}}))
    return Site(
        folder=tmp_path,
        environment={"HOME": str(tmp_path / "home"), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "9"},
    )


@pytest.fixture
def running_scheduler(tmp_path: Path) -> Iterator[tuple[str, list[psutil.Process]]]:
    """Give the file of a scheduler in a process of its own, and the processes: scheduler, worker, worker."""
    file = tmp_path / "scheduler.json"
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    worker = ["worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", str(PATIENCE_S)]
    worker += ["--local-directory", str(tmp_path), "--scheduler-file", str(file)]
    dask = [sys.executable, "-m", "dask"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    with contextlib.ExitStack() as stack:
        started: list[subprocess.Popen[bytes]] = []
        for command in (words, worker, worker):
            process = subprocess.Popen([*dask, *command], env=env, **quiet)  # type: ignore[call-overload]
            started.append(process)
            stack.callback(process.wait)
            stack.callback(process.kill)
        until(file.exists, "the Dask scheduler of the test")
        from distributed import Client

        with Client(scheduler_file=str(file), timeout=PATIENCE_S) as client:
            client.wait_for_workers(2, timeout=PATIENCE_S)
        yield str(file), [psutil.Process(one.pid) for one in started]


def below(pid: int) -> list[psutil.Process]:
    """Return the processes below one."""
    return psutil.Process(pid).children(recursive=True)


@pytest.fixture
def kill_controller() -> Callable[..., list[psutil.Process]]:
    """Return a function that kills a controller, without a goodbye, and returns what was below it."""

    def kill(controller: subprocess.Popen[str]) -> list[psutil.Process]:
        found = below(controller.pid)
        controller.send_signal(signal.SIGKILL)
        controller.communicate(timeout=PATIENCE_S)
        return found

    return kill
