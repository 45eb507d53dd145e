"""Measuring processes alternate in rounds: waiting processes are stopped, disturbed rounds are repeated and marked."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daasbench.evidence import gather
from daasbench.host import machine
from daasbench.host.clock import utc_now
from daasbench.host.load_monitor import Load
from daasbench.measure.bench import Bench
from daasbench.measure.comparison import ComparisonRunner
from daasbench.measure.messages import Command, Failure, Made, Prepared, RoundResult
from daasbench.measure.rounds import Interleaving
from daasbench.model import Outcome, Reason, Record, Repeat, Samples, Verdict, Work
from daasbench.testing.runners import sample_job

from .campaign import Campaign

LOOK = """
def look():
    # the others of this worker, as the computing one finds them: it waits until all of them are stopped
    import os, psutil

    print("pid", os.getpid(), flush=True)
    me, end = psutil.Process(), time.monotonic() + 100
    others = [one for one in me.parent().children() if one.pid != me.pid]
    resting = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    while (runs := [one.pid for one in others if one.status() not in resting]) and time.monotonic() < end:
        time.sleep(0.01)
    with open(HERE / "seen", "a") as seen:
        seen.write(f"{len(others)} {len(runs)}\\n")

"""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Return a campaign that was measured: two implementations, two sets, two rounds or more of each process."""
    campaign = Campaign(tmp_path_factory.mktemp("rounds"), seeds=1, processes=2, repeats=12, sleep_s=0.03)
    source = campaign.folder / "sums.py"
    text = source.read_text().replace('return {"total"', 'look()\n    return {"total"')
    source.write_text(text.replace("@kernel(", f"{LOOK}@kernel(", 1))
    code, out, err = campaign.run()
    assert code == 0, out + err
    return campaign


def test_every_measuring_process_has_its_first_round_before_any_has_its_second(campaign: Campaign) -> None:
    for process in (0, 1):
        rounds = [one for one in campaign.lines("round") if one["process"] == process]
        counted = [one for one in rounds if 2 not in one["samples"]["flags"]]  # type: ignore[index]
        order = [str(one["case"]["implementation"]) for one in counted]  # type: ignore[index]
        assert set(order[:2]) == set(order[2:4]) == {"numpy", "again"}


def test_waiting_measuring_processes_are_stopped(campaign: Campaign) -> None:
    seen = [line.split() for line in (campaign.folder / "seen").read_text().splitlines()]
    assert max(int(others) for others, _ in seen) >= 2  # who makes the inputs, and the other measuring process
    assert {runs for _, runs in seen} == {"0"}


def test_each_process_index_has_processes_of_its_own(campaign: Campaign) -> None:
    (log,) = campaign.results.rglob("log")
    pids = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("pid ")]
    assert len(set(pids)) == 4  # two implementations, two sets
    assert len(list(groupby(pids))) > 4  # their rounds alternate


def test_a_disturbed_round_is_repeated_and_its_samples_are_kept_and_marked(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, processes=1, seeds=1, sleep_s=0.1)
    burning = f"import os\nwhile os.getppid() == {os.getpid()}: pass"
    burners = [subprocess.Popen([sys.executable, "-c", burning]) for _ in os.sched_getaffinity(0)]
    try:
        assert campaign.run()[0] == 0
    finally:
        for one in burners:
            one.kill()
            one.wait()
    for record in gather(campaign.results).records:
        samples = record.samples
        assert samples is not None
        assert 2 in samples.flags
        assert max(samples.foreign) > 0.05
        assert len(samples.counted()) == 3
        assert {len(column) for column in (samples.seconds, samples.flags, samples.cpu_s, samples.foreign)} == {
            len(samples.seconds)
        }


class Steady:
    """A measuring process whose calls all take as long, by a clock that moves only when it computes."""

    pid, started, computing = os.getpid(), None, ()

    def __init__(self, call_s: float, scatter: float = 0.0) -> None:
        self.call_s, self.active_s = call_s, 0.0
        self.factors = itertools.cycle([1.0, 1 + scatter, 1 + 2 * scatter])

    def ask(self, command: Command, answer: type[Any], *, timeout_s: float, **_: object) -> Prepared | RoundResult:
        verdict = Verdict(error=0.0, tolerance=1.0, verified_by="oracle")
        self.active_s += self.call_s * (1 + command.repeats)  # a warm-up, and the repeats
        if command.step == "prepare":
            return Prepared(phases={"first_call": self.call_s}, verdict=verdict)
        count = 1 + command.repeats
        taken = [self.call_s * next(self.factors) for _ in range(count)]
        samples = Samples(seconds=taken, flags=[1] + [0] * command.repeats, cpu_s=taken, get_s=[0.0] * count)
        return RoundResult(samples=samples, verdict=verdict, peak_memory_bytes=1, peak_device_bytes=None)

    def close(self) -> None:
        pass


