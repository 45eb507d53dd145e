"""The whole path over ssh, from the command line: a real sshd, a real Slurm, a controller that knows neither."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from daasbench.runners.slurm.packaging import build_wheel, this_installation

from ..study.campaign import COMMAND, Campaign
from ..waiting import PATIENCE_S, until
from .sshd import LoginNode, sshd

if TYPE_CHECKING:
    from ..conftest import Cluster

__all__ = ["sshd"]

PLATFORM = """
runner = "slurm"
cores_per_node = 2
[options]
host = "{host}"
ssh = {words}
folder = "{folder}"
python = "{python}"
split = "none"
"""
EAGER = "from daasbench.jobs import tracker; tracker.GLANCE_S = 0.3"  # said to a controller before its command


class Far(Campaign):
    """A campaign on this machine whose jobs run on a remote Slurm."""

    def __init__(self, folder: Path, login: LoginNode, **more: Any) -> None:
        super().__init__(folder, sleep_s=0.01, **more)
        message = {"host": login.host, "words": json.dumps(login.options), "folder": f"{folder}/there"}
        (folder / "site.toml").write_text(PLATFORM.format(python=sys.executable, **message))
        (folder / "kills.toml").write_text((folder / "kills.toml").read_text().replace('"here"', '"site.toml"'))

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start a command line."""
        return subprocess.Popen(
            [sys.executable, "-c", f"{EAGER}\n{COMMAND}", *words],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def say(self, *words: str) -> tuple[int, str, str]:
        """Run a command line to its end."""
        process = self.begin(*words)
        out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out, err

    def jobs_seen(self, slurm: Cluster) -> int:
        """Return how many jobs of this campaign Slurm ever accepted."""
        (run,) = (self.results / "runs").glob("2*")
        return slurm.ask("squeue", "--noheader", "--states=all", "--Format=Name:80").count(run.name)

    def complete(self) -> bool:
        """Return whether every cell was measured, each once, and all that was measured there is here."""
        keys = self.ended_once()
        (there,) = (self.folder / "there" / "runs").glob("*/*/records.jsonl")
        (here,) = self.results.glob("runs/*/jobs/*/records.jsonl")
        return len(keys) == len(set(keys)) == self.cells and here.read_bytes() == there.read_bytes()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return daasbench as it is now: an edit while the tests run does not change it."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.unpack_archive(build_wheel(this_installation(), folder), folder / "there", "zip")
    return folder / "there"


@pytest.fixture
def login(
    sshd: str, slurm: Cluster, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoginNode]:
    """Return the login node; only it knows the cluster."""
    seen = {"SLURM_CONF": os.environ["SLURM_CONF"], "PYTHONPATH": str(installed)}
    monkeypatch.delenv("SLURM_CONF")
    monkeypatch.setenv("PYTHONPATH", str(installed))
    node = LoginNode(tmp_path / "login", sshd, seen)
    node.start()
    yield node
    node.stop()


def test_a_run_shows_what_its_remote_job_has_measured_so_far(login: LoginNode, tmp_path: Path) -> None:
    far = Far(tmp_path, login, hold="record")
    controller = far.begin("run", "./kills.toml")
    far.wait_for("record")
    assert controller.poll() is None
    seen = len(far.lines("record"))
    far.let_go()
    _, err = controller.communicate(timeout=PATIENCE_S)
    assert controller.returncode == 0, err
    assert seen < far.cells
    assert f"[{far.cells}/{far.cells}]" in err
    assert far.complete()


def test_a_submission_that_is_cut_is_one_job_of_the_next_command(
    login: LoginNode, slurm: Cluster, tmp_path: Path
) -> None:
    far = Far(tmp_path, login)
    sbatch = shutil.which("sbatch")
    program = login.program("sbatch", f'{sbatch} "$@" >{tmp_path}/number; touch {tmp_path}/sent; sleep 100')
    cutting = threading.Thread(target=lambda: (until((tmp_path / "sent").exists, "submitted"), login.cut()))
    cutting.start()
    code, _, err = far.say("run", "./kills.toml")
    cutting.join()
    assert code == 3, err
    assert "it is not known whether job 001-site arrived; run the same command again to find out and to continue" in err
    program.unlink()
    (tmp_path / "sums.py").rename(tmp_path / "gone.py")  # what was sent needs it no more
    code, out, err = far.say("collect", "--wait")
    assert code == 0, err
    assert "4 ok; 0 remaining" in out
    assert far.complete()
    assert far.jobs_seen(slurm) == 1


def test_a_run_whose_connection_is_cut_again_and_again_is_complete_and_has_nothing_twice(
    login: LoginNode, slurm: Cluster, tmp_path: Path
) -> None:
    """Also in the middle of what is fetched, when half of it has come."""
    far = Far(tmp_path, login, seeds=4, repeats=10)
    halves = tmp_path / "halves"
    login.program("head", f'/usr/bin/head "$@" >{tmp_path}/$$; s=$(wc -c <{tmp_path}/$$); '
                  f'/usr/bin/head -c $((s/2)) {tmp_path}/$$; echo >>{halves}; '
                  f'[ $(wc -l <{halves}) -gt 3 ] || sleep 100; '  # the other half comes when the connection is gone
                  f'tail -c +$((s/2+1)) {tmp_path}/$$')  # fmt: skip
    controller = far.begin("run", "./kills.toml")
    for number in (1, 2, 3):
        until(lambda number=number: len(halves.read_text()) >= number, f"half of what is fetched, time {number}")
        assert login.cut() > 0
    _, err = controller.communicate(timeout=PATIENCE_S)
    assert controller.returncode == 0, err
    assert far.complete()
    assert far.jobs_seen(slurm) == 1
