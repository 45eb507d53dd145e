"""Faults of jobs on a real Slurm: each is recognised and explained, and no job is lost."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from daasbench.runners.slurm import SlurmRunner, poller

from daasbench.errors import SubmitError
from daasbench.model import JobState, Reason
from daasbench.testing.runners import sample_job

from ..waiting import until
from .conftest import Site, number

if TYPE_CHECKING:
    from ..conftest import Cluster

RUNS = "sleep 1000"


@pytest.fixture(scope="module")
def overdue(slurm_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, list[str]]:
    """Return two jobs at their time limit; the first will not end. Slurm looks for such jobs every 30 s only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", f"{slurm_cluster.folder}/slurm.conf")
        site = Site(tmp_path_factory.mktemp("overdue"), SlurmRunner())
        handles = site.submit(f"trap '' TERM; {RUNS}", RUNS, sbatch=["--comment=kept", "--nodelist=n4"])
        for handle in handles:
            site.wait(handle, lambda one: one.state is JobState.RUNNING)
            slurm_cluster.ask("scontrol", "update", f"JobId={number(handle)}", "EndTime=now")
    return site, handles


@pytest.mark.usefixtures("overdue")
def test_each_failure_in_an_array_is_distinguished(site: Site) -> None:
    """A task's exit code is its own."""
    handles = site.submit("exit 0", "exit 3", "kill -KILL $$", "no-such-program", "exit 4")
    assert len({number(one).split("_")[0] for one in handles}) == 1, "not one array"
    done, harness, killed, absent, taken = (site.wait(one) for one in handles)
    assert (done.state, done.exit, done.reason) == (JobState.DONE, 0, None)
    assert (harness.state, harness.exit, harness.reason) == (JobState.FAILED, 3, Reason.HARNESS)
    assert (killed.state, killed.exit, killed.reason) == (JobState.FAILED, None, Reason.INTERRUPTED)
    assert "SIGKILL" in killed.message
    assert (absent.exit, absent.reason) == (127, Reason.HARNESS)
    assert "options python" in absent.message
    assert (taken.exit, taken.reason) == (4, Reason.INTERRUPTED)
    assert {one.native for one in (done, harness, killed)} == {"COMPLETED", "FAILED"}


def test_the_status_of_an_ended_job_has_its_times_and_nodes(site: Site) -> None:
    """Times of queue, start and end are in UTC."""
    before = int(time.time())
    status = site.wait(site.submit("sleep 1")[0])
    after = time.time()
    assert status.queued_at is not None
    assert status.started_at is not None
    assert status.ended_at is not None
    assert status.queued_at <= status.started_at < status.ended_at
    times = [datetime.fromisoformat(one).timestamp() for one in (status.queued_at, status.started_at, status.ended_at)]
    assert [before, *times, after] == sorted([before, *times, after])
    assert status.nodes == 1
    assert status.hosts in ("n1", "n2", "n3", "n4")


def test_a_running_job_has_not_ended_yet(site: Site) -> None:
    """Slurm's EndTime of a running job is its time limit, which is no end."""
    handle = site.submit(RUNS)[0]
    status = site.wait(handle, lambda one: one.state is JobState.RUNNING)
    assert (status.ended_at, status.exit) == (None, None)
    assert status.started_at is not None


