"""Print how long a summary of 10 000 records takes in a fresh process: imports, reading and writing."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from daasbench.model import SCHEMA, Case, Job, Outcome, Platform, Record, Repeat, Samples, Work
from daasbench.records.ledger import Ledger

PROCESSES, IMPLEMENTATIONS = 4, 25
WORK = Work(unit="frame", units=16, flop=1.4e8, bytes=4.3e8, input_bytes=2.8e8, output_bytes=8e3)
MEASURED = """
import sys, time
started, busy = time.perf_counter(), time.process_time()
from pathlib import Path
from daasbench.evidence import gather
from daasbench.reports.summary import report
evidence = gather(sys.argv[1])
read = time.perf_counter()
written = report.write(evidence, Path(sys.argv[1], "report"), ["html"])
ended, busy = time.perf_counter(), time.process_time() - busy
print(f"{len(evidence.records)} records: {ended - started:.2f} s (imports and reading {read - started:.2f} s,"
      f" report {ended - read:.2f} s; {busy:.2f} s of processor time), page {written[0].stat().st_size / 1e6:.1f} MB")
"""


def record(problem: int, implementation: int, process: int) -> Record:
    """Return one verified record; the times differ between implementations and, slightly, between processes."""
    case = Case(
        kernel="bench",
        implementation=f"implementation{implementation}",
        version="1",
        size="small",
        seed=problem,
        threads=2,
    )
    seconds = [(0.01 + 0.002 * implementation) * (1 + 0.001 * ((7 * process + 3 * index) % 11)) for index in range(20)]
    return Record(
        key=f"{case.id}-{process}", run="r", job="j", platform="here", process=process, case=case, work=WORK,
        outcome=Outcome.OK, verified_by="truth", error=1e-6, tolerance=1e-5, commit="c", schema=SCHEMA,
        started_at=f"2026-11-22T10:{process:02d}:00+00:00", phases={"make": 0.1, "setup": 0.2, "first_call": 0.3},
        samples=Samples(
            seconds=seconds, flags=[1, *[0] * 19], cpu_s=seconds, foreign=[0.01] * 20, get_s=[1e-4] * 20,
            block=[0] * 20, round=[0] * 20, at_s=[0.1 * index for index in range(20)],
        ),
    )  # fmt: skip


def write(folder: Path, records: int) -> None:
    """Write a results folder with this number of records."""
    job = folder / "runs" / "r" / "jobs" / "j"
    with Ledger(job / "records.jsonl") as ledger:
        for index in range(records):
            rest, process = divmod(index, PROCESSES)
            problem, implementation = divmod(rest, IMPLEMENTATIONS)
            ledger.append(record(problem, implementation, process))
    plan = Job(id="j", run="r", platform_name="here", platform=Platform(runner="local"), planned=[],
               repeat=Repeat(), commit="c")  # fmt: skip
    (job / "job.json").write_bytes(msgspec.json.encode(plan))
    (folder / "runs" / "r" / "scenario.toml").write_text('question = "How long does a summary take?"\n')


def main() -> None:
    """Write the records, then time a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), records)
        subprocess.run([sys.executable, "-c", MEASURED, folder], check=True)


if __name__ == "__main__":
    main()
