"""The runner over ssh: a real Slurm behind a real ssh server, without shared files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from daasbench.runners.slurm import SlurmRunner

from daasbench.model import Job, JobState, Record
from daasbench.testing.runners import sample_job

from ..waiting import until
from .sshd import LoginNode, sshd

if TYPE_CHECKING:
    from ..conftest import Cluster

__all__ = ["sshd"]


@pytest.fixture
def remote(slurm_cluster: Cluster, sshd: str, tmp_path: Path) -> Callable[[Path], Job]:
    """Return a function that makes a job of a platform behind an ssh server; this process does not see its Slurm."""
    node = LoginNode(tmp_path / "login", sshd, {"SLURM_CONF": f"{slurm_cluster.folder}/slurm.conf"})
    node.start()

    def make(folder: Path) -> Job:
        job = sample_job(folder, runner="slurm", cases=2)
        options = {
            "host": node.host, "ssh": node.options, "folder": f"{tmp_path}/on the site", "python": sys.executable
        }  # fmt: skip
        return msgspec.structs.replace(job, platform=msgspec.structs.replace(job.platform, options=options))

    yield make
    node.stop()


def test_a_job_is_sent_and_its_records_are_fetched(remote: Callable[[Path], Job], tmp_path: Path) -> None:
    """The user's own file is copied, too; a later controller finds and follows the job."""
    (tmp_path / "mine").mkdir()
    job = remote(tmp_path / "mine")
    SlurmRunner().check(job.platform.options, "site.toml: options")
    here = tmp_path / "results" / "jobs"
    runner = SlurmRunner()
    (request,) = runner.render_all([job], here)
    assert str(tmp_path / "mine") not in request.files[f"{job.id}/job.json"]
    handles = runner.submit_all(request, here)
    later = SlurmRunner()
    assert later.find([job], here) == handles
    handle = handles[job.id]
    until(lambda: later.poll(handle).ended, "the end of the job", every_s=0.1)
    status = later.poll(handle)
    later.fetch(handle, here / job.id)
    later.fetch(handle, here / job.id)
    assert status.state is JobState.DONE, (here / job.id / "log").read_text()
    lines = (here / job.id / "records.jsonl").read_bytes().splitlines()
    records = [msgspec.json.decode(one, type=Record) for one in lines if one.startswith(b'{"type":"record"')]
    assert {one.key for one in records} == {one.key for one in job.planned}
    assert later.poll(handle).bytes_out > 0
    assert runner.poll(handle).bytes_in > 0
