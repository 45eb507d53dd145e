"""Jobs that behave as they are told, on the real Slurm of the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from daasbench.runners.slurm import SlurmRunner

from daasbench.model import Job, JobStatus, Option
from daasbench.testing.runners import sample_job

from ..waiting import until


def number(handle: str) -> str:
    """Return Slurm's own name of a job."""
    return urlsplit(handle).path.removeprefix("/")


class Site:
    """Submits jobs whose interpreter is a script that does what stands in the job's folder.

    Each job is given by a line of shell: ``exit 3``, ``sleep 60``.
    """

    def __init__(self, folder: Path, runner: SlurmRunner) -> None:
        self.jobs_folder, self.runner = folder / "results of a run" / "jobs", runner
        self.python = folder / "pretend"
        self.python.write_text('#!/bin/bash\n. "$(dirname "$3")/behaviour"\n')
        self.python.chmod(0o755)
        self._sample = sample_job(folder, runner="slurm", cases=1)
        self._count = 0

    def jobs(self, *behaviours: str, **options: Option) -> list[Job]:
        """Return jobs that shall behave like that; nothing is submitted."""
        jobs = []
        platform = msgspec.structs.replace(
            self._sample.platform, options={"python": str(self.python), "time_limit_s": 600, **options}
        )
        for behaviour in behaviours:
            self._count += 1
            name = f"{self._count:03d}-here"
            (self.jobs_folder / name).mkdir(parents=True)
            (self.jobs_folder / name / "behaviour").write_text(behaviour + "\n")
            run = self.jobs_folder.parent.parent.name
            jobs.append(msgspec.structs.replace(self._sample, id=name, run=run, platform=platform))
        return jobs

    def submit(self, *behaviours: str, **options: Option) -> list[str]:
        """Return the handles of jobs that were submitted, in order."""
        jobs = self.jobs(*behaviours, **options)
        handles: dict[str, str] = {}
        for request in self.runner.render_all(jobs, self.jobs_folder):
            handles |= self.runner.submit_all(request, self.jobs_folder)
        return [handles[job.id] for job in jobs]

    def wait(self, handle: str, true: Callable[[JobStatus], bool] = lambda status: status.ended) -> JobStatus:
        """Return the first status of a job that is as wanted."""

        def wanted() -> JobStatus | None:
            status = self.runner.poll(handle)
            if true(status):
                return status
            assert not status.ended, status
            return None

        return until(wanted, f"what is wanted of {handle}", every_s=0.1)


@pytest.fixture
def site(slurm: object, tmp_path: Path) -> Site:
    """Return the real cluster as the runner sees it; its grace for forgotten jobs is short."""
    return Site(tmp_path, SlurmRunner(grace_s=1.0))
