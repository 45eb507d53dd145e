"""A folder of results, written through the real ledger and gathered by the real reader."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daasbench.evidence import Evidence, gather
from daasbench.model import (
    SCHEMA,
    Basis,
    Case,
    Job,
    Limit,
    Limits,
    Machine,
    Outcome,
    Planned,
    Platform,
    Price,
    Record,
    Repeat,
    Samples,
    Work,
)
from daasbench.records.ledger import Ledger

COMMIT = "0123abcd"
MACHINE = Machine(
    id="m1", host="node-7", cpu="Example 9000", cores=2, threads=4, usable_cores=2, memory_bytes=2**34,
    usable_memory_bytes=2**33, last_level_cache_bytes=2**25, instructions=["avx2", "avx512f"],
    governor="powersave", virtual="kvm", os="Linux 6.1", python="3.11.9", packages={"numpy": "2.4.0"},
)  # fmt: skip
LIMITS = Limits(
    id="l1", machine="m1", threads=2,
    values={
        name: Limit(value=value, unit=unit, low=0.94 * value, high=value, repeats=7)
        for name, value, unit in (
            ("triad", 44.1e9, "B/s"), ("read", 52.3e9, "B/s"),
            ("matmul_float32", 467e9, "flop/s"), ("matmul_float64", 229e9, "flop/s"),
        )
    },
    failed={"fft_float32": "the probe ended with signal 9"},
)  # fmt: skip
PRICE = Price(amount="0.85", currency="EUR", per="node-hour", date=datetime.date(2026, 11, 1), source="own books")
WORK = Work(unit="frame", units=16, flop=16 * 9e6, bytes=16 * 27e6, input_bytes=16 * 18e6, output_bytes=8e3)


def samples(median_s: float, seed: int, repeats: int = 12) -> Samples:
    """Return samples around a median: a warm-up first, one disturbed, the rest counts."""
    chance = random.Random(seed)
    seconds = [median_s * (1 + abs(chance.gauss(0, 0.01))) for _ in range(repeats)]
    seconds[0] *= 1.6
    flags = [1] + [2 if i == 5 else 0 for i in range(1, repeats)]
    return Samples(
        seconds=seconds, flags=flags, cpu_s=seconds, foreign=[0.3 if f == 2 else 0.01 for f in flags],
        get_s=[1e-5] * repeats, block=[i % 4 for i in range(repeats)], round=[0] * repeats,
        at_s=[2.0 + 3 * median_s * i for i in range(repeats)],
    )  # fmt: skip


class Folder:
    """A results folder in the making: one run, one job for each platform."""

    def __init__(self, path: Path, scenario: str = 'question = "Which way is the fastest here?"\n') -> None:
        self.path = path
        self.scenario = scenario
        self.run = "20261122-100000-ab12"
        self.records: dict[str, list[Record]] = {}
        self.planned: list[Planned] = []
        self.prices: dict[str, Price] = {}
        self.machines: dict[str, Machine] = {}

    def add(
        self,
        implementation: str,
        medians: Sequence[float | None],
        *,
        platform: str = "here",
        outcome: Outcome = Outcome.OK,
        basis: Basis = Basis.MEASURED,
        work: Work | None = WORK,
        kernel: str = "azimuthal_integration",
        started: str = "2026-11-22T10:{:02d}:00+00:00",
        commit: str = COMMIT,
        facts: dict[str, Any] | None = None,
        **case: Any,
    ) -> Folder:
        """Add one record for each process; a median of None has no samples."""
        given = {"size": "small", "seed": 1, "threads": 2, "version": "0.1.0"} | case
        one = Case(kernel=kernel, implementation=implementation, **given)
        for process, median_s in enumerate(medians):
            message: dict[str, Any] = {
                "verified_by": "truth", "error": 2.5e-6, "tolerance": 1e-5, "message": "",
            } if median_s else {}  # fmt: skip
            record = Record(
                key=f"{one.id}-{platform}-{process}-{commit}-{basis}", run=self.run, job=platform, platform=platform,
                process=process, case=one, outcome=outcome, basis=basis, work=work, machine=self._machine(platform),
                limits="l1", commit=commit, schema=SCHEMA, started_at=started.format(process), order="interleaved",
                samples=samples(median_s, 100 * len(implementation) + process) if median_s else None,
                phases={"make": 0.4, "put": 0.0, "setup": 0.08, "first_call": 0.5} if median_s else {},
                cores_used=1.9 if median_s else None, blocks=16, exceeds_cache=True,
                **message,
            )  # fmt: skip
            record = msgspec.structs.replace(record, **(facts or {}))
            self.records.setdefault(platform, []).append(record)
        return self

    def disturb(self, foreign: float) -> Folder:
        """Let other programs use a share of the machine during every sample of every record."""
        for platform, records in self.records.items():
            self.records[platform] = [
                msgspec.structs.replace(
                    record,
                    samples=record.samples
                    and msgspec.structs.replace(record.samples, foreign=[foreign] * len(record.samples.seconds)),
                )
                for record in records
            ]
        return self

    def calm(self) -> Folder:
        """Let no other program disturb any sample."""
        for platform, records in self.records.items():
            self.records[platform] = [
                msgspec.structs.replace(
                    record,
                    samples=record.samples
                    and msgspec.structs.replace(
                        record.samples,
                        flags=[min(flag, 1) if flag != 2 else 0 for flag in record.samples.flags],
                        foreign=[0.0] * len(record.samples.seconds),
                    ),
                )
                for record in records
            ]
        return self

    @staticmethod
    def other_machine() -> Machine:
        """Return a machine that is not the usual one."""
        return msgspec.structs.replace(MACHINE, id="m2", host="node-8", cpu="Example 9001", packages={})

    def _machine(self, platform: str) -> str:
        return self.machines.setdefault(platform, MACHINE).id

    def write(self) -> Path:
        """Write everything; return the results folder."""
        run = self.path / "runs" / self.run
        for platform, records in self.records.items():
            machine = self.machines[platform]
            job = Job(
                id=platform, run=self.run, platform_name=platform, repeat=Repeat(), commit=COMMIT, planned=self.planned,
                platform=Platform(runner="local", price=self.prices.get(platform)),
            )  # fmt: skip
            with Ledger(run / "jobs" / platform / "records.jsonl") as ledger:
                for line in (machine, msgspec.structs.replace(LIMITS, machine=machine.id), *records):
                    ledger.append(line)
            (run / "jobs" / platform / "job.json").write_bytes(msgspec.json.encode(job))
            self.planned = []
        (run / "scenario.toml").write_text(self.scenario, encoding="utf-8")
        return self.path

    def gather(self) -> Evidence:
        """Return the evidence of the written folder."""
        return gather(self.write())


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Folder]:
    """Return a maker of results folders below this test's folder."""
    made: list[Folder] = []

    def make(**facts: Any) -> Folder:
        made.append(Folder(tmp_path / f"results-{len(made)}", **facts))
        return made[-1]

    return make


