"""One real run of a kernel with every kind of trouble: each planned case ends in exactly one outcome, explained."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pandas as pd
import pytest

from daasbench.evidence import Evidence, gather

from ..waiting import PATIENCE_S

KERNEL = '''
import concurrent.futures, os, sys, time
import numpy as np
from daasbench import kernel

def error(inputs, got):
    return abs(got["total"] - inputs["frames"].sum())

@kernel(unit="frame", oracle=error, tolerance=0.5)
def troubles(inputs):
    """Sum of frames, with many wrong implementations."""
    return {"total": inputs["frames"].sum()}

calls = 0

@troubles.implementation("racy", threads=False)
def racy(inputs):
    """Right at its first call, wrong later: what a harness that validates once lets pass."""
    global calls
    calls += 1
    return {"total": inputs["frames"].sum() + (calls > 3)}

@troubles.implementation("raises", threads=False)
def raises(inputs):
    raise ValueError("the detector is upside down")

@troubles.implementation("hangs", threads=False)
def hangs(inputs):
    time.sleep(600)

@troubles.implementation("exits", threads=False)
def exits(inputs):
    os._exit(7)

@troubles.implementation("crashes", threads=False)
def crashes(inputs):
    os.kill(os.getpid(), 11)

@troubles.implementation("nan", threads=False)
def nan(inputs):
    return {"total": float("nan")}

@troubles.implementation("no_memory", threads=False)
def no_memory(inputs):
    raise MemoryError("4 TiB")

@troubles.implementation("prints", threads=False)
def prints(inputs):
    print("a kernel may print what it likes", flush=True)
    sys.stderr.write("and complain\\n")
    return troubles(inputs)

@troubles.implementation("missing", threads=False, requires=("not_installed_anywhere",))
def missing(inputs):
    return troubles(inputs)

@troubles.implementation("two_threads", threads=True)
def two_threads(inputs):
    def burn():
        block = inputs["frames"].astype("f8")
        for _ in range(30):
            np.sort(block, axis=None)
    [one.result() for one in [pool.submit(burn) for _ in range(2)]]
    return troubles(inputs)

pool = concurrent.futures.ThreadPoolExecutor(2)

@troubles.inputs(tiny={"n": 4})
def frames(n, rng):
    return {"frames": rng.poisson(3, (n, 64, 64)).astype("u4")}
'''

SCENARIO = """
question = "What can go wrong?"
platforms = ["here"]
[[cases]]
kernel = "troubles.py"
implementations = {names}
sizes = ["tiny"]
threads = [1, 2, 512]
cache = true
[repeat]
processes = 1
min_repeats = 6
max_repeats = 12
interval = 0.5
limit_s = {limit_s}
"""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Return what is measured of all implementations; of the one that never answers, with a limit that is soon over."""
    folder = tmp_path_factory.mktemp("troubles")
    (folder / "troubles.py").write_text(KERNEL)
    names = re.findall(r"implementation\(\"(\w+)\"", KERNEL)
    for name, chosen, limit_s in (("hang", ["hangs"], 2), ("all", [*(set(names) - {"hangs"}), "numpy"], 100)):
        (folder / f"{name}.toml").write_text(SCENARIO.format(names=json.dumps(sorted(chosen)), limit_s=limit_s))
        command = [sys.executable, "-m", "daasbench", "run", f"./{name}.toml"]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
        late = "run the same command again to repeat it" in ended.stderr  # on a machine that others use meanwhile
        assert ended.returncode == (3 if late else 1), ended.stderr
        assert "Traceback" not in ended.stdout + ended.stderr
    return gather(folder / "results")


@pytest.fixture
def table(evidence: Evidence) -> pd.DataFrame:
    return evidence.table.set_index(["implementation", "threads"])


@pytest.mark.parametrize(
    ("implementation", "outcome", "sentence"),
    [
        ("numpy", "ok", ""),
        ("prints", "ok", ""),
        ("racy", "wrong", "error 1 is not within 0.5"),
        ("nan", "wrong", "error nan"),
        ("raises", "failed", "ValueError: the detector is upside down"),
        ("hangs", "timeout", "time limit: the process did not compute its first result"),
        ("exits", "failed", "exit code 7"),
        ("crashes", "failed", "SIGSEGV"),
        ("no_memory", "failed", "out of memory: 4 TiB"),
        ("missing", "skipped", "not_installed_anywhere is not installed"),
    ],
)
def test_each_trouble_has_its_outcome_and_its_sentence(
    table: pd.DataFrame, implementation: str, outcome: str, sentence: str
) -> None:
    row = table.loc[(implementation, 1)]
    assert row["outcome"] == outcome
    assert sentence in str(row["message"])


def test_more_threads_than_cores_are_skipped_with_the_fix(table: pd.DataFrame) -> None:
    row = table.loc[("two_threads", 512)]
    assert row["outcome"] == "skipped"
    assert "512 threads requested" in row["message"]
    assert "max" in row["message"]


def test_every_planned_case_has_exactly_one_row(evidence: Evidence) -> None:
    planned = [one for job in evidence.jobs.values() for one in job.planned]
    assert len(evidence.table) == len(planned) == 13
    assert evidence.planned_missing == []


def test_a_race_is_caught_after_right_results_and_keeps_its_samples(evidence: Evidence) -> None:
    record = next(one for one in evidence.records if one.case.implementation == "racy")
    assert record.samples is not None
    assert len(record.samples.seconds) >= 3
    assert record.verified_by == "oracle"


def test_only_verified_rows_have_a_rate(evidence: Evidence) -> None:
    table = evidence.table
    assert set(table.loc[table["units_per_s"].notna(), "outcome"]) == {"ok"}


def test_threads_really_used_are_observed(evidence: Evidence) -> None:
    record = next(r for r in evidence.records if (r.case.implementation, r.case.threads) == ("two_threads", 2))
    assert record.threads_seen is not None
    assert record.threads_seen >= 2
    one = next(r for r in evidence.records if (r.case.implementation, r.case.threads) == ("two_threads", 1))
    assert len(one.cpus) == 1
    assert len(record.cpus) == 2


def test_the_first_sample_of_a_round_is_a_marked_warm_up_and_kept(evidence: Evidence) -> None:
    record = next(one for one in evidence.records if one.case.implementation == "numpy")
    samples = record.samples
    assert samples is not None
    for round_ in set(samples.round):
        flags = [flag for flag, number in zip(samples.flags, samples.round, strict=True) if number == round_]
        assert flags[0] == 1
        assert 1 not in flags[1:]
    assert len(samples.counted()) == evidence.table.set_index("implementation").loc["numpy", "repeats"]
    assert record.order == "interleaved"
