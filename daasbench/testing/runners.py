"""What every runner must keep, whether it is a fake or the real thing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import msgspec

from daasbench import registry
from daasbench.contracts import Runner
from daasbench.model import Case, Job, JobState, JobStatus, Outcome, Planned, Platform, Record, Repeat, digest

KERNEL = '''
import time
from daasbench import kernel

@kernel(unit="frame", oracle=lambda inputs, got: abs(got["total"] - inputs["frames"].sum()), tolerance=0.5)
def frame_sums(inputs):
    """Sum of frames."""
    time.sleep({sleep_s})
    return {{"total": inputs["frames"].sum()}}

@frame_sums.inputs(tiny={{"n": 2}})
def frames(n, rng):
    return {{"frames": rng.poisson(3, (n, 8, 8)).astype("u4")}}
'''


def sample_job(folder: Path, *, runner: str, cases: int = 2, sleep_s: float = 0.0) -> Job:
    """Return a job of a few quick cases of a kernel in a Python file that is written into `folder`."""
    source = folder / "frame_sums.py"
    source.write_text(KERNEL.format(sleep_s=sleep_s))
    version = registry.version_of(registry.kernel_from_file(source).implementations["numpy"], source)
    planned = []
    for seed in range(cases):
        case = Case(kernel="frame_sums", implementation="numpy", version=version, size="tiny", seed=seed, cache=True)
        planned.append(Planned(key=digest([case.id, "here"]), case=case, process=0))
    return Job(
        id="001-here",
        run="a-run",
        platform_name="here",
        platform=Platform(runner=runner),
        planned=planned,
        repeat=Repeat(processes=1, min_repeats=2, max_repeats=2, limit_s=20.0),
        commit="0",
        sources={"frame_sums": str(source)},
    )


class RunnerContract:
    """Subclass it and set `make`, which returns a runner."""

    make: ClassVar[Callable[[], Runner]]
    timeout_s: ClassVar[float] = 60.0

    def _ended(self, runner: Runner, handle: str) -> JobStatus:
        end = time.monotonic() + self.timeout_s
        while not (status := runner.poll(handle)).ended:
            assert time.monotonic() < end, f"{handle} did not end within {self.timeout_s} s"
            time.sleep(0.02)
        return status

    def test_rendering_is_pure(self, tmp_path: Path) -> None:
        """The same job gives the same request, and nothing is written."""
        runner = type(self).make()
        job = sample_job(tmp_path, runner=runner.name)
        folder = tmp_path / "jobs" / job.id
        assert runner.render(job, folder) == runner.render(job, folder)
        assert not folder.exists()

    def test_the_request_carries_the_whole_job(self, tmp_path: Path) -> None:
        """One JSON file goes into a node."""
        runner = type(self).make()
        job = sample_job(tmp_path, runner=runner.name)
        request = runner.render(job, tmp_path / "jobs" / job.id)
        assert msgspec.json.decode(request.files["job.json"], type=Job) == job

    def test_a_job_ends_done_with_a_record_for_every_case(self, tmp_path: Path) -> None:
        """``records.jsonl`` comes out, also when it is fetched twice."""
        runner = type(self).make()
        job = sample_job(tmp_path, runner=runner.name)
        folder = tmp_path / "jobs" / job.id
        handle = runner.submit(runner.render(job, folder), folder)
        assert self._ended(runner, handle).state is JobState.DONE
        runner.fetch(handle, folder)
        runner.fetch(handle, folder)
        lines = (folder / "records.jsonl").read_bytes().splitlines()
        records = [msgspec.json.decode(one, type=Record) for one in lines if one.startswith(b'{"type":"record"')]
        assert {one.key for one in records} == {one.key for one in job.planned}
        assert {one.outcome for one in records} == {Outcome.OK}

    def test_a_cancelled_job_ends(self, tmp_path: Path) -> None:
        """And what it started ends with it."""
        runner = type(self).make()
        job = sample_job(tmp_path, runner=runner.name, sleep_s=5.0)
        folder = tmp_path / "jobs" / job.id
        handle = runner.submit(runner.render(job, folder), folder)
        assert not runner.poll(handle).ended
        runner.cancel(handle)
        assert self._ended(runner, handle).state is not JobState.DONE

    def test_an_unknown_handle_is_lost_and_no_crash(self) -> None:
        """A native word that nobody knows is LOST."""
        runner = type(self).make()
        assert runner.poll(f"{runner.name}:999999999").state is JobState.LOST
