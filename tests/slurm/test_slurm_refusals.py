"""What a person reads when Slurm refuses jobs: the reason once, and the command that shows how to correct it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from daasbench.runners.slurm.submission import accepted
from daasbench.runners.slurm.transport import CommandResult

from daasbench.errors import SubmitError

PLATFORM = """
runner = "slurm"
nodes = 1
cores_per_node = 1
[options]
partition = "maiin"
"""
KERNEL = """
from daasbench import kernel

@kernel(unit="frame", oracle=lambda inputs, got: abs(got - inputs["frames"].sum()), tolerance=0)
def total(inputs):
    return inputs["frames"].sum()

@total.inputs(tiny={"n": 2})
def frames(n, rng):
    return {"frames": rng.poisson(3, (n, 8, 8))}
"""


@pytest.fixture
def measure(say: Callable[..., Any], tmp_path: Path) -> Callable[[], Any]:
    """Return a function that measures three processes on a platform whose partition does not exist."""
    (tmp_path / "site.toml").write_text(PLATFORM)
    (tmp_path / "total.py").write_text(KERNEL)
    settings = ("--set", "cases.sizes=tiny", "--set", "repeat.processes=3")
    return lambda: say("run", "./total.py", "--platform", "./site.toml", *settings, "--detach")


@pytest.mark.usefixtures("slurm")
def test_a_refusal_of_several_jobs_is_said_once_with_the_command_that_checks(measure: Callable[[], Any]) -> None:
    """Each job of an array has the same reason."""
    said = measure()
    assert said.code == 3
    assert said.err.count("invalid partition specified: maiin") == 1, said.err
    assert "Slurm refused 001-site ... 003-site: " in said.err
    assert "daasbench doctor --platform ./site.toml\n" in said.out


@pytest.mark.parametrize("last", ["Could not establish a configuration source", "Unable to process configuration file"])
def test_a_client_of_slurm_outside_of_its_cluster_is_told_to_start_on_a_login_node(last: str) -> None:
    """No option of the platform is wrong."""
    printed = f"sbatch: error: fetch_config: DNS SRV lookup failed\nsbatch: fatal: {last}\n"
    message = f"^on this machine: Slurm does not answer: {last}; start daasbench on a login node, or name a login node"
    with pytest.raises(SubmitError, match=message):
        accepted(CommandResult(code=1, out="", err=printed), "", ["001-site"])
