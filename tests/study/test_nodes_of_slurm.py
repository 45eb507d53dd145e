"""Several nodes of a real Slurm, each bound to a processor of its own: ranks started by srun, a ladder over nodes."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..conftest import cluster_that_is_up
from .test_on_slurm import PLATFORM, OnSlurm, records

pytestmark = pytest.mark.slow
TWO_NODES = """
question = "Do two nodes of a cluster share the work?"
platforms = ["site.toml"]
intent = "strong"
[[cases]]
kernel = "halo_stencil"
implementations = "mpi"
sizes = "tiny"
nodes = "ladder"
ranks = "ladder"
threads = 1
cache = true
[repeat]
processes = 2
max_repeats = 5
"""


@pytest.fixture
def pinned(program: Any, tmp_path_factory: Any, monkeypatch: Any) -> Iterator[None]:
    """Let this process speak to a cluster whose nodes n1 and n2 are each bound to a processor of its own."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("absent: a second processor")
    for cluster in cluster_that_is_up(program, tmp_path_factory.mktemp("pinned"), "Pinned=yes"):
        monkeypatch.setenv("SLURM_CONF", f"{cluster.folder}/slurm.conf")
        yield


def test_two_nodes_are_climbed_to_by_srun_and_each_rank_has_a_processor(pinned: None, tmp_path: Path) -> None:
    campaign = OnSlurm(tmp_path)
    text = PLATFORM.format(split="none").replace("nodes = 4\ncores_per_node = 2", "nodes = 2\ncores_per_node = 1")
    (tmp_path / "site.toml").write_text(f'{text}sbatch = ["--exclude=n3,n4"]\n')
    (tmp_path / "two.toml").write_text(TWO_NODES)
    code, _, err = campaign.say("run", "./two.toml")
    assert code == 0, err
    found = {one["case"].get("nodes", 1): one for one in records(campaign)}
    assert {nodes: (one["case"].get("ranks", 1), one["outcome"]) for nodes, one in found.items()} == {
        1: (1, "ok"), 2: (2, "ok"),
    }  # fmt: skip
    assert sum(found[2]["samples"]["mpi_s"]) > 0  # they spoke to each other
    code, _, err = campaign.say("report", "scaling", "--format", "csv", "--out", "out")
    assert code == 0, err
    with (tmp_path / "out" / "scaling.csv").open(newline="") as rows:
        assert [row["nodes"] for row in csv.DictReader(rows)] == ["1", "2"]
