"""Contracts of runners: the tests that every runner must pass, fake or real."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec

from daasbench import registry
from daasbench.contracts import Queue, Runner
from daasbench.model import Case, Job, JobState, JobStatus, Outcome, Planned, Platform, Record, Repeat, digest
from daasbench.records.layout import JOB_FILE, JOBS_FOLDER, RECORDS_FILE

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
        repeat=Repeat(processes=1, min_repeats=2, max_repeats=2, limit_s=100.0),
        commit="0",
        sources={"frame_sums": str(source)},
    )


class RunnerContract:
    """Subclass it and set `make`, which returns a runner."""

    make: ClassVar[Callable[[], Runner]]
    timeout_s: ClassVar[float] = 200.0

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
        folder = tmp_path / JOBS_FOLDER / job.id
        assert runner.render(job, folder) == runner.render(job, folder)
        assert not folder.exists()

    def test_the_request_carries_the_whole_job(self, tmp_path: Path) -> None:
        """The node gets one JSON file."""
        runner = type(self).make()
        job = sample_job(tmp_path, runner=runner.name)
        request = runner.render(job, tmp_path / JOBS_FOLDER / job.id)
        assert msgspec.json.decode(request.files[JOB_FILE], type=Job) == job

    def test_a_job_ends_done_with_a_record_for_every_case(self, tmp_path: Path) -> None:
        """``records.jsonl`` can be fetched, also a second time."""
        runner = type(self).make()
        job = sample_job(tmp_path, runner=runner.name)
        folder = tmp_path / JOBS_FOLDER / job.id
        handle = runner.submit(runner.render(job, folder), folder)
        assert self._ended(runner, handle).state is JobState.DONE
        runner.fetch(handle, folder)
        runner.fetch(handle, folder)
        lines = (folder / RECORDS_FILE).read_bytes().splitlines()
        records = [msgspec.json.decode(line, type=Record) for line in lines if line.startswith(b'{"type":"record"')]
        assert {record.key for record in records} == {planned.key for planned in job.planned}
        assert {record.outcome for record in records} == {Outcome.OK}

    def test_a_cancelled_job_ends(self, tmp_path: Path) -> None:
        """All processes of the job end too."""
        runner = type(self).make()
        job = sample_job(tmp_path, runner=runner.name, sleep_s=5.0)
        folder = tmp_path / JOBS_FOLDER / job.id
        handle = runner.submit(runner.render(job, folder), folder)
        assert not runner.poll(handle).ended
        runner.cancel(handle)
        assert self._ended(runner, handle).state is not JobState.DONE

    def test_an_unknown_handle_is_lost_and_no_crash(self) -> None:
        """An unknown native state is LOST."""
        runner = type(self).make()
        assert runner.poll(f"{runner.name}:999999999").state is JobState.LOST


class QueueContract(RunnerContract):
    """Subclass it for a runner whose jobs continue when their controller ends."""

    make: ClassVar[Callable[[], Queue]]

    def _again(self, queue: Queue) -> Queue:  # noqa: ARG002  (a fake has no scheduler of its own)
        """Return the runner of a later controller: another object for the same platform."""
        return type(self).make()

    def _jobs(self, queue: Queue, folder: Path, count: int = 2, *, sleep_s: float = 0.0) -> list[Job]:
        whole = sample_job(folder, runner=queue.name, cases=count, sleep_s=sleep_s)
        return [
            msgspec.structs.replace(whole, id=f"{number:03d}-here", run=f"run-{folder.name}", planned=[planned])
            for number, planned in enumerate(whole.planned, 1)
        ]

    def _send(self, queue: Queue, jobs: Sequence[Job], folder: Path) -> dict[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        handles: dict[str, str] = {}
        for request in queue.render_all(jobs, folder):
            handles |= queue.submit_all(request, folder)
        return handles

    def test_a_split_holds_every_case_once_and_divides_no_comparison(self, tmp_path: Path) -> None:
        """The cases of one comparison alternate on one node."""
        queue = type(self).make()
        job = sample_job(tmp_path, runner=queue.name, cases=3)
        beside = [
            msgspec.structs.replace(
                one, key=f"{one.key}-2", case=msgspec.structs.replace(one.case, implementation="other")
            )
            for one in job.planned
        ]
        parts = queue.split(msgspec.structs.replace(job, planned=[*job.planned, *beside]))
        assert sorted(one.key for part in parts for one in part.planned) == sorted(
            one.key for one in [*job.planned, *beside]
        )
        problems = [{one.case.problem_id for one in part.planned} for part in parts]
        assert sum(map(len, problems)) == len(set().union(*problems)) == 3

    def test_every_job_is_in_one_request(self, tmp_path: Path) -> None:
        """Rendering writes nothing."""
        queue = type(self).make()
        jobs = self._jobs(queue, tmp_path)
        folder = tmp_path / JOBS_FOLDER
        requests = queue.render_all(jobs, folder)
        assert sorted(name for request in requests for name in request.jobs) == [job.id for job in jobs]
        assert requests == queue.render_all(jobs, folder)
        assert not folder.exists()

    def test_what_was_sent_is_found_by_another_controller_and_nothing_else_is(self, tmp_path: Path) -> None:
        """A job is found even if its handle was never noted; each job has its own records."""
        queue = type(self).make()
        *sent, never = self._jobs(queue, tmp_path, 3)
        folder = tmp_path / JOBS_FOLDER
        handles = self._send(queue, sent, folder)
        later = self._again(queue)
        assert later.find([*sent, never], folder) == handles
        for job in sent:
            assert self._ended(later, handles[job.id]).state is JobState.DONE
            later.fetch(handles[job.id], folder / job.id)
            lines = (folder / job.id / RECORDS_FILE).read_bytes().splitlines()
            records = [msgspec.json.decode(line, type=Record) for line in lines if line.startswith(b'{"type":"record"')]
            assert [(record.key, record.outcome) for record in records] == [(job.planned[0].key, Outcome.OK)]

    def test_jobs_are_cancelled_together(self, tmp_path: Path) -> None:
        """By the controller that sent them, or by a later controller."""
        queue = type(self).make()
        jobs = self._jobs(queue, tmp_path, sleep_s=5.0)
        handles = self._send(queue, jobs, tmp_path / JOBS_FOLDER)
        later = self._again(queue)
        later.cancel_all(list(handles.values()))
        assert {self._ended(later, handle).state for handle in handles.values()} == {JobState.CANCELLED}
