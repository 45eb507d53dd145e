"""A slurmctld that dies, hangs or forgets: its jobs continue, and are known again."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from daasbench.runners.slurm import SlurmRunner, poller

from daasbench.model import JobState, Reason

from ..waiting import until

if TYPE_CHECKING:
    from ..conftest import Cluster
    from .conftest import Site

RUNS = "sleep 1000"


def test_a_job_outlives_its_slurmctld(
    site: Site, slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nobody answers, the last that was known is told, and why."""
    monkeypatch.setattr(poller, "ANSWER_S", 1.0)
    go = tmp_path / "go"
    handle = site.submit(f"until [ -e '{go}' ]; do sleep 0.1; done")[0]
    site.wait(handle, lambda one: one.state is JobState.RUNNING)
    slurm.ask("scontrol", "shutdown", "slurmctld")
    silent = site.wait(handle, lambda one: "does not answer" in one.message)
    assert silent.state is JobState.RUNNING
    slurm.do("revive", "slurmctld")
    go.touch()
    assert site.wait(handle).state is JobState.DONE


def test_a_slurmctld_that_hangs_is_not_waited_for(site: Site, slurm: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller goes on, and asks again."""
    monkeypatch.setattr(poller, "ANSWER_S", 1.0)
    handle = site.submit(RUNS)[0]
    site.wait(handle, lambda one: one.state is JobState.RUNNING)
    pid = int((slurm.folder / "slurmctld.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        silent = site.wait(handle, lambda one: "does not answer" in one.message)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert silent.state is JobState.RUNNING
    assert site.wait(handle, lambda one: one.message == "").state is JobState.RUNNING


def test_the_end_of_a_job_that_slurm_no_longer_knows_is_read_from_its_folder(site: Site, slurm: Cluster) -> None:
    """Slurm forgets jobs that ended (here: all, at once); their folders do not."""
    says = 'echo "{\\"at\\": \\"2026-01-01T00:00:00.000Z\\", \\"exit\\": %d}" >"$(dirname "$3")/ended.json"; exit 0'
    wrote, failed, silent = site.submit(says % 0, says % 3, "exit 0")
    until(lambda: not slurm.ask("squeue", "-h"), "an empty queue", every_s=0.1)
    slurm.do("kill", "slurmctld")
    slurm.do("revive", "slurmctld", "-c")
    assert (site.wait(wrote).state, site.wait(wrote).exit) == (JobState.DONE, 0)
    assert (site.wait(failed).state, site.wait(failed).exit) == (JobState.FAILED, 3)
    lost = site.wait(silent)
    assert (lost.state, lost.reason) == (JobState.LOST, Reason.INTERRUPTED)


def test_an_ended_job_that_slurm_no_longer_knows_is_found_by_its_claim(site: Site, slurm: Cluster) -> None:
    """The worker's claim names the job."""
    jobs = site.jobs('echo -n "$5" >"$(dirname "$3")/claim"')
    (request,) = site.runner.render_all(jobs, site.jobs_folder)
    handles = site.runner.submit_all(request, site.jobs_folder)
    site.wait(handles[jobs[0].id])
    slurm.do("kill", "slurmctld")
    slurm.do("revive", "slurmctld", "-c")
    assert SlurmRunner().find(jobs, site.jobs_folder) == handles