class Quiet:
    """A machine on which nobody else computes."""

    def __init__(self, *_: object) -> None:
        pass

    def stop(self) -> Load:
        return Load(foreign=0.0, threads=1, cpus=[0])


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Record]:
    """Return a function that measures a case by such a process, alone, and returns its record."""

    def measure(process: Steady, repeat: Repeat, attempt: int = 1, monitor: type = Quiet) -> Record:
        monkeypatch.setattr("daasbench.measure.rounds.LoadMonitor", monitor)
        job = sample_job(tmp_path, runner="local", cases=1)
        planned = [msgspec.structs.replace(one, attempt=attempt) for one in job.planned]
        job = msgspec.structs.replace(job, repeat=repeat, planned=planned)
        records: list[Any] = []
        seen = machine.observe(commit="c", observed_at="t")
        with open(tmp_path / "log", "wb") as log:
            comparison = ComparisonRunner(
                job, seen, {}, write=records.append, now=utc_now, scratch=tmp_path / "scratch", log=log
            )
            monkeypatch.setattr(Bench, "start", lambda *_: process)
            made = Made(
                make_s=0.0, work=Work(unit="frame", units=2.0), blocks=1, exceeds_cache=None, expect_s=0.0, bytes=1
            )
            Interleaving(comparison.bench, comparison.start_states, job.planned, made, "alone").run()
        (record,) = [one for one in records if isinstance(one, Record)]
        return record

    return measure


@pytest.mark.parametrize(("limit_s", "repeats"), [(3.5, 2), (4.0, 3), (4.5, 3), (10.0, 9)])
def test_a_round_that_cannot_end_within_the_limit_is_not_begun(measured: Any, limit_s: float, repeats: int) -> None:
    slow = Steady(0.5)
    record = measured(slow, Repeat(processes=1, min_repeats=1000, limit_s=limit_s))
    assert (record.outcome, record.stop_reason) == (Outcome.OK, "limit")
    assert record.samples is not None
    assert len(record.samples.counted()) == repeats
    assert limit_s - 1.1 <= slow.active_s <= limit_s  # a further round takes 1 s, and 0.1 s are for its spread


@pytest.mark.parametrize("call_s", [1e-5, 1e-3, 0.02, 0.1, 0.5])
def test_a_process_measures_a_while_however_steady_its_repeats_are(measured: Any, call_s: float) -> None:
    record = measured(Steady(call_s), Repeat(processes=1, min_repeats=2))
    assert record.stop_reason == "interval"
    counted = record.samples.counted()
    assert len(counted) >= 25 or sum(counted) >= 0.3
    assert sum(counted) <= 1.5


@pytest.mark.parametrize(("call_s", "repeats"), [(0.1, range(12, 20)), (1.0, range(5, 6))])
def test_repeats_stop_after_the_time_that_is_given_to_them(measured: Any, call_s: float, repeats: range) -> None:
    repeat = Repeat(processes=1, interval=1e-9, measure_s=2.0)
    record = measured(Steady(call_s, scatter=0.2), repeat)
    assert record.stop_reason == "measure"
    assert len(record.samples.counted()) in repeats


def test_fewer_repeats_are_measured_where_the_scenario_says_so(measured: Any) -> None:
    record = measured(Steady(1e-3), Repeat(processes=1, max_repeats=5))
    assert (record.stop_reason, len(record.samples.counted())) == ("max_repeats", 5)


class Hanging(Steady):
    """A measuring process whose rounds never end."""

    def ask(self, command: Command, answer: type[Any], *, timeout_s: float, **more: Any) -> Any:
        if command.step == "prepare":
            return super().ask(command, answer, timeout_s=timeout_s)
        more["before_kill"]()
        had = f"the {timeout_s:.3g} s that it had left"
        message = f"time limit: the process did not finish its repeats in {had} and was stopped"
        return Failure(outcome=Outcome.TIMEOUT, reason=Reason.KERNEL, message=message)


@pytest.mark.parametrize(
    ("foreign", "attempt", "reason"),
    [(0.0, 1, Reason.KERNEL), (0.05, 1, Reason.KERNEL), (0.6, 1, Reason.CAPACITY), (0.6, 2, Reason.CAPACITY),
     (0.6, 3, Reason.KERNEL)],
)  # fmt: skip
def test_a_time_limit_that_others_caused_is_no_end_before_the_third_attempt(
    measured: Any, foreign: float, attempt: int, reason: Reason
) -> None:
    class Busy(Quiet):
        def stop(self) -> Load:
            return Load(foreign=foreign, threads=1, cpus=[0])

    record = measured(Hanging(0.5), Repeat(processes=1, limit_s=20.0), attempt, Busy)
    assert (record.outcome, record.reason) == (Outcome.TIMEOUT, reason)
    said = "did not finish its repeats in the 25.5 s that it had left and was stopped (repeat.limit_s = 20 per case)"
    assert said in record.message
    cause = "; other programs used 60 % of the processors; run the same command again to repeat it"
    assert record.message.endswith(cause) == (reason is Reason.CAPACITY)
