"""Measure the time that the harness itself takes: start of the command, import, and a hundred empty cases.

    python ci/bench/harness.py

Targets:

- ``daasbench --help`` takes at most 0.35 s, and ``import daasbench`` at most 0.15 s more than bare Python (warm).
- 100 empty cases, one process each, take at most 2 times as long as starting the same processes with the same imports.
- Inside a job, an empty case takes at most 20 ms in addition to the times that its own process records: start,
  imports, reading the inputs, set-up, first call and repeats. The figure is computed from 90 additional cases.

Each case makes five repeats, the minimum. Without this limit a process would repeat an empty case for very long,
because one repeat is shorter than the clock can measure.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NO_OP = '''
from daasbench import kernel

@kernel(unit="call", oracle=lambda inputs, got: 0.0, tolerance=0.0)
def nothing(inputs):
    """Do nothing."""
    return {}

@nothing.inputs(tiny={})
def none(rng):
    return {"number": rng.random(1)}
'''

SCENARIO = """
question = "What does the harness cost?"
platforms = ["here"]
[[cases]]
kernel = "nothing.py"
sizes = ["tiny"]
seed = [{seeds}]
cache = true
[repeat]
processes = 1
max_repeats = 5
"""

CASES = 100
IMPORTS = "import daasbench.measure.process, daasbench.host.machine, daasbench.measure.scratch, numpy"


def seconds(*command: str, cwd: Path | None = None) -> float:
    """Return the wall time of a command that must succeed."""
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def interleaved(commands: dict[str, tuple[str, ...]], rounds: int = 11) -> dict[str, float]:
    """Return the median wall time of each command; the commands run alternately."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(seconds(*command))
    return {name: statistics.median(times) for name, times in taken.items()}


def no_ops(folder: Path) -> tuple[float, float]:
    """Return the seconds of a run of empty cases, and of starting as many processes with the same imports."""
    (folder / "nothing.py").write_text(NO_OP)
    (folder / "nothing.toml").write_text(SCENARIO.format(seeds=", ".join(map(str, range(CASES)))))
    run = seconds(sys.executable, "-m", "daasbench", "run", "./nothing.toml", "--again", cwd=folder)
    bare = sum(seconds(sys.executable, "-c", IMPORTS) for _ in range(CASES))
    return run, bare


def inside_a_job(folder: Path, rounds: int = 5) -> list[float]:
    """Return, for each round, the seconds per case that a worker takes in addition to what its processes record."""
    import msgspec

    from daasbench.model import Job, Record
    from daasbench.records.readers import read_lines

    (whole,) = (folder / "results" / "runs").glob("*/jobs/*/job.json")
    job = msgspec.json.decode(whole.read_bytes(), type=Job)
    few = CASES // 10

    def worker(cases: int, number: int) -> float:
        """Return the seconds of a worker that the records of its measuring processes do not explain."""
        there = folder / f"{number}-{cases}"
        there.mkdir()
        part = msgspec.structs.replace(job, planned=job.planned[:cases])
        (there / "job.json").write_bytes(msgspec.json.encode(part))
        taken = seconds(sys.executable, "-m", "daasbench.worker", str(there / "job.json"), cwd=folder)
        records = [one for one in read_lines(there / "records.jsonl").lines if isinstance(one, Record)]
        assert [one.outcome for one in records] == ["ok"] * cases, records
        message = 0.0
        for one in records:
            message += sum(took for name, took in one.phases.items() if name != "make")  # another process did `make`
            message += sum(one.samples.seconds) if one.samples else 0.0
        return taken - message

    found = []
    for number in range(rounds):
        short, long = worker(few, number), worker(CASES, number)
        found.append((long - short) / (CASES - few))
    return found


def main() -> None:
    """Print the figures."""
    command = str(Path(sys.executable).parent / "daasbench")
    python = sys.executable
    medians = interleaved(
        {
            "bare": (python, "-c", "pass"),
            "import": (python, "-c", "import daasbench"),
            "help": (command, "--help"),
            "numpy": (python, "-c", "import numpy"),
        }
    )
    print(f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    print(f"bare Python                 {medians['bare']:.3f} s (median of 11, interleaved)")
    print(f"import daasbench            {medians['import'] - medians['bare']:+.3f} s   (target: <= +0.150 s)")
    print(f"daasbench --help            {medians['help']:.3f} s   (target: <= 0.350 s)")
    print(f"import numpy (comparison)   {medians['numpy'] - medians['bare']:+.3f} s")
    with tempfile.TemporaryDirectory() as name:
        run, bare = no_ops(Path(name))
        more = sorted(inside_a_job(Path(name)))
    print(f"{CASES} empty cases           {run:.1f} s, {run / bare:.2f} x the time to start as many processes with the")
    print(f"                            same imports, one after the other ({bare:.1f} s)   (target: <= 2 x)")
    print(f"a case inside a job         {1e3 * statistics.median(more):+.1f} ms in addition to its process's times")
    print(
        f"                            ({1e3 * more[0]:.1f} to {1e3 * more[-1]:.1f} ms in {len(more)} rounds)"
        "   (target: <= +20 ms)"
    )


if __name__ == "__main__":
    main()
