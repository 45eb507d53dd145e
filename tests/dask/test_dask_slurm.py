"""Dask workers as jobs of a real Slurm: found by their name, waited for, and ended with the run whatever happens."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from daasbench.errors import MissingRequirement
from daasbench.measure.dask import slurm_cleanup, slurm_workers
from daasbench.measure.dask.options import ClusterOptions
from daasbench.model import Case, Outcome, Reason

from ..waiting import PATIENCE_S, left_of, until

SITE = 'cluster = "slurm"\ninterface = "lo"\npartition = "main"\nmemory = "{memory}"\nwait_s = {wait_s}\n{more}'
CASE = Case(kernel="k", implementation="dask", version="1", ranks=2, threads=4)


@pytest.fixture(autouse=True)
def jobqueue(needs: Callable[[str], None]) -> None:
    needs("dask_jobqueue")


def options(wait_s: float = 60, more: str = "", memory: str = "1GB") -> str:
    return SITE.format(wait_s=wait_s, more=more, memory=memory)


def queue(slurm: Any) -> list[str]:
    """Return the names of the jobs that live."""
    return list(slurm.ask("squeue", "--noheader", "--format", "%j").split())


def empties(slurm: Any) -> None:
    """Return when the queue is empty."""
    until(lambda: not queue(slurm), "an empty queue", every_s=0.2)


def guards() -> list[psutil.Process]:
    return [one for one in psutil.process_iter() if "daasbench.measure.dask.slurm_cleanup" in _command(one)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def test_two_kernels_are_measured_on_jobs_which_then_end(site: Any, slurm: Any) -> None:
    site.write(options(more='setup = ["export GREETING=hello"]'), azimuthal_integration=["dask"], xrf_mapping=["dask"])
    assert site.run() == 0
    records = site.records()
    assert len(records) == 2
    for record in records.values():
        assert record.outcome == Outcome.OK, record.message
        assert record.phases["queue"] >= 0
        assert record.phases["start"] > 0
        assert len({one.job for one in record.workers}) == 2
        assert all(one.job.isdigit() for one in record.workers)
        places = [(one.host, cpu) for one in record.workers for cpu in one.cpus]
        assert len(places) == len(set(places)) == 2
        assert record.settings["cluster"] == "slurm"
        assert record.settings["distributed.scheduler.allowed-failures"] == 0
        assert record.limits is None, "the limits of this node say nothing of others"
    assert not (site.folder / "preloaded").exists(), "the user's settings reached a worker"
    empties(slurm)


def test_a_worker_lost_in_mid_run_is_reported_with_its_state_in_slurm(site: Any, slurm: Any) -> None:
    site.write(options(), sleep_s=0.05, repeats=2000, sums=["worked"])
    controller = site.start()
    site.wait_for("round", controller)
    number = slurm.ask("squeue", "--noheader", "--format", "%i").split()[0]
    slurm.ask("scancel", number)
    controller.communicate(timeout=PATIENCE_S)
    record = site.record()
    assert (record.outcome, record.reason) == (Outcome.FAILED, Reason.INTERRUPTED)
    assert "one of 2, ended in the middle of its work" in record.message
    assert f"job {number} on" in record.message
    assert "state in Slurm CANCELLED" in record.message
    empties(slurm)


def test_a_worker_that_takes_more_memory_than_it_requested_is_reported(site: Any, slurm: Any) -> None:
    slurm_says = slurm.ask("scontrol", "show", "config")
    assert "OverMemoryKill" in slurm_says, "the cluster of the tests ends what takes too much"
    site.write(options(memory="100MB"), xrf_mapping=["dask"])
    assert site.run() in (1, 3)
    record = site.record()
    assert record.outcome == Outcome.FAILED
    assert "exceeded" in record.message.lower(), record.message


def test_a_full_queue_is_capacity_and_the_waiting_is_written_down(site: Any, slurm: Any) -> None:
    slurm.ask("sbatch", "--nodes=4", "--exclusive", "--job-name=somebody", "--output=/dev/null", "--wrap=sleep 1000")
    until(lambda: "R" in slurm.ask("squeue", "--noheader", "--format", "%t"), "somebody's job to run", every_s=0.1)
    site.write(options(wait_s=2), sums=["worked"])
    assert site.run() == 3, "the same command measures it later"
    record = site.record()
    assert (record.outcome, record.reason) == (Outcome.FAILED, Reason.CAPACITY)
    assert "0 of 2 Dask workers registered within 2 s; the states of their jobs in Slurm: 1 PENDING (" in record.message
    assert record.phases["queue"] >= 2
    until(lambda: queue(slurm) == ["somebody"], "the end of the jobs that waited", every_s=0.2)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ('directives = ["--nodelist=n99"]', "sbatch refused the jobs of the Dask workers: sbatch: error: "),
        ('python = "/bin/false"', "ended as FAILED before the worker had registered"),
    ],
)
def test_jobs_that_cannot_run_are_reported(site: Any, slurm: Any, more: str, sentence: str) -> None:
    site.write(options(more=more), sums=["worked"])
    assert site.run() == 3
    record = site.record()
    assert (record.outcome, record.reason) == (Outcome.FAILED, Reason.SCHEDULER), record.message
    assert sentence in record.message
    empties(slurm)


def test_a_kill_of_everything_leaves_no_job(
    site: Any,
    slurm: Any,
    kill_controller: Callable[..., list[psutil.Process]],
) -> None:
    site.write(options(), sleep_s=0.05, repeats=2000, sums=["worked"])
    controller = site.start()
    site.wait_for("round", controller)
    assert len(queue(slurm)) == 2
    assert all(name.startswith("daasbench-dask-") for name in queue(slurm))
    processes = kill_controller(controller)
    assert left_of(processes) == []
    empties(slurm)


def test_a_worker_without_its_scheduler_exits_also_if_the_cleanup_process_was_killed(
    site: Any, slurm: Any, kill_controller: Callable[..., list[psutil.Process]]
) -> None:
    site.write(options(), sleep_s=0.05, repeats=2000, sums=["worked"])
    controller = site.start()
    site.wait_for("round", controller)
    watching = [one for one in guards() if site_of(one) == str(slurm.folder)]
    assert len(watching) == 1
    watching[0].send_signal(signal.SIGKILL)
    kill_controller(controller)
    empties(slurm)


def site_of(process: psutil.Process) -> str:
    """Return the folder of the Slurm to which a process speaks."""
    return str(Path(process.environ().get("SLURM_CONF", "/")).parent)


def test_earlier_jobs_of_a_run_are_ended_before_new_ones_are_sent_and_no_others(slurm: Any) -> None:
    for name in ("daasbench-dask-run1-7", "daasbench-run1-001-a", "daasbench-dask-run2-7"):
        slurm.ask("sbatch", f"--job-name={name}", "--output=/dev/null", "--wrap=sleep 1000")
    slurm_workers.clear("daasbench-dask-run1-")
    assert sorted(queue(slurm)) == ["daasbench-dask-run2-7", "daasbench-run1-001-a"]
    assert slurm_cleanup.cancel("daasbench-dask-run2-7", give_up_s=PATIENCE_S)
    assert queue(slurm) == ["daasbench-run1-001-a"]


def test_the_cleanup_process_has_no_parent_and_acts_when_its_pipe_closes(slurm: Any) -> None:
    slurm.ask("sbatch", "--job-name=daasbench-dask-guarded", "--output=/dev/null", "--wrap=sleep 1000")
    held = slurm_cleanup.start_guard("daasbench-dask-guarded")
    (process,) = [one for one in guards() if "daasbench-dask-guarded" in _command(one)]
    assert process.ppid() != os.getpid()
    assert queue(slurm) == ["daasbench-dask-guarded"]
    os.close(held)
    empties(slurm)


# --- what is asked of Slurm, without one ----------------------------------------------------------------------


def script(folder: Path, **more: Any) -> str:
    """Return the script of a worker's job."""
    from dask_jobqueue.slurm import SLURMJob

    message = slurm_workers.arguments(
        CASE, ClusterOptions(cluster="slurm", **more), folder, "daasbench-dask-r-1", 600.0
    )
    message.pop("scheduler_options")
    return str(SLURMJob(scheduler="tcp://login1:8786", name="worker-0", **message).job_script())


