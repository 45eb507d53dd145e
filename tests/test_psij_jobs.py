"""Jobs that psij sends: on this machine, and through a real Slurm."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from daasbench.runners.psij import PsijRunner, runner
from daasbench.runners.psij.handle import PsijHandle
from daasbench.runners.psij.specification import unique_name

from daasbench.errors import SubmitError, Unreachable
from daasbench.inspection.platform import FindingLevel
from daasbench.model import Job, JobState, JobStatus, Outcome, Platform, Reason, Record, Request
from daasbench.testing import RunnerContract
from daasbench.testing.runners import sample_job
from daasbench.worker import CLAIM, ENDED, STARTED

from .conftest import cluster_that_is_up
from .waiting import until

LOCAL = {"executor": "local"}
PBS = Platform(runner="psij", options={"executor": "pbs"})
pytestmark = pytest.mark.filterwarnings(  # psij's executor `local` closes no pipe
    "ignore:.*FileIO.*:pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


def real_job(folder: Path, *, sleep_s: float = 0.0, name: str = "001-here", **options: object) -> Job:
    """Return a job of two quick cases for an executor."""
    job = sample_job(folder, runner="psij", sleep_s=sleep_s)
    declared = Platform(runner="psij", options={**LOCAL, **options})
    return msgspec.structs.replace(job, id=name, platform=declared, run=f"run-{folder.name}")


def ended(queue: PsijRunner, handle: str) -> JobStatus:
    """Return how a job ended."""
    until(lambda: queue.poll(handle).ended, handle)
    return queue.poll(handle)


def outcomes(folder: Path) -> set[Outcome]:
    """Return the outcomes of the records that came out."""
    lines = (folder / "records.jsonl").read_bytes().splitlines()
    return {msgspec.json.decode(one, type=Record).outcome for one in lines if one.startswith(b'{"type":"record"')}


@pytest.fixture
def queue(needs) -> Iterator[PsijRunner]:
    """Return a new runner; psij is there."""
    needs("psij")
    yield PsijRunner()
    gc.collect()  # psij's threads end with the objects that they serve


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for files that never come."""
    monkeypatch.setattr(runner, "SHOW_S", 0.3)


# --- on this machine ------------------------------------------------------------------------------------------


class TestPsijOnThisMachine(RunnerContract):
    """The contract of every runner."""

    @staticmethod
    def make() -> PsijRunner:
        """Return a runner whose jobs are sent by psij's executor `local`."""

        class Here(PsijRunner):
            def render(self, job: Job, folder: Path) -> Request:
                declared = msgspec.structs.replace(job.platform, options=LOCAL)
                request = super().render(msgspec.structs.replace(job, platform=declared), folder)
                return msgspec.structs.replace(request, files=request.files)

        return Here()

    @pytest.fixture(autouse=True)
    def _psij(self, needs) -> None:
        needs("psij")

    def test_the_request_carries_the_whole_job(self, tmp_path: Path) -> None:
        """A queue's files are relative to the folder of the run's jobs."""
        job = real_job(tmp_path)
        request = PsijRunner().render(job, tmp_path / "jobs" / job.id)
        assert msgspec.json.decode(request.files[f"{job.id}/job.json"], type=Job) == job


def test_a_job_outlives_its_controller_and_is_followed_by_another(queue: PsijRunner, tmp_path: Path) -> None:
    job = real_job(tmp_path, sleep_s=0.05)
    handle = queue.submit_all(queue.render_all([job], tmp_path / "jobs")[0], tmp_path / "jobs")[job.id]
    other = PsijRunner()
    status = ended(other, handle)
    assert (status.state, status.exit, status.native) == (JobState.DONE, 0, "exit 0")
    assert outcomes(tmp_path / "jobs" / job.id) == {Outcome.OK}


