"""A small real campaign in a folder: a slow kernel, a scenario, and the command that runs it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from ..waiting import PATIENCE_S, until

KERNEL = '''
import pathlib, time
from daasbench import kernel

HERE = pathlib.Path({folder!r})

def is_held():
    """Return whether a ledger has a line of the kind at which the test holds the run, until the test lets it go."""
    if not {hold!r} or (HERE / "go").exists():
        return False
    return any('"type":"{hold}"' in ledger.read_text() for ledger in HERE.rglob("records.jsonl"))

@kernel(unit="frame", oracle=lambda inputs, got: abs(got["total"] - inputs["frames"].sum()), tolerance=0.5)
def frame_sums(inputs):
    """Sum of frames, slowly."""
    time.sleep({sleep_s})
    while is_held():
        time.sleep(0.01)
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
limit_s = 100
"""


# the suite's commit is fixed, so that editing a source file while the tests run changes no resume key; Ctrl-C works
# also where the tests themselves were started in the background, with it ignored
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " import daasbench.host.machine; daasbench.host.machine.suite_commit = lambda: '0123456789ab';"
    " from daasbench.cli import main; main()"
)


class Campaign:
    """The folder, and what can be done to it.

    Parameters
    ----------
    hold
        The kind of line (``machine``, ``round``, ``record``) from which on the kernel waits to be let go: what a test
        does then is done in the middle of the run, however slow the test is.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sleep_s: float = 0.05,
        processes: int = 1,
        seeds: int = 2,
        repeats: int = 3,
        hold: str = "",
    ) -> None:
        self.folder = folder
        (folder / "sums.py").write_text(KERNEL.format(sleep_s=sleep_s, hold=hold, folder=str(folder)))
        scenario = SCENARIO.format(processes=processes, seeds=list(range(seeds)), repeats=repeats)
        (folder / "kills.toml").write_text(scenario)
        self.cells = 2 * processes * seeds

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def let_go(self) -> None:
        """Let the kernel compute on."""
        (self.folder / "go").touch()

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
        out, err = process.communicate(timeout=PATIENCE_S)
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

    def wait_for(self, kind: str, count: int = 1) -> None:
        """Return when the ledgers hold `count` lines of a kind."""
        until(lambda: len(self.lines(kind)) >= count, f"{count} {kind} lines")

    def ended_once(self) -> list[str]:
        """Return the keys with a final outcome, one entry for each such record."""
        return [str(one["key"]) for one in self.lines("record") if one.get("reason") != "interrupted"]


def workers_of(controller: int) -> list[psutil.Process]:
    """Return the processes below a controller: its worker and the measuring processes."""
    return psutil.Process(controller).children(recursive=True)


def kill(process: psutil.Process) -> None:
    """Kill with SIGKILL, which tells nobody; one that has ended with another has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)
