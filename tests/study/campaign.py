"""A small real campaign in a folder: a slow kernel, a scenario, and the command that runs it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

KERNEL = '''
import time
from daasbench import kernel

@kernel(unit="frame", oracle=lambda inputs, got: abs(got["total"] - inputs["frames"].sum()), tolerance=0.5)
def frame_sums(inputs):
    """Sum of frames, slowly."""
    time.sleep({sleep_s})
    return {{"total": inputs["frames"].sum()}}

@frame_sums.implementation("again")
def again(inputs):
    return frame_sums(inputs)

@frame_sums.inputs(tiny={{"n": 2}})
def frames(n, rng):
    return {{"frames": rng.poisson(3, (n, 16, 16)).astype("u4")}}
'''

SCENARIO = """
question = "What remains after a kill?"
platforms = ["here"]
[[cases]]
kernel = "sums.py"
sizes = ["tiny"]
seed = {seeds}
threads = 1
cache = true
[repeat]
processes = {processes}
min_repeats = {repeats}
max_repeats = {repeats}
limit_s = 20
"""


# the suite's commit is fixed, so that editing a source file while the tests run changes no resume key; Ctrl-C works
# also where the tests themselves were started in the background, with it ignored
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " import daasbench.host.machine; daasbench.host.machine.suite_commit = lambda: '0123456789ab';"
    " from daasbench.cli import main; main()"
)


class Campaign:
    """The folder, and what can be done to it."""

    def __init__(
        self, folder: Path, *, sleep_s: float = 0.05, processes: int = 1, seeds: int = 2, repeats: int = 3
    ) -> None:
        self.folder = folder
        (folder / "sums.py").write_text(KERNEL.format(sleep_s=sleep_s))
        scenario = SCENARIO.format(processes=processes, seeds=list(range(seeds)), repeats=repeats)
        (folder / "kills.toml").write_text(scenario)
        self.cells = 2 * processes * seeds

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def start(self, *more: str, results: str = "results") -> subprocess.Popen[str]:
        """Start the command; it does not read the terminal."""
        command = [sys.executable, "-c", COMMAND, "run", "./kills.toml", "--results", results, *more]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def run(self, *more: str) -> tuple[int, str, str]:
        """Run the command to its end; return exit code, output, errors."""
        process = self.start(*more)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def lines(self, kind: str) -> list[dict[str, object]]:
        """Return the whole lines of a kind in every ledger of the folder."""
        return [one for one in self._lines() if one["type"] == kind]

    def _lines(self) -> Iterator[dict[str, object]]:
        for path in sorted(self.results.rglob("records.jsonl")):
            for line in path.read_text().splitlines():
                try:
                    yield json.loads(line)
                except json.JSONDecodeError:
                    continue

    def wait_for(self, kind: str, count: int = 1, timeout_s: float = 60.0) -> None:
        """Return when the ledgers hold `count` lines of a kind."""
        end = time.monotonic() + timeout_s
        while len(self.lines(kind)) < count:
            assert time.monotonic() < end, f"no {count} {kind} lines within {timeout_s} s"
            time.sleep(0.02)

    def ended_once(self) -> list[str]:
        """Return the keys with a final outcome, one entry for each such record."""
        return [str(one["key"]) for one in self.lines("record") if one.get("reason") != "interrupted"]


def workers_of(controller: int) -> list[psutil.Process]:
    """Return the processes below a controller: its worker and the measuring processes."""
    return psutil.Process(controller).children(recursive=True)


def gone_within(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Return those that are still alive after `seconds`; a zombie is gone."""
    end = time.monotonic() + seconds
    alive = processes
    while alive and time.monotonic() < end:
        alive = [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        time.sleep(0.02)
    return alive


def kill(process: psutil.Process) -> None:
    """Kill with SIGKILL: no goodbye; one that has gone with another is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)
