"""GPUs of ranks: each its own, set before it computes and looked at; the driver here is one that answers for two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from daasbench.evidence import gather
from daasbench.host.launchers import default_launcher
from daasbench.model import Outcome, Record

from ..waiting import PATIENCE_S
from .campaign import COMMAND
from .test_ranks import needs_two_cores

KERNEL = '''
import os
import numpy as np
from daasbench import kernel
from daasbench.contracts import Implementation, Partitioned

@kernel(unit="frame", oracle=lambda inputs, got: abs(got["total"] - inputs["frames"].sum()), tolerance=0.5)
def sums(inputs):
    """Sum of frames, by ranks that each say which GPU is theirs."""
    return {"total": inputs["frames"].sum()}

@sums.inputs(tiny={"n": 4})
def frames(n, rng):
    return {"frames": rng.poisson(3, (n, 8, 8)).astype("u4")}

def prepare(problem, resources):
    comm = resources.comm
    seen = comm.allgather(os.environ["CUDA_VISIBLE_DEVICES"])
    if sorted(seen) != EXPECTED:
        raise RuntimeError(f"the ranks compute with {seen}")
    put = lambda block: block["frames"][comm.rank :: comm.size].copy()
    get = lambda total: None if total is None else {"total": total}
    return Partitioned(put=put, compute=lambda part: comm.reduce(part.sum()), get=get)

sums.implementations["ranked"] = Implementation(name="ranked", load=lambda: prepare, backend="mpi", gpus=1)
'''

SCENARIO = """
question = "Has each rank a GPU of its own?"
platforms = ["here.toml"]
[[cases]]
kernel = "sums.py"
implementations = ["ranked"]
sizes = ["tiny"]
ranks = 2
threads = 1
gpus = 1
cache = true
[repeat]
processes = 1
min_repeats = 2
max_repeats = 2
limit_s = 100
"""

DRIVER = """#!/bin/sh
case "$1" in
  *uuid*) printf "{uuids}" ;;
  *) printf '0, H100, 81559, 560\\n1, H100, 81559, 560\\n' ;;
esac
"""
BOTH = r"0, GPU-a\n1, GPU-b\n"

pytestmark = [needs_two_cores, pytest.mark.slow]


@pytest.fixture
def measure(tmp_path: Path, needs: Callable[[str], None]) -> Callable[..., Record]:
    """Return a function that measures two ranks with a GPU each, and returns the record."""
    needs("mpi4py")

    def run(launcher: str = "", expected: tuple[str, ...] = ("0", "1"), uuids: str = BOTH) -> Record:
        programs = tmp_path / "programs"
        programs.mkdir()
        for name, text in (("nvidia-smi", DRIVER.format(uuids=uuids)), ("launch", launcher)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        options = f"launcher = {json.dumps(str(programs / 'launch') + ' -n {ranks}')}" if launcher else ""
        (tmp_path / "here.toml").write_text(f'runner = "local"\ngpus_per_node = 2\n[options]\n{options}\n')
        (tmp_path / "sums.py").write_text(KERNEL.replace("EXPECTED", repr(list(expected))))
        (tmp_path / "q.toml").write_text(SCENARIO)
        environment = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
        ended = subprocess.run(
            [sys.executable, "-c", COMMAND, "run", "./q.toml"],
            cwd=tmp_path,
            env={**environment, "PATH": f"{programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert ended.returncode in (0, 1), ended.stdout + ended.stderr
        [record] = gather(tmp_path / "results").records
        return record

    return run


def each(first: str, second: str) -> str:
    """Return a launcher that gives the two ranks what `first` and `second` say, as srun does."""
    inner = f'if [ "$PMI_RANK" = 0 ]; then {first}; else {second}; fi; exec "$@"'
    return f"#!/bin/sh\nshift 2\nexec {default_launcher()} -n 2 sh -c '{inner}' rank \"$@\"\n"


def test_ranks_that_see_all_gpus_each_take_their_own(measure: Callable[..., Record]) -> None:
    record = measure()
    assert record.outcome is Outcome.OK, record.message


def test_gpus_that_the_launcher_gave_to_each_rank_are_kept(measure: Callable[..., Record]) -> None:
    record = measure(each("export CUDA_VISIBLE_DEVICES=1", "export CUDA_VISIBLE_DEVICES=0"))
    assert record.outcome is Outcome.OK, record.message


def test_ranks_with_the_same_gpu_are_skipped_with_the_fix(measure: Callable[..., Record]) -> None:
    record = measure(each("export CUDA_VISIBLE_DEVICES=1", "export CUDA_VISIBLE_DEVICES=1"))
    assert record.outcome is Outcome.SKIPPED
    assert "ranks share GPUs; bind each rank to its own GPUs" in record.message
    assert record.samples is None


def test_gpus_with_the_same_name_are_distinguished_by_their_identifier(measure: Callable[..., Record]) -> None:
    alike = each("export CUDA_VISIBLE_DEVICES=0", "export CUDA_VISIBLE_DEVICES=0")
    record = measure(alike, expected=("0", "0"), uuids=r"0, GPU-$PMI_RANK\n")
    assert record.outcome is Outcome.OK, record.message


def test_a_rank_without_a_gpu_is_skipped_with_the_fix(measure: Callable[..., Record]) -> None:
    record = measure(each("export CUDA_VISIBLE_DEVICES=0", "export CUDA_VISIBLE_DEVICES="))
    assert record.outcome is Outcome.SKIPPED
    assert "exposes 0 GPUs to rank 1, the case uses 1" in record.message
    assert record.samples is None
