"""A whole job on a remote cluster: a real sshd, a real Slurm, the real worker; exactly one job, whatever is cut."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from daasbench.runners.slurm import SlurmRunner, connection, remote_python
from daasbench.runners.slurm.packaging import Installation, build_wheel, this_installation
from daasbench.runners.slurm.ssh import SshTransport

from daasbench.errors import LedgerError, SubmitError, Unreachable, UsageError
from daasbench.model import Job, JobState, JobStatus, Line, Request
from daasbench.testing.runners import sample_job

from ..waiting import until
from .sshd import LoginNode, sshd

if TYPE_CHECKING:
    from ..conftest import Cluster

__all__ = ["sshd"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Installation]:
    """Return a folder with daasbench as a site has it installed, and what it is: a snapshot of the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    installation = this_installation()
    shutil.unpack_archive(build_wheel(installation, folder), folder / "there", "zip")
    return folder / "there", installation


@pytest.fixture
def login(sshd: str, slurm: Cluster, installed: tuple[Path, Installation], tmp_path: Path) -> Iterator[LoginNode]:
    """Return the login node of the cluster."""
    seen = {"SLURM_CONF": f"{slurm.folder}/slurm.conf", "PYTHONPATH": str(installed[0])}
    node = LoginNode(tmp_path / "login", sshd, seen)
    node.start()
    yield node
    node.stop()


class Remote:
    """A controller of jobs on that cluster, on a machine without Slurm."""

    def __init__(self, login: LoginNode, folder: Path) -> None:
        self.there = folder / "site's scratch"
        self.jobs_folder = folder / "results" / "runs" / "r" / "jobs"
        options = {"host": login.host, "ssh": login.options, "folder": str(self.there), "python": sys.executable}
        source = folder / "user's own kernels"
        source.mkdir(exist_ok=True)
        sample = sample_job(source, runner="slurm", cases=2)
        self.job = msgspec.structs.replace(
            sample, run=f"run-{folder.name}"[-60:], platform=msgspec.structs.replace(sample.platform, options=options)
        )
        self.runner = SlurmRunner(grace_s=1.0)

    def another(self) -> SlurmRunner:
        """Return the runner of a controller that knows nothing of the first."""
        self.runner = SlurmRunner(grace_s=1.0)
        return self.runner

    def request(self, job: Job | None = None) -> Request:
        """Return the one request of the job."""
        (request,) = self.runner.render_all([job or self.job], self.jobs_folder)
        return request

    def submit(self) -> str:
        """Return the handle."""
        return self.runner.submit_all(self.request(), self.jobs_folder)[self.job.id]

    def wait(self, handle: str, true: Callable[[JobStatus], bool] = lambda status: status.ended) -> JobStatus:
        """Return the first status that is as wanted."""

        def wanted() -> JobStatus | None:
            status = self.runner.poll(handle)
            return status if true(status) else None

        return until(wanted, f"what is wanted of {handle}", every_s=0.1)

    def outcomes(self, handle: str) -> list[str]:
        """Return the outcomes of the records that came."""
        folder = self.jobs_folder / self.job.id
        self.runner.fetch(handle, folder)
        lines = [msgspec.json.decode(line, type=Line) for line in (folder / "records.jsonl").read_bytes().splitlines()]
        return [str(line.outcome) for line in lines if hasattr(line, "outcome")]


