"""Write records_v1.jsonl: one line of every kind of schema 1, and a record of every outcome.

Run once, when schema 1 was made (``python tests/data/make_records_v1.py``). The file is frozen: a later schema
gets a sample of its own beside it, and this one has to be read for ever.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from daasbench.model import (
    SCHEMA,
    Basis,
    Case,
    Limit,
    Limits,
    Line,
    Machine,
    Outcome,
    Reason,
    Record,
    Round,
    Samples,
    Work,
)

NUMPY = Case(kernel="tomography", implementation="numpy", version="2.4.6", size="small", seed=0, threads=1)
NUMBA = msgspec.structs.replace(NUMPY, implementation="numba", version="0.63.1", threads=2)
CUPY = msgspec.structs.replace(NUMPY, implementation="cupy", version="14.0.0", gpus=1)
MEASURED = Case(
    kernel="azimuthal_integration", implementation="pyfai", version="2025.3.0", input="ceo2.tif", threads=2,
    input_hash="9f86d081884c7d65", options={"mode": "split", "bins": 1000}, files={"geometry": "ceo2.poni"},
)  # fmt: skip
MACHINE = Machine(
    id="b0a1c2d3e4f50617", host="node07", cpu="AMD EPYC 7543 32-Core Processor", sockets=2, cores=64, threads=128,
    usable_cores=2, memory_bytes=2**38, usable_memory_bytes=2**37, last_level_cache_bytes=2**28,
    caches={"L1d": 32768, "L2": 524288, "L3": 33554432}, instructions=["avx2", "fma"], governor="performance",
    gpus=[{"name": "NVIDIA H100", "memory_bytes": 2**36}], gpu="NVIDIA H100", os="Linux 6.1", python="3.11.7",
    packages={"numpy": "2.4.6"}, environment={"OMP_NUM_THREADS": "2"}, commit="0123456789ab",
    observed_at="2026-11-22T19:00:00Z",
)  # fmt: skip
LIMITS = Limits(
    id="c0ffee0000000002", machine=MACHINE.id, threads=2, measured_at="2026-11-22T19:00:05Z",
    values={
        "read": Limit(value=2e10, unit="B/s", low=1.9e10, high=2e10, repeats=9),
        "triad": Limit(value=1e10, unit="B/s", low=9.5e9, high=1e10, repeats=9),
        "matmul_float32": Limit(value=2e11, unit="flop/s", low=1.8e11, high=2e11, repeats=9),
    },
    failed={"matmul_float64": "the probe was killed"},
)  # fmt: skip
WORK = Work(unit="slice", units=4.0, flop=8e9, bytes=1e9, input_bytes=6e8, output_bytes=4e8)


def samples(seconds: list[float], flags: list[int]) -> Samples:
    """Return samples with all their columns."""
    count = len(seconds)
    return Samples(
        seconds=seconds, flags=flags, cpu_s=[1.5 * s for s in seconds], foreign=[0.01] * count,
        get_s=[0.125] * count, block=list(range(count)), round=[0] * count, at_s=[float(i) for i in range(count)],
    )  # fmt: skip


def record(key: str, case: Case, outcome: Outcome, **facts: object) -> Record:
    """Return a record with the facts that all of them share."""
    shared = {
        "run": "20261122T190000Z-sample", "job": "here-1", "platform": "here", "process": 0, "machine": MACHINE.id,
        "commit": "0123456789ab", "schema": SCHEMA,
    }  # fmt: skip
    return Record(key=key, case=case, outcome=outcome, **(shared | facts))  # type: ignore[arg-type]  # by name


def lines() -> list[Line]:
    """Return the sample."""
    ok = samples([9.0, 2.0, 2.5, 50.0, 2.25], [1, 0, 0, 2, 0])
    started = "2026-11-22T19:01:00Z"
    return [
        MACHINE,
        LIMITS,
        Round(key="k-ok", process=0, attempt=1, case=NUMBA, started_at=started, samples=ok),
        record(
            "k-ok", NUMBA, Outcome.OK, verified_by="truth", error=0.01, tolerance=0.05, samples=ok, work=WORK,
            phases={"make": 1.5, "put": 0.25, "setup": 0.5, "first_call": 4.0}, stop_reason="interval", blocks=3,
            exceeds_cache=True, order="interleaved", cores_used=1.9, threads_seen=2, cpus=[0, 1],
            peak_memory_bytes=123456789, energy_j=42.5, energy_basis="measured", started_at=started,
            limits=LIMITS.id,
        ),
        record(
            "k-wrong", NUMPY, Outcome.WRONG, reason=Reason.KERNEL, message="repeat 2 differs from repeat 1",
            verified_by="oracle", error=float("nan"), tolerance=0.05, samples=ok, work=WORK, limits=LIMITS.id,
            started_at="2026-11-22T19:02:00Z",
        ),
        record(
            "k-failed", MEASURED, Outcome.FAILED, reason=Reason.KERNEL, message="killed: out of memory (24 GiB)",
            phases={"make": 0.75}, started_at="2026-11-22T19:03:00Z",
        ),
        record(
            "k-timeout", msgspec.structs.replace(NUMPY, size="large"), Outcome.TIMEOUT, reason=Reason.KERNEL,
            message="no first result within 600 s", started_at="2026-11-22T19:04:00Z",
        ),
        record(
            "k-skipped", CUPY, Outcome.SKIPPED, reason=Reason.CAPACITY, machine=None,
            message="no GPU here; run it on a platform with one", started_at="2026-11-22T19:05:00Z",
        ),
        record(
            "k-rehearsed", msgspec.structs.replace(NUMPY, size="medium"), Outcome.OK, basis=Basis.REHEARSED,
            verified_by="peer", error=0.0, tolerance=1e-6, samples=samples([1.0], [0]), stop_reason="limit",
            work=WORK, peak_device_bytes=1024, attempt=2, process=1, started_at="2026-11-22T19:06:00Z",
        ),
        Round(
            key="k-killed", process=2, attempt=1, case=NUMPY, started_at="2026-11-22T19:07:00Z",
            samples=samples([3.0, 2.0], [1, 0]),
        ),
        Round(
            key="k-killed", process=2, attempt=1, case=NUMPY, started_at="2026-11-22T19:07:00Z",
            samples=samples([2.5], [0]),
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    text = b"".join(msgspec.json.encode(line) + b"\n" for line in lines())
    Path(__file__).with_name("records_v1.jsonl").write_bytes(text)