def test_a_worker_books_its_threads_and_the_time_that_the_case_can_take(tmp_path: Path) -> None:
    text = script(tmp_path, partition="gpu", account="proposal7", memory="16GiB", directives=["--gres=gpu:1"])
    for line in ("-p gpu", "-A proposal7", "--cpus-per-task=4", "--mem=16G", "-t 00:21:00", "--gres=gpu:1"):
        assert f"#SBATCH {line}\n" in text
    assert "#SBATCH --no-requeue\n" in text
    assert "#SBATCH -J daasbench-dask-r-1\n" in text
    assert "#SBATCH --mem" not in script(tmp_path)
    command = text.splitlines()[-1]
    assert command.index("--nthreads 1 --memory-limit 0") > command.index("--nthreads 4")  # the last one counts
    assert "--no-nanny" in command


def test_site_lines_come_before_ours_so_that_none_changes_the_threads(tmp_path: Path) -> None:
    text = script(tmp_path, setup=["module load mkl", "export OMP_NUM_THREADS=64 DASK_X=1"])
    order = ["module load mkl", "OMP_NUM_THREADS=64", "unset ${!DASK_@}", "export OMP_NUM_THREADS=4", "dask_worker"]
    assert sorted(order, key=text.index) == order


def test_fewer_cores_than_threads_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        MissingRequirement, match="requests 2 cores per Dask worker, the case requests 4 threads; raise"
    ):
        script(tmp_path, cores=2)
    assert "--cpus-per-task=64" in script(tmp_path, cores=64)


@pytest.mark.parametrize(("seconds", "time"), [(1, "00:02:00"), (60, "00:02:00"), (61, "00:03:00"), (7200, "02:01:00")])
def test_times_are_booked_in_whole_minutes(seconds: float, time: str) -> None:
    assert slurm_workers.walltime(seconds) == time