@pytest.fixture
def price() -> Price:
    """Return a price of the own books."""
    return PRICE


@pytest.fixture(scope="session")
def fill() -> Callable[[Path], Folder]:
    """Return :func:`every_outcome`."""
    return every_outcome


def every_outcome(path: Path) -> Folder:
    """Return a folder with every outcome, two problems, a price, a gap in the plan and a projected row."""
    made = Folder(path)
    made.prices["here"] = PRICE
    made.add("numba", [0.0117, 0.0118, 0.0116])
    made.add("pyfai", [0.70, 0.71, 0.705], version="2026.9")
    made.add("numpy", [0.27, 0.28, 0.272], threads=1)
    made.add(
        "racy", [0.001, 0.001, 0.001], outcome=Outcome.WRONG, facts={"error": 0.7, "message": "bins 3 to 9 differ"}
    )
    made.add(
        "cupy",
        [None] * 3,
        outcome=Outcome.SKIPPED,
        gpus=1,
        facts={"reason": "capacity", "message": "CuPy is not installed; install it: pip install 'daasbench[gpu]'"},
    )
    made.add("crash", [None], outcome=Outcome.FAILED, facts={"reason": "kernel", "message": "killed: out of memory"})
    made.add("endless", [None], outcome=Outcome.TIMEOUT)
    made.add("model", [0.002, 0.0021, 0.002], basis=Basis.PROJECTED)
    made.add("standin", [0.003, 0.0031, 0.003], basis=Basis.REHEARSED)
    made.add("numba", [0.5], kernel="tomography", size=None, seed=None, input="beam/tooth.h5", input_hash="f00dcafe")
    later = Case(kernel="tomography", implementation="direct", version="0.1.0", size="medium", seed=1)
    made.planned.append(Planned(key="later", case=later, process=0))
    return made
