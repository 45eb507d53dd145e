"""Ranks on several hosts: network namespaces with names of their own, and a wire whose bytes are counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from daasbench.evidence import gather
from daasbench.host.launchers import default_launcher
from daasbench.model import Outcome, Record

from ..waiting import PATIENCE_S
from .campaign import COMMAND

pytestmark = pytest.mark.slow
HOSTS = ["n1", "n2"]
IMPOSSIBLE = 3  # exit code
PLATFORM = """
runner = "local"
nodes = 2
[options]
launcher = {launcher}
"""
SCENARIO = """
question = "Do ranks on two hosts compute the same?"
platforms = ["two.toml"]
[[cases]]
kernel = "{kernel}"
implementations = ["mpi"]
sizes = ["tiny"]
nodes = 2
ranks = {ranks}
threads = 1
cache = true
[repeat]
processes = 1
min_repeats = 5
max_repeats = 5
limit_s = 100
"""


class Wires:
    """Two hosts and their wires."""

    def __init__(self, script: Path, folder: Path) -> None:
        self.script, self.folder = script, folder

    @property
    def bridge(self) -> str:
        return str(json.loads((self.folder / "state.json").read_text())["tag"])

    def counters(self) -> dict[str, dict[str, int]]:
        message = subprocess.run(
            [self.script, "counters", self.folder], capture_output=True, text=True, check=True
        ).stdout
        return {str(name): dict(bytes_) for name, bytes_ in json.loads(message).items()}

    def launcher(self, hosts: list[str]) -> list[str]:
        words = [str(default_launcher()), "-launcher", "ssh", "-launcher-exec", str(self.folder / "ssh")]
        return [*words, "-hosts", ",".join(hosts), "-iface", self.bridge, "-ppn", "{ranks_per_node}", "-n", "{ranks}"]


@pytest.fixture(scope="module")
def wires(
    tmp_path_factory: pytest.TempPathFactory,
    checkout: Path,
    needs: Callable[[str], None],
    program: Callable[..., str],
) -> Iterator[Wires]:
    """Bring two hosts up; the tests are skipped where that is not allowed."""
    needs("mpi4py")
    program("ip", fix="install iproute2, for tests on several hosts")
    script, folder = checkout / "ci/hosts/hosts", tmp_path_factory.mktemp("hosts")
    started = subprocess.run([script, "start", folder, str(len(HOSTS))], capture_output=True, text=True, check=False)
    if started.returncode == IMPOSSIBLE:
        pytest.skip(f"absent: several hosts ({started.stderr.strip()})")
    assert started.returncode == 0, started.stderr
    yield Wires(script, folder)
    subprocess.run([script, "stop", folder], check=True)
    left = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
    assert str(folder) not in left


def measure(folder: Path, launcher: list[str], kernel: str, ranks: int) -> Record:
    (folder / "two.toml").write_text(PLATFORM.format(launcher=json.dumps(launcher)))
    (folder / "q.toml").write_text(SCENARIO.format(kernel=kernel, ranks=ranks))
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND, "run", "./q.toml"],
        cwd=folder,
        env={**os.environ, "UCX_TLS": "tcp,self", "UCX_NET_DEVICES": "eth0"},  # else memory is shared behind the wire
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stdout + ended.stderr
    [record] = gather(folder / "results").records
    return record


@pytest.mark.parametrize(("kernel", "ranks"), [("distributed_fft", 2), ("distributed_fft", 4), ("halo_stencil", 2)])
def test_ranks_on_two_hosts_compute_what_the_reference_does_and_speak_over_the_wire(
    kernel: str, ranks: int, wires: Wires, tmp_path: Path
) -> None:
    before = wires.counters()
    record = measure(tmp_path, wires.launcher(HOSTS), kernel, ranks)
    after = wires.counters()
    assert record.outcome is Outcome.OK, record.message
    assert (record.case.nodes, record.case.ranks) == (2, ranks)
    assert record.verified_by is not None
    assert record.samples is not None
    assert record.work is not None
    repeats = len(record.samples.seconds)
    least = record.work.messages_bytes * repeats * ranks / 2 / 2  # of what a host's ranks send, half may stay there
    assert least > 0
    for host in HOSTS:
        assert after[host]["sent"] - before[host]["sent"] > least
        assert after[host]["received"] - before[host]["received"] > least


def test_ranks_that_all_run_on_one_host_are_not_taken_for_two(wires: Wires, tmp_path: Path) -> None:
    record = measure(tmp_path, wires.launcher(["n1"]), "distributed_fft", 2)
    assert record.outcome is Outcome.SKIPPED
    assert "the ranks run on 1 nodes (n1), 2 were requested" in record.message
    assert record.samples is None


def test_a_host_that_does_not_exist_is_named_and_nothing_is_measured(wires: Wires, tmp_path: Path) -> None:
    record = measure(tmp_path, wires.launcher(["n1", "n9"]), "distributed_fft", 2)
    assert record.outcome is Outcome.FAILED, msgspec.json.encode(record)
    assert "before its ranks had registered" in record.message
    [log] = (tmp_path / "results").rglob("log")
    assert "no host n9; there are: n1, n2" in log.read_text()
