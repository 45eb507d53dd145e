"""Measure the overhead of queues: planning and accounting of many cases, resuming, and a thousand jobs on a real Slurm.

    python ci/bench/queues.py

Targets:

- 100 000 cases are planned, journalled and accounted for in at most 60 s and 1 GB.
- A resumed run of 10 000 finished cases starts its work within 2 s.
- 1000 cases that are sent as arrays take at most 5 s of the controller's processor time and at most one query of the
  scheduler per second. The end of a job is noticed within the polling interval plus 1 s.

The first two use a queue without a scheduler (daasbench.testing.queues); all other code is the real code. The last uses
ci/slurm/cluster if Slurm is installed; its jobs end at once.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from daasbench import registry, study
from daasbench.model import Job, Request
from daasbench.scenario.plan import Plan, load
from daasbench.testing.fakes import measured
from daasbench.testing.queues import DONE, FakeQueue

CHECKOUT = Path(__file__).resolve().parents[2]
CASES = "halo_stencil"


def plan(folder: Path, cases: int, platform: str) -> Plan:
    """Return a scenario with this number of cases on one platform, loaded as the command line loads it."""
    (folder / "there.toml").write_text(platform)
    block = {"kernel": CASES, "implementations": ["numpy"], "sizes": "tiny", "seed": list(range(cases))}
    raw = {"question": "?", "platforms": ["there.toml"], "repeat": {"processes": 1}, "cases": [block]}
    return load(raw, name="many", where="many", folder=folder, cores_here=2)


@contextmanager
def queue_without_scheduler(each: int) -> Iterator[FakeQueue]:
    """Add a queue that answers at once to the installed runners."""
    queue, runner, names = FakeQueue(states=[DONE], each=each), registry.runner, registry.names
    registry.runner = lambda name: queue if name == queue.name else runner(name)
    registry.names = lambda group: [*names(group), queue.name]
    try:
        yield queue
    finally:
        registry.runner, registry.names = runner, names


def many(cases: int, each: int) -> list[bool]:
    """Plan, journal and account for many cases, then plan them again; print the times."""
    with tempfile.TemporaryDirectory() as name, queue_without_scheduler(each):
        folder = Path(name)

        def go() -> tuple[float, int]:
            began = time.perf_counter()
            there = plan(folder, cases, 'runner = "fakequeue"\ncores_per_node = 2\n')
            ended = study.run(there, results_folder=folder / "results", text="", commit="bench")
            assert ended.outcomes == {"ok": cases}, ended
            return time.perf_counter() - began, ended.measured

        taken_s, _ = go()
        again_s, measured = go()
        assert measured == 0
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"{cases} cases in jobs of {each}: {taken_s:.1f} s, peak {peak_gb:.2f} GB; planned again: {again_s:.2f} s")
    if cases >= 100_000:
        return [taken_s <= 60, peak_gb <= 1]
    return [again_s <= 2]


def on_slurm(cases: int) -> list[bool]:
    """Send this number of jobs, which end at once, to a real Slurm; print the times and when the ends were noticed."""
    if shutil.which("sbatch") is None or shutil.which("munge") is None:
        print("not measured: Slurm is not installed (apt-get install slurm-wlm munge)")
        return []
    from daasbench.runners.slurm.runner import SlurmRunner

    class Prepared(SlurmRunner):
        """Writes into the folder of each job the records that its worker would write."""

        def submit_all(self, request: Request, folder: Path) -> dict[str, str]:
            for name in request.jobs:
                job = msgspec.json.decode(request.files[f"{name}/job.json"], type=Job)
                (folder / name).mkdir(parents=True)
                lines = [msgspec.json.encode(measured(job, one)) + b"\n" for one in job.planned]
                (folder / name / "ready.jsonl").write_bytes(b"".join(lines))
            return super().submit_all(request, folder)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cluster = [sys.executable, str(CHECKOUT / "ci" / "slurm" / "cluster")]
        subprocess.run([*cluster, "start", str(folder / "slurm"), "MaxArraySize=2001", "MinJobAge=300"], check=True)
        try:
            os.environ["SLURM_CONF"] = str(folder / "slurm" / "slurm.conf")
            python = (
                folder / "python"
            )  # the script that runs instead of the worker: it writes the same files as the worker, and ends
            python.write_text(f"#!/bin/bash\n{WORD}")
            python.chmod(0o755)
            options = f'[options]\nsplit = "set"\npython = "{python}"\n'
            there = plan(folder, cases, f'runner = "slurm"\ncores_per_node = 2\nnodes = 4\n{options}')
            runner = Prepared()
            registry.runner, usual = lambda _: runner, registry.runner
            began, cpu = time.perf_counter(), own_cpu_s()
            ended = study.run(there, results_folder=folder / "results", text="", commit="bench")
            registry.runner = usual
            taken_s, cpu_s = time.perf_counter() - began, own_cpu_s() - cpu
            assert ended.outcomes == {"ok": cases}, ended
            late = sorted(lateness(folder / "results"))
        finally:
            subprocess.run([*cluster, "stop", str(folder / "slurm")], check=True)
    print(
        f"{cases} jobs on Slurm: {taken_s:.1f} s until all were accounted for; controller {cpu_s:.2f} s of processor"
        f" time, its child processes included; {runner.queries} queries, {runner.queries / taken_s:.2f} per second;"
        f" ends noticed after {statistics.median(late):.2f} s (median), {late[-1]:.2f} s (longest)"
    )
    return [cpu_s <= 5, runner.queries / taken_s <= 1, late[-1] <= 1 + max(1.0, runner.every_s)]


WORD = """job=$(dirname "$3")
at() { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }
printf '{"at":"%s","claim":"%s"}' "$(at)" "$5" >"$job/started.json"
mv "$job/ready.jsonl" "$job/records.jsonl"
printf '{"at":"%s","exit":0}' "$(at)" >"$job/ended.json"
"""


def lateness(results: Path) -> list[float]:
    """Return, for each job, the seconds from its end until its end was noticed."""
    import datetime

    from daasbench.records.runs import runs

    moment = datetime.datetime.fromisoformat
    (run,) = runs(results)
    ends = [one for one in run.events() if one.event == "accounted"]
    return [(moment(one.at) - moment(str(one.detail["left_at"]))).total_seconds() for one in ends]


def own_cpu_s() -> float:
    """Return the processor seconds of this process and of its ended child processes."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> int:
    """Return 1 if a target is missed."""
    reached = [*many(10_000, 100), *many(100_000, 1000), *on_slurm(1000)]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    raise SystemExit(main())