@pytest.fixture
def remote(
    login: LoginNode, installed: tuple[Path, Installation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Remote:
    """Return a controller on this machine; only the login node has SLURM_CONF."""
    monkeypatch.delenv("SLURM_CONF")
    monkeypatch.setattr(remote_python, "this_installation", lambda: installed[1])
    monkeypatch.setattr(connection, "BACK_OFF_S", (0.1, 0.2, 0.4))
    return Remote(login, tmp_path)


def named(slurm: Cluster, remote: Remote) -> list[str]:
    """Return the jobs of Slurm that carry the job's name."""
    name = f"daasbench-{remote.job.run}-{remote.job.id}"
    return slurm.ask("squeue", "--noheader", "--states=all", f"--name={name}", "--format=%i").split()


def test_a_job_runs_on_the_cluster_and_its_records_are_fetched_over_one_connection(
    remote: Remote, login: LoginNode, slurm: Cluster
) -> None:
    handle = remote.submit()
    assert handle.startswith(f"slurm://{login.host}/")
    status = remote.wait(handle)
    assert (status.state, status.exit) == (JobState.DONE, 0), (remote.there, status)
    assert remote.outcomes(handle) == ["ok", "ok"]
    folder = remote.jobs_folder / remote.job.id
    assert {"job.json", "records.jsonl", "started.json", "ended.json", "claim"} <= {
        one.name for one in folder.iterdir()
    }
    status = remote.runner.poll(handle)
    kernel = next(iter(remote.job.sources.values()))
    assert status.bytes_in > Path(kernel).stat().st_size
    assert status.bytes_out >= (remote.jobs_folder / remote.job.id / "records.jsonl").stat().st_size
    assert login.connections() == 1
    assert remote.another().poll(handle).state is JobState.DONE  # a handle outlives its controller
    assert len(named(slurm, remote)) == 1


def test_what_would_be_sent_is_shown_without_a_connection(remote: Remote, login: LoginNode) -> None:
    request = remote.request()
    assert remote.request() == request
    assert login.connections() == 0
    text = "\n".join(request.files.values())
    assert f"{remote.there}/files/" in text  # where the kernel's file will lie
    assert "s scratch/env-" in text  # and what runs it
    assert not remote.there.exists()


def test_a_submission_that_is_cut_after_slurm_accepted_it_is_one_job(
    remote: Remote, login: LoginNode, slurm: Cluster, tmp_path: Path
) -> None:
    """The controller does not know whether the job arrived; queried again, Slurm lists it."""
    sbatch = shutil.which("sbatch")
    login.program(
        "sbatch", f'{sbatch} "$@" >"{tmp_path}/number" && mv "{tmp_path}/number" "{tmp_path}/sent"; sleep 100'
    )
    cutting = threading.Thread(target=lambda: (until((tmp_path / "sent").exists, "submitted"), login.cut()))
    cutting.start()
    with pytest.raises(Unreachable, match="what was requested may have happened or not"):
        remote.submit()
    cutting.join()
    found = remote.another().find([remote.job], remote.jobs_folder)
    assert list(found) == [remote.job.id]
    assert remote.wait(found[remote.job.id]).state is JobState.DONE
    assert remote.outcomes(found[remote.job.id]) == ["ok", "ok"]
    assert len(named(slurm, remote)) == 1


def test_a_submission_that_is_cut_before_slurm_accepted_it_is_sent_again_and_is_one_job(
    remote: Remote, login: LoginNode, slurm: Cluster, tmp_path: Path
) -> None:
    program = login.program("sbatch", f'touch "{tmp_path}/began"; sleep 100; exit 1')
    cutting = threading.Thread(target=lambda: (until((tmp_path / "began").exists, "began"), login.cut()))
    cutting.start()
    with pytest.raises(Unreachable):
        remote.submit()
    cutting.join()
    program.unlink()
    assert remote.another().find([remote.job], remote.jobs_folder) == {}
    handle = remote.submit()
    assert remote.wait(handle).state is JobState.DONE
    assert remote.outcomes(handle) == ["ok", "ok"]
    assert len(named(slurm, remote)) == 1


def test_a_connection_cut_while_the_job_runs_loses_nothing(remote: Remote, login: LoginNode, slurm: Cluster) -> None:
    handle = remote.submit()
    ended = False
    while not ended:
        login.cut()
        ended = remote.runner.poll(handle).ended
        remote.runner.fetch(handle, remote.jobs_folder / remote.job.id)
        time.sleep(0.3)
    assert remote.outcomes(handle) == ["ok", "ok"]
    there = remote.there / "runs" / remote.job.run / remote.job.id / "records.jsonl"
    assert (remote.jobs_folder / remote.job.id / "records.jsonl").read_bytes() == there.read_bytes()
    assert len(named(slurm, remote)) == 1


def test_a_login_node_that_is_down_for_a_while_is_reported_and_the_job_continues(
    remote: Remote, login: LoginNode
) -> None:
    handle = remote.submit()
    login.stop()
    status = remote.wait(handle, lambda one: "cannot be reached" in one.message)
    assert not status.ended
    assert "Connection refused" in status.message
    login.start()
    assert remote.wait(handle).state is JobState.DONE
    assert remote.outcomes(handle) == ["ok", "ok"]


def test_a_site_without_sbatch_is_reported(remote: Remote, login: LoginNode) -> None:
    login.program("sbatch", "exec /no/such/sbatch")
    with pytest.raises(SubmitError, match=r"^login\.site: the command sbatch is missing: .*by the option host"):
        remote.submit()


def test_a_site_with_another_daasbench_is_refused_and_nothing_is_submitted(
    remote: Remote, installed: tuple[Path, Installation], slurm: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = msgspec.structs.replace(installed[1], content="0123456789abcdef", commit="fedcba987654")
    monkeypatch.setattr(remote_python, "this_installation", lambda: other)
    with pytest.raises(UsageError, match=r"has daasbench .*, and this machine has .*\(fedcba987654\)") as message:
        remote.submit()
    assert "nothing was submitted" in str(message.value)
    assert named(slurm, remote) == []


def test_a_site_whose_disk_is_full_is_reported_and_nothing_is_submitted(
    remote: Remote, slurm: Cluster, tmp_path: Path
) -> None:
    remote.submit()
    taken = len(named(slurm, remote))
    full = tmp_path / "full"
    full.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(full)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        from ..conftest import absent

        absent("the right to mount a small file system")
    try:
        (full / "other").write_bytes(bytes(60_000))
        options = {**remote.job.platform.options, "folder": str(full)}
        remote.job = msgspec.structs.replace(
            remote.job, platform=msgspec.structs.replace(remote.job.platform, options=options)
        )
        with pytest.raises((LedgerError, SubmitError), match=r"No space left.*nothing was submitted.*free some space"):
            remote.submit()
    finally:
        subprocess.run(["umount", "-l", full], check=True)
    assert len(named(slurm, remote)) == taken


def test_no_argument_of_ssh_is_in_the_files_that_the_nodes_get(remote: Remote) -> None:
    assert repr(SshTransport("login", ["-o", "SetEnv=TOKEN=secret"])) == "SshTransport('login')"
    assert "id_ed25519" not in "\n".join(remote.request().files.values())
