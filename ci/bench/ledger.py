"""Append a million records and load them into the tidy table; measure speed and memory.

    python ci/bench/ledger.py [--records 1000000] [--files 4] [--folder DIR]

Targets: 20 000 records are appended per second, and all are loaded in 10 s with at most 2 GB (peak resident memory of
the loading process). The records are complete: 10 samples and a warm-up with all their columns, work, phases, and
references to machine and limits. A plain read of the same files is timed too: it is the least possible time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from daasbench.model import SCHEMA, Case, Limit, Limits, Machine, Outcome, Record, Samples, Work
from daasbench.records.ledger import Ledger

IMPLEMENTATIONS = ("numpy", "numba", "compiled", "pyfai", "scipy")
GB = 1e9


def machine() -> Machine:
    """Return the machine that all records refer to."""
    return Machine(
        id="machine", host="node", cpu="a processor", cores=64, threads=128, usable_cores=64, memory_bytes=2**38,
        usable_memory_bytes=2**38, packages={f"package{i}": "1.2.3" for i in range(100)},
    )  # fmt: skip


def limits() -> Limits:
    """Return the limits that all records refer to."""
    names = ("triad", "read", "matmul_float32", "matmul_float64", "fft_float32")
    values = {name: Limit(value=1e11, unit="B/s", low=9e10, high=1.1e11, repeats=5) for name in names}
    return Limits(id="limits", machine="machine", threads=8, values=values)


def samples(chance: random.Random, scale_s: float) -> Samples:
    """Return 10 samples and a warm-up, as a measuring process writes them: to the nanosecond."""
    seconds = [round(scale_s * chance.lognormvariate(0, 0.02), 9) for _ in range(11)]
    return Samples(
        seconds=seconds, flags=[1] + [0] * 10, cpu_s=[round(1.9 * s, 9) for s in seconds], block=list(range(11)),
        foreign=[round(chance.random() / 50, 4) for _ in seconds], get_s=[round(s / 30, 9) for s in seconds],
        round=[0] * 6 + [1] * 5, at_s=[round(i * scale_s, 9) for i in range(11)],
    )  # fmt: skip


def records(count: int, first: int) -> Iterator[Record]:
    """Yield `count` records of 2000 cases, numbered from `first`."""
    chance = random.Random(first)
    works = [Work(unit="frame", units=4.0, bytes=1e8 * (i + 1), input_bytes=1e8 * (i + 1)) for i in range(400)]
    cases = [
        Case(kernel="azimuthal_integration", implementation=name, version="2.4.6", size="small", seed=i, threads=8)
        for i in range(400)
        for name in IMPLEMENTATIONS
    ]
    pool = [samples(chance, 10.0 ** chance.uniform(-4, 1)) for _ in range(500)]
    for number in range(first, first + count):
        case = cases[number % len(cases)]
        yield Record(
            key=f"{number:016x}", run="20261122T190000Z-bench", job="here-1", platform="here",
            process=number // len(cases), case=case, outcome=Outcome.OK, verified_by="oracle", error=1.3e-7,
            tolerance=1e-5, samples=pool[number % len(pool)], stop_reason="interval", work=works[case.seed or 0],
            phases={"make": 1.25, "put": 0.011, "setup": 0.3, "first_call": 2.5}, blocks=12, order="interleaved",
            cores_used=7.8, threads_seen=8, cpus=list(range(8)), peak_memory_bytes=2**31 + number,
            started_at=f"2026-11-22T{number // 60000 % 24:02}:{number // 1000 % 60:02}:00.{number % 1000000:06}Z",
            machine="machine", limits="limits", commit="0123456789ab", schema=SCHEMA,
        )  # fmt: skip


def write(folder: Path, count: int, files: int) -> float:
    """Append `count` records to `files` ledgers below `folder`; return the seconds spent in `append`."""
    spent = 0.0
    for file in range(files):
        with Ledger(folder / "runs" / "bench" / "jobs" / f"here-{file + 1}" / "records.jsonl") as ledger:
            ledger.append(machine())
            ledger.append(limits())
            made = records(count // files, file * (count // files))
            while batch := list(itertools.islice(made, 5000)):
                start = time.perf_counter()
                for record in batch:
                    ledger.append(record)
                spent += time.perf_counter() - start
    return spent


def load_here(folder: str) -> None:
    """Load the tidy table in this process; print the time and the memory as JSON."""
    from daasbench.evidence.table import load

    start, cpu = time.perf_counter(), cpu_s()
    rows = len(load(folder))
    seconds, cpu = time.perf_counter() - start, cpu_s() - cpu
    own, others = (peak_gb(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu_s": cpu, "own_gb": own, "helper_gb": others}))


def cpu_s() -> float:
    """Return the processor seconds of this process and of those that it started."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def peak_gb(who: int) -> float:
    """Return the peak of resident memory: of this process, or the largest of those that it started."""
    return resource.getrusage(who).ru_maxrss * 1024 / GB


def read_through(folder: Path) -> tuple[float, float]:
    """Return the seconds that reading every byte takes, and the size in GB."""
    start, size = time.perf_counter(), 0
    for path in sorted(folder.rglob("records.jsonl")):
        with path.open("rb", buffering=0) as file:
            while block := file.read(2**24):
                size += len(block)
    return time.perf_counter() - start, size / GB


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="where the files are made (some 2.5 GB); default: temporary")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        load_here(options.load)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        spent = write(folder, options.records, options.files)
        read_s, size = read_through(folder)
        print(f"appended  {options.records} records ({size:.2f} GB, {options.files} files)", flush=True)
        print(f"          {options.records / spent:,.0f} records/s   (target: 20,000)", flush=True)
        command = [sys.executable, __file__, "--load", name]
        message = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        print(f"loaded    {message['rows']} rows in {message['seconds']:.2f} s   (target: 10 s)")
        print(f"          processor {message['cpu_s']:.2f} s of all processes, load average {os.getloadavg()[0]:.1f}")
        print(f"          peak {message['own_gb']:.2f} GB (target: 2 GB), helpers {message['helper_gb']:.2f} GB each")
        print(f"minimum   reading every byte takes {read_s:.2f} s")


if __name__ == "__main__":
    main()
