"""The runner on a real Slurm of four virtual nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from daasbench.runners.slurm import SlurmRunner
from daasbench.runners.slurm.render import LAUNCHER

from daasbench.model import JobState
from daasbench.testing import QueueContract

if TYPE_CHECKING:
    from .conftest import Site


@pytest.mark.usefixtures("slurm")
class TestSlurmRunner(QueueContract):
    """The contract of every queue."""

    make = SlurmRunner


def test_each_of_two_ranks_finds_a_gpu_and_another_job_s_are_not_among_them(site: Site) -> None:
    """Slurm names a job's GPUs in CUDA_VISIBLE_DEVICES; srun shows all of a node's to all ranks there."""
    site.jobs_folder.mkdir(parents=True)
    says = """bash -c 'echo "$CUDA_VISIBLE_DEVICES"' >"$(dirname "$3")"/seen"""
    both = "until [ -s 002-here/seen -a -s 003-here/seen ]; do sleep 0.1; done"  # each keeps its GPU so long
    waits = f"{says}; cd '{site.jobs_folder}'; {both}"
    srun = LAUNCHER.format(nodes=1, ranks=2, threads=1)
    jobs = site.jobs(f"{srun} {says}", sbatch=["--nodelist=n2"]) + site.jobs(waits, waits, sbatch=["--nodelist=n1"])
    assert [job.id for job in jobs] == ["001-here", "002-here", "003-here"]
    handles: dict[str, str] = {}
    for job, ranks in zip(jobs, (2, 1, 1), strict=True):
        (one,) = job.planned
        case = msgspec.structs.replace(one.case, ranks=ranks, gpus=1)
        asks = msgspec.structs.replace(job, planned=[msgspec.structs.replace(one, case=case)])
        (request,) = site.runner.render_all([asks], site.jobs_folder)
        handles |= site.runner.submit_all(request, site.jobs_folder)
    assert {site.wait(one).state for one in handles.values()} == {JobState.DONE}
    two, first, second = ((site.jobs_folder / name / "seen").read_text().split() for name in handles)
    assert two == ["0,1", "0,1"]
    assert sorted(first + second) == ["0", "1"]


def test_a_rank_that_dies_ends_those_that_wait_for_it(site: Site) -> None:
    """srun is told to end a step as soon as one of its ranks is bad: the job does not hang until its time limit."""
    srun = LAUNCHER.format(nodes=1, ranks=2, threads=1)
    site.jobs_folder.mkdir(parents=True)
    (job,) = site.jobs(f"{srun} bash -c '[ $SLURM_PROCID = 0 ] && kill -KILL $$; sleep 1000'")
    (one,) = job.planned
    two = msgspec.structs.replace(one, case=msgspec.structs.replace(one.case, ranks=2))
    (request,) = site.runner.render_all([msgspec.structs.replace(job, planned=[two])], site.jobs_folder)
    (handle,) = site.runner.submit_all(request, site.jobs_folder).values()
    status = site.wait(handle)
    assert status.state is JobState.FAILED
    assert status.exit in (137, 143)  # of the rank that died, or of the one that was ended
