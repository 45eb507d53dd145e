"""Linear algebra wakes no threads while a result is verified, and has them again when the kernel computes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import threadpoolctl

from daasbench.host.blas_threads import BlasThreads
from daasbench.host.processes import thread_variables

KERNEL = """
import numpy as np, threadpoolctl
from daasbench import kernel

def threads():
    return max(one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas")

def oracle(inputs, got):
    return abs(threads() - 1) + abs(got["threads"] - 2)

@kernel(unit="call", oracle=oracle, tolerance=0.0)
def seen(inputs):
    return {"threads": np.float64(threads())}

@seen.inputs(tiny={})
def none(rng):
    return {"number": rng.random(1)}
"""
RUN = """
import sys
from pathlib import Path
from daasbench import registry
from daasbench.measure.inputs import make_inputs
from daasbench.measure.messages import Spec
from daasbench.model import Case
from daasbench.measure.session import Session
file = Path(sys.argv[1])
version = registry.version_of(registry.kernel_from_file(file).implementations["numpy"], file)
case = Case(kernel="seen", implementation="numpy", version=version, size="tiny", seed=0)
spec = Spec(case=case, scratch=str(file.parent / "scratch"), source=str(file))
make_inputs(spec)
session = Session(spec)
assert session.prepare().verdict.ok, session.prepare().verdict
answer = session.round(3, number=0, limit_s=10.0, origin=0.0)
assert answer.verdict.ok, answer.verdict
"""


def blas_threads() -> set[int]:
    return {one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"}


def test_blas_threads_are_idle_in_the_context_only() -> None:
    assert np.ones(3) @ np.ones(3) == 3
    before = blas_threads()
    with BlasThreads().idle():
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_a_kernel_has_all_threads_and_its_oracle_one(tmp_path: Path) -> None:
    (tmp_path / "seen.py").write_text(KERNEL)

    words = [sys.executable, "-c", RUN, str(tmp_path / "seen.py")]
    ended = subprocess.run(
        words, env={**os.environ, **thread_variables(2)}, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