def test_a_job_whose_node_goes_down_is_interrupted(site: Site, slurm: Cluster) -> None:
    """Slurm does not requeue it: the controller decides."""
    handle = site.submit(RUNS, sbatch=["--nodelist=n3"])[0]
    node = site.wait(handle, lambda one: one.state is JobState.RUNNING).hosts
    slurm.do("kill", node)
    slurm.ask("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    status = site.wait(handle)
    slurm.do("revive", node)
    assert (status.state, status.native, status.reason) == (JobState.FAILED, "NODE_FAIL", Reason.INTERRUPTED)


def test_a_job_waits_while_the_nodes_are_drained_and_says_so(site: Site, slurm: Cluster) -> None:
    """It runs when they are available again."""
    slurm.ask("scontrol", "update", "NodeName=n[1-4]", "State=DRAIN", "Reason=test")
    try:
        handle = site.submit("exit 0")[0]
        waiting = site.wait(handle, lambda one: one.message not in ("", poller.NOT_POLLED.message, "None"))
    finally:
        slurm.ask("scontrol", "update", "NodeName=n[1-4]", "State=RESUME")
    assert waiting.state is JobState.PENDING
    assert any(word in waiting.message for word in ("ReqNodeNotAvail", "Nodes required", "Resources"))
    assert site.wait(handle).state is JobState.DONE


def test_a_job_that_can_never_start_says_what_to_change(site: Site, slurm: Cluster) -> None:
    """Waiting would not help."""
    slurm.ask("scontrol", "update", "PartitionName=low", "MaxTime=1")
    try:
        handle = site.submit("exit 0", partition="low")[0]
        status = site.wait(handle, lambda one: "PartitionTimeLimit" in one.message)
    finally:
        slurm.ask("scontrol", "update", "PartitionName=low", "MaxTime=1440")
    assert status.state is JobState.PENDING
    assert "time_limit_s" in status.message


def test_a_job_that_someone_cancels_is_cancelled(site: Site, slurm: Cluster) -> None:
    """It did not fail."""
    handle = site.submit(RUNS)[0]
    site.wait(handle, lambda one: one.state is JobState.RUNNING)
    slurm.ask("scancel", number(handle))
    status = site.wait(handle)
    assert (status.state, status.native, status.reason) == (JobState.CANCELLED, "CANCELLED", Reason.INTERRUPTED)


def test_all_jobs_are_cancelled_at_once(site: Site) -> None:
    """Waiting and running ones; and again after they have ended."""
    handles = site.submit(*[RUNS] * 20)
    site.runner.cancel_all(handles)
    assert {site.wait(one).state for one in handles} == {JobState.CANCELLED}
    site.runner.cancel_all(handles)


def test_slurm_does_not_start_a_job_twice(site: Site, slurm: Cluster) -> None:
    """Jobs are submitted with --no-requeue."""
    handle = site.submit(RUNS)[0]
    site.wait(handle, lambda one: one.state is JobState.RUNNING)
    with pytest.raises(AssertionError, match="disabled"):
        slurm.ask("scontrol", "requeue", number(handle))


def test_a_preempted_job_is_interrupted(site: Site) -> None:
    """A state of its own, not a failure."""
    low = site.submit(RUNS, partition="low", exclusive=True, sbatch=["--nodelist=n2"])[0]
    site.wait(low, lambda status: status.state is JobState.RUNNING)
    high = site.submit("exit 0", partition="high", exclusive=True, sbatch=["--nodelist=n2"])[0]
    assert site.wait(high).state is JobState.DONE
    status = site.wait(low)
    assert (status.state, status.native, status.reason) == (JobState.FAILED, "PREEMPTED", Reason.INTERRUPTED)


def test_a_job_that_uses_too_much_memory_has_that_reason(site: Site) -> None:
    """If Slurm's state is FAILED, the reason is in its log. Also for one task of several."""
    hungry = "python3 -c 'import time; x = bytearray(300_000_000); time.sleep(1000)'"
    _, handle = site.submit("exit 0", hungry, sbatch=["--mem=50M"])
    status = site.wait(handle)
    assert (status.state, status.reason) == (JobState.FAILED, Reason.KERNEL)
    assert status.native in ("FAILED", "OUT_OF_MEMORY")  # without cgroups, and with
    assert "memory_gb" in status.message


def test_a_submitted_job_is_found_though_its_number_was_not_noted(site: Site) -> None:
    """By name in the queue; what was never submitted is not."""
    site.jobs_folder.mkdir(parents=True)
    jobs = site.jobs(RUNS, RUNS)
    more = site.jobs(RUNS)
    (request,) = site.runner.render_all(jobs, site.jobs_folder)
    handles = site.runner.submit_all(request, site.jobs_folder)
    assert SlurmRunner().find([*jobs, *more], site.jobs_folder) == handles


def test_a_refusal_of_slurm_is_reported_with_its_message(site: Site) -> None:
    """Nothing of it was started."""
    with pytest.raises(SubmitError, match=r"refused 001-here: .*partition"):
        site.submit("exit 0", partition="nowhere")


def test_without_slurm_the_message_says_what_to_do(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not a traceback."""
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(SubmitError, match=r"the command sbatch is missing: .*option host"):
            site.submit("exit 0")


def test_a_job_sees_what_the_site_sets_up(site: Site) -> None:
    """The lines of the set-up, then the variables, then the worker."""
    site.jobs_folder.mkdir(parents=True)
    message = 'echo "$A|$B" >"$(dirname "$3")/seen"'
    site.wait(site.submit(message, setup=["A=1; export A"], environment={"B": "two words $A"})[0])
    assert (site.jobs_folder / "001-here" / "seen").read_text() == "1|two words $A\n"


def test_a_missing_module_is_named(site: Site) -> None:
    """In the log, where the accounting of the job looks for it."""
    handle = site.submit("exit 0", modules=["no/such"])[0]
    assert site.wait(handle).exit == 78
    assert "the module no/such cannot be loaded" in (site.jobs_folder / "001-here" / "log").read_text()


def test_a_job_waits_until_a_slow_file_system_shows_its_file(site: Site, slurm: Cluster) -> None:
    """The job may start before its node sees what another machine wrote."""
    (handle,) = site.submit('cat "$3" >/dev/null', sbatch=["--hold"])
    file = site.jobs_folder / "001-here" / "job.json"
    hidden = file.rename(file.with_suffix(".hidden"))
    slurm.ask("scontrol", "release", number(handle))
    site.wait(handle, lambda one: one.state is JobState.RUNNING)
    time.sleep(1.5)
    assert site.runner.poll(handle).state is JobState.RUNNING
    hidden.rename(file)
    assert site.wait(handle).state is JobState.DONE


def test_the_second_of_two_workers_of_a_job_does_nothing(slurm: Cluster, tmp_path: Path) -> None:
    """As when a job was submitted twice, because a connection was lost in between."""
    runner = SlurmRunner()
    job = sample_job(tmp_path, runner="slurm", cases=1)
    folder = tmp_path / "jobs" / job.id
    request = runner.render(job, folder)
    handles = [runner.submit(request, folder), runner.submit(request, folder)]
    until(lambda: all(runner.poll(one).ended for one in handles), "the end of both", every_s=0.1)
    assert sorted(str(runner.poll(one).exit) for one in handles) == ["0", "4"]
    lines = (folder / "records.jsonl").read_bytes().splitlines()
    assert sum(line.startswith(b'{"type":"record"') for line in lines) == len(job.planned)
    found = runner.find([job], tmp_path / "jobs")
    assert [runner.poll(one).exit for one in found.values()] == [0]


def test_a_job_at_its_time_limit_is_a_timeout(overdue: tuple[Site, list[str]], slurm: Cluster) -> None:
    """And what is left of it can be measured again. The last test here, because Slurm takes its time."""
    site, handles = overdue
    status, obeyed = map(site.wait, handles)
    assert obeyed.state in (JobState.FAILED, JobState.TIMEOUT)  # as its end comes before or after Slurm looks
    assert obeyed.reason is Reason.INTERRUPTED
    assert "time limit" in obeyed.message
    assert (status.state, status.native, status.reason) == (JobState.TIMEOUT, "TIMEOUT", Reason.INTERRUPTED)
    assert "time_limit_s" in status.message