def test_a_job_whose_number_was_lost_is_found_by_process_and_by_claim(queue: PsijRunner, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    job, never = real_job(tmp_path, sleep_s=0.5), real_job(tmp_path, name="002-here")
    queue.submit_all(queue.render_all([job], jobs)[0], jobs)
    early = PsijRunner().find([job, never], jobs)
    assert set(early) == {job.id}
    until((jobs / job.id / CLAIM).exists, "the claim")
    late = PsijRunner().find([job, never], jobs)
    assert set(late) == {job.id}
    for found in (early, late):
        assert ended(PsijRunner(), found[job.id]).state is JobState.DONE


def test_a_job_that_was_killed_is_lost_with_a_message(queue: PsijRunner, tmp_path: Path, brief: None) -> None:
    job = real_job(tmp_path, sleep_s=30)
    place = tmp_path / "jobs" / job.id
    handle = queue.submit(queue.render(job, place), place)
    until((place / CLAIM).exists, "the claim")
    worker = psutil.Process(int((place / CLAIM).read_text().rpartition(":")[2]))
    for one in [*worker.children(recursive=True), worker]:
        one.send_signal(signal.SIGKILL)
    status = ended(queue, handle)
    assert (status.state, status.reason) == (JobState.FAILED, Reason.INTERRUPTED)
    assert ended(PsijRunner(), handle).state is JobState.LOST  # psij calls it completed


def test_a_process_of_another_machine_is_not_polled_from_this_one(tmp_path: Path) -> None:
    status = PsijRunner().poll(f"psij://elsewhere@local/1#{tmp_path}/001-x")
    assert status.state is JobState.RUNNING
    assert status.message == "it was started on elsewhere; run this command on that machine"


def test_queries_become_rarer_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    queue = PsijRunner()
    assert queue.every_s == 1.0
    now = 1100.0
    assert queue.every_s == pytest.approx(10)
    now = 4600.0
    assert queue.every_s == 30.0


def test_a_missing_scheduler_is_reported_with_its_fix(
    queue: PsijRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    job = msgspec.structs.replace(real_job(tmp_path), platform=PBS)
    [request] = queue.render_all([job], tmp_path)
    with pytest.raises(SubmitError, match="this machine has no pbs: the command qsub is missing; load its module"):
        queue.submit_all(request, tmp_path)
    findings = {one.check: one for one in queue.inspect(job.platform, tmp_path)}
    assert findings["scheduler"].level is FindingLevel.WRONG
    assert findings["psij"].level is FindingLevel.OK
    with pytest.raises(Unreachable, match="pbs cannot be queried for job 17"):
        queue.poll(f"psij://pbs/17#{tmp_path}/001-x")


# --- on a real Slurm ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slurm_cluster(program, tmp_path_factory):
    """Return a cluster of these tests' own: psij cannot read the answers of one whose jobs failed in ways of others."""
    yield from cluster_that_is_up(program, tmp_path_factory.mktemp("slurm"))


@pytest.fixture
def site(slurm, queue: PsijRunner) -> Iterator[PsijRunner]:
    """Return a runner beside a real Slurm."""
    return queue


def test_a_job_goes_through_a_real_slurm(site: PsijRunner, slurm, tmp_path: Path) -> None:
    job = real_job(tmp_path, executor="slurm", queue="main")
    jobs = tmp_path / "jobs"
    handle = site.submit_all(site.render_all([job], jobs)[0], jobs)[job.id]
    number = handle.partition("#")[0].rpartition("/")[2]
    assert f"JobName={unique_name(job)}" in slurm.ask("scontrol", "show", "job", number)
    assert ended(site, handle).state is JobState.DONE
    assert outcomes(jobs / job.id) == {Outcome.OK}
    assert (jobs / job.id / CLAIM).read_text() == f"slurm:{number}"
    assert PsijRunner().poll(handle).state is JobState.DONE


def test_a_queued_job_is_found_by_its_name_and_cancelled(site: PsijRunner, slurm, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    job = real_job(tmp_path, executor="slurm", attributes={"begin": "now+1hour"})
    handle = site.submit_all(site.render_all([job], jobs)[0], jobs)[job.id]
    other = PsijRunner()
    assert other.find([job, real_job(tmp_path, name="002-x", executor="slurm")], jobs) == {job.id: handle}
    until(lambda: other.poll(handle).native == "QUEUED", "psij's first answer")
    other.cancel(handle)
    status = other.poll(handle)
    assert (status.state, status.native) == (JobState.CANCELLED, "CANCELED")


def test_a_refused_job_says_why(site: PsijRunner, slurm, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    job = real_job(tmp_path, executor="slurm", queue="nowhere")
    with pytest.raises(SubmitError, match=r"slurm refused the job: .*invalid partition"):
        site.submit_all(site.render_all([job], jobs)[0], jobs)


def test_if_slurm_does_not_answer_it_is_not_known_what_arrived(
    site: PsijRunner, slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = tmp_path / "bin"
    deaf.mkdir()
    for name in ("sbatch", "squeue"):
        (deaf / name).write_text(f"#!/bin/sh\necho '{name}: error: Unable to contact slurm controller' >&2\nexit 1\n")
        (deaf / name).chmod(0o755)
    jobs, job = tmp_path / "jobs", real_job(tmp_path, executor="slurm")
    with monkeypatch.context() as there:
        there.setenv("PATH", f"{deaf}:{os.environ['PATH']}")
        with pytest.raises(Unreachable, match="did not answer when a job was submitted"):
            site.submit_all(site.render_all([job], jobs)[0], jobs)
        with pytest.raises(Unreachable, match="Unable to contact slurm controller"):
            site.find([job], jobs)


def test_a_job_that_slurm_no_longer_knows_and_that_wrote_no_end_is_lost(
    site: PsijRunner, slurm, tmp_path: Path, brief: None
) -> None:
    status = ended(site, f"psij://slurm/999999#{tmp_path}/jobs/001-x")
    assert (status.state, status.native) == (JobState.LOST, "COMPLETED")
    assert "did not write how it ended" in status.message


def test_the_end_of_a_job_is_read_from_its_folder_if_slurm_no_longer_knows_it(site: PsijRunner, tmp_path: Path) -> None:
    place = tmp_path / "jobs" / "001-x"
    place.mkdir(parents=True)
    (place / ENDED).write_text('{"at":"2026-11-23T01:00:00.000Z","exit":3}')
    status = site.poll(f"psij://slurm/999999#{place}")
    assert (status.state, status.exit, status.reason) == (JobState.FAILED, 3, Reason.HARNESS)


def test_a_job_that_slurm_kills_for_its_memory_is_interrupted_with_a_message(site: PsijRunner, tmp_path: Path) -> None:
    place = tmp_path / "jobs" / "001-here"
    job = real_job(tmp_path, executor="slurm", sleep_s=0.1)
    declared = msgspec.structs.replace(job.platform, memory_gb=0.01)  # of which Slurm gives no more
    handle = site.submit(site.render(msgspec.structs.replace(job, platform=declared), place), place)
    status = ended(site, handle)
    assert status.state in (JobState.FAILED, JobState.LOST)
    assert status.reason is Reason.INTERRUPTED
    assert status.message


def test_a_job_that_was_killed_after_it_had_started_has_a_message_that_says_so(
    queue: PsijRunner, tmp_path: Path
) -> None:
    (tmp_path / STARTED).write_text("{}")
    where = PsijHandle(executor="slurm", native="1", folder=tmp_path)
    killed = JobStatus(state=JobState.FAILED, native="FAILED", message="it could not be launched")
    assert queue._ended(str(where), where, killed).message.startswith(
        "it was killed after it had started, possibly for its memory"
    )
