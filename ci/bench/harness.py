"""What the harness itself costs: start of the command, import, and a hundred no-op cases.

    python ci/bench/harness.py

Figures to reach: ``daasbench --help`` at most 0.35 s and ``import daasbench`` at most 0.15 s more than bare
Python, warm; 100 no-op cases, one process each, at most 2 x what starting the same processes with the same
imports costs (limits and verification of nothing excluded: the cases measure the cache); inside a job, a case at
most 20 ms more than its own process tells: what a worker takes for ninety more cases, without the phases of their
processes (start, imports, reading the inputs, set-up, first call) and their repeats. Each case has the five repeats
that are the least: without end, what takes less than the clock can see is measured on and on.
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
    """Return the median wall time of each command; they take turns."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(seconds(*command))
    return {name: statistics.median(times) for name, times in taken.items()}


def no_ops(folder: Path) -> tuple[float, float]:
    """Return the seconds of a run of no-op cases, and of starting as many processes with the same imports."""
    (folder / "nothing.py").write_text(NO_OP)
    (folder / "nothing.toml").write_text(SCENARIO.format(seeds=", ".join(map(str, range(CASES)))))
    run = seconds(sys.executable, "-m", "daasbench", "run", "./nothing.toml", "--again", cwd=folder)
    bare = sum(seconds(sys.executable, "-c", IMPORTS) for _ in range(CASES))
    return run, bare


def inside_a_job(folder: Path, rounds: int = 5) -> list[float]:
    """Return, of each round, the seconds a case that a worker takes beyond the phases and repeats of its process."""
    import msgspec

    from daasbench.model import Job, Record
    from daasbench.records.readers import read_lines

    (whole,) = (folder / "results" / "runs").glob("*/jobs/*/job.json")
    job = msgspec.json.decode(whole.read_bytes(), type=Job)
    few = CASES // 10

    def worker(cases: int, number: int) -> float:
        """Return the seconds of a worker that its measuring processes do not account for."""
        there = folder / f"{number}-{cases}"
        there.mkdir()
        part = msgspec.structs.replace(job, planned=job.planned[:cases])
        (there / "job.json").write_bytes(msgspec.json.encode(part))
        taken = seconds(sys.executable, "-m", "daasbench.worker", str(there / "job.json"), cwd=folder)
        records = [one for one in read_lines(there / "records.jsonl").lines if isinstance(one, Record)]
        assert [one.outcome for one in records] == ["ok"] * cases, records
        message = 0.0
        for one in records:
            message += sum(took for name, took in one.phases.items() if name != "make")  # that is of another process
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
    print(f"import daasbench            {medians['import'] - medians['bare']:+.3f} s   (to reach: <= +0.150 s)")
    print(f"daasbench --help            {medians['help']:.3f} s   (to reach: <= 0.350 s)")
    print(f"import numpy, to compare    {medians['numpy'] - medians['bare']:+.3f} s")
    with tempfile.TemporaryDirectory() as name:
        run, bare = no_ops(Path(name))
        more = sorted(inside_a_job(Path(name)))
    print(f"{CASES} no-op cases           {run:.1f} s, {run / bare:.2f} x starting as many processes with the same")
    print(f"                            imports, one after the other ({bare:.1f} s)   (to reach: <= 2 x)")
    print(f"a case inside a job         {1e3 * statistics.median(more):+.1f} ms beyond what its process tells")
    print(
        f"                            ({1e3 * more[0]:.1f} to {1e3 * more[-1]:.1f} in {len(more)} rounds)"
        "   (to reach: <= +20 ms)"
    )


if __name__ == "__main__":
    main()
