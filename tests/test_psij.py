"""The runner of psij: what it would send, and jobs on this machine and on a real Slurm."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import psutil
import pytest
from daasbench.runners.psij import PsijRunner, runner, schedulers
from daasbench.runners.psij.specification import Specification, specification, split, unique_name

from daasbench.errors import ScenarioError, SubmitError, Unreachable
from daasbench.inspection import Level
from daasbench.model import Case, Job, JobState, JobStatus, Outcome, Planned, Platform, Reason, Record, Request
from daasbench.testing import RunnerContract
from daasbench.testing.runners import sample_job
from daasbench.worker import CLAIM, ENDED

LOCAL = {"executor": "local"}
pytestmark = pytest.mark.filterwarnings(  # psij's executor `local` closes no pipe
    "ignore:.*FileIO.*:pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


def planned(problem: str = "small", **axes: int) -> Planned:
    """Return a case of some shape."""
    case = Case(kernel="k", implementation="i", version="1", size=problem, **axes)
    return Planned(key=case.id, case=case, process=0)


def job_of(*cases: Planned, **options: object) -> Job:
    """Return a job of some cases."""
    from daasbench.model import Repeat

    return Job(
        id="001-site",
        run="2026-11-23-a",
        platform_name="site",
        platform=Platform(runner="psij", options={"executor": "slurm", **options}),
        planned=list(cases) or [planned()],
        repeat=Repeat(processes=1, limit_s=20),
        commit="0",
    )


def real_job(folder: Path, *, sleep_s: float = 0.0, name: str = "001-here", **options: object) -> Job:
    """Return a job of two quick cases for an executor."""
    job = sample_job(folder, runner="psij", sleep_s=sleep_s)
    declared = Platform(runner="psij", options={**LOCAL, **options})
    return msgspec.structs.replace(job, id=name, platform=declared, run=f"run-{folder.name}")


def until(true: Callable[[], bool], what: str, limit_s: float = 30.0) -> None:
    """Return when something is so."""
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end, f"{what} did not come within {limit_s} s"
        time.sleep(0.02)


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


# --- options --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "executor: is required"),
        ({"executor": "slrum"}, "options.executor: expected"),
        ({"executor": "pbs", "partition": "gpu"}, "no option of the runner psij 'partition'"),
        ({"executor": "pbs", "queue": "two words"}, "options.queue: expected a word"),
        ({"executor": "pbs", "setup": "module load x"}, "options.setup: expected a list"),
        ({"executor": "pbs", "limit_s": 0}, "options.limit_s"),
        ({"executor": "pbs", "launcher": "srun -n {rank}"}, "no word in braces 'rank'"),
    ],
)
def test_a_wrong_option_is_refused_by_file_and_key(options: dict[str, object], told: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        PsijRunner().check(options, "p.toml: options")
    assert str(refused.value).startswith("p.toml: ")
    assert told in str(refused.value)


def test_options_are_checked_and_rendered_without_psij(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(name: str) -> None:
        assert name == "psij"

    monkeypatch.setattr("importlib.util.find_spec", absent)
    queue, job = PsijRunner(), job_of(executor="pbs")
    queue.check(job.platform.options, "p.toml: options")
    [request] = queue.render_all([job], tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "psij", None)
    with pytest.raises(SubmitError, match=r"psij-python is not installed; install it: pip install 'daasbench\[psij\]'"):
        queue.submit_all(request, tmp_path)


# --- what would be sent ---------------------------------------------------------------------------------------


def test_what_would_be_sent_is_the_whole_of_it(tmp_path: Path) -> None:
    job = job_of(
        planned(ranks=4, threads=2, gpus=4), queue="gpu", account="a1", setup=["module load cuda"], python="/sw/python"
    )
    [request] = PsijRunner().render_all([job], tmp_path)
    folder = tmp_path / job.id
    assert sorted(request.files) == [f"{job.id}/{name}" for name in ("job.json", "job.sh", "psij.json")]
    assert msgspec.json.decode(request.files[f"{job.id}/job.json"], type=Job) == job
    assert request.files[f"{job.id}/job.sh"].splitlines() == [
        "#!/bin/bash",
        "# job 001-site of run 2026-11-23-a",
        f"exec >>{folder}/log 2>&1",
        "module load cuda",
        f'exec /sw/python -m daasbench.worker {folder}/job.json --claim "slurm:$SLURM_JOB_ID"',
    ]
    asked = msgspec.json.decode(request.files[f"{job.id}/psij.json"], type=Specification)
    assert (asked.nodes, asked.processes, asked.cores, asked.gpus) == (1, 4, 2, 1)
    assert (asked.queue, asked.account) == ("gpu", "a1")
    assert asked.duration_s % 60 == 0
    assert request.text.count("module load cuda") == 1
    assert not folder.exists()


@pytest.mark.parametrize(
    ("executor", "processes", "cores"),
    [("slurm", 3, 2), ("pbs", 6, 1), ("pbs_classic", 6, 1), ("lsf", 6, 1), ("cobalt", 6, 1), ("flux", 1, 6)],
)
def test_every_scheduler_is_asked_for_the_cores_of_a_node(executor: str, processes: int, cores: int) -> None:
    asked = specification(job_of(planned(ranks=6, threads=2, nodes=2), executor=executor), Path("/jobs/1"))
    assert (asked.nodes, asked.processes, asked.cores) == (2, processes, cores)


@pytest.mark.parametrize(
    ("executor", "directive"), [("slurm", "job-name"), ("pbs", "N"), ("lsf", "J"), ("cobalt", "jobname")]
)
def test_a_job_has_a_name_by_which_it_is_found(executor: str, directive: str) -> None:
    asked = specification(job_of(executor=executor), Path("/jobs/1"))
    assert asked.attributes == {directive: "daasbench-2026-11-23-a-001-site"}


def test_a_worker_starts_in_the_container_that_the_platform_names(tmp_path: Path) -> None:
    job = job_of(container={"engine": "bwrap"})
    [request] = PsijRunner().render_all([job], tmp_path)
    last = request.files[f"{job.id}/job.sh"].splitlines()[-1]
    assert last.startswith("exec bwrap ")
    assert last.endswith('--claim "slurm:$SLURM_JOB_ID"')


def test_the_time_asked_for_is_never_above_that_of_the_queue() -> None:
    long = specification(job_of(), Path("/jobs/1")).duration_s
    assert specification(job_of(limit_s=120), Path("/jobs/1")).duration_s == 120
    assert specification(job_of(limit_s=10 * long), Path("/jobs/1")).duration_s == long


def test_a_job_is_split_by_shape_and_no_comparison_is() -> None:
    wide, narrow = planned("a", threads=8), planned("a", threads=1)  # contenders of one problem
    other, gpu = planned("b", threads=8), planned("c", gpus=1)
    parts = split(job_of(wide, other, narrow, gpu))
    assert [[one.case.size for one in part.planned] for part in parts] == [["a", "a", "b"], ["c"]]


@pytest.mark.parametrize("executor", ["slurm", "pbs", "pbs_classic", "lsf", "cobalt"])
def test_psij_writes_the_script_that_is_meant(
    queue: PsijRunner, executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of schedulers that are not here: psij's own script for our specification."""
    sent: list[str] = []

    def submits(self: object, command: list[str]) -> str:
        sent.append(Path(command[-1]).read_text())
        return "Job <1017> is submitted\n" if executor == "lsf" else "1017\n"

    monkeypatch.setattr(schedulers, "require_scheduler", lambda name: None)
    speaker = queue._schedulers.executor(executor, tmp_path)
    monkeypatch.setattr(type(speaker), "_run_command", submits)
    monkeypatch.setattr(speaker._queue_poll_thread, "register_job", lambda job: None)
    job = job_of(
        planned(ranks=3, threads=2, nodes=2), executor=executor, queue="fast", attributes={"x": "y"}, limit_s=120
    )
    [request] = queue.render_all([job], tmp_path)
    handle = queue.submit_all(request, tmp_path)[job.id]
    assert handle == f"psij://{executor}/1017#{tmp_path}/{job.id}"
    wanted = {
        "slurm": ["--nodes=2", "--ntasks=4", "--cpus-per-task=2", '--partition="fast"', '--x="y"', "--time=0:2:0"],
        "pbs": ["select=2:ncpus=4", "-q fast", '-x "y"', "walltime=0:2:0", f'-N "{unique_name(job)}"'],
        "pbs_classic": ["nodes=2:ppn=4", "-q fast", '-x "y"', "walltime=0:2:0"],
        "lsf": ["-nnodes 2", "-n 8", '-q "fast"', '-x "y"', "-W 0:2", f'-J "{unique_name(job)}"'],
        "cobalt": ["--nodecount=2", "--proccount=8", "--queue=fast", '--x="y"', f'--jobname="{unique_name(job)}"'],
    }[executor]
    assert [word for word in wanted if word not in sent[0]] == []
    assert f"{tmp_path}/{job.id}/job.sh" in sent[0]


# --- what psij says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "message", "exit", "state", "reason"),
    [
        ("QUEUED", None, None, JobState.PENDING, None),
        ("ACTIVE", None, None, JobState.RUNNING, None),
        ("COMPLETED", None, 0, JobState.DONE, None),
        ("FAILED", None, 3, JobState.FAILED, Reason.HARNESS),
        ("FAILED", None, 137, JobState.FAILED, Reason.INTERRUPTED),
        ("FAILED", "A node required by the job is down.", None, JobState.FAILED, Reason.INTERRUPTED),
        ("FAILED", "The job exhausted its time limit.", None, JobState.TIMEOUT, Reason.SCHEDULER),
        ("CANCELED", None, None, JobState.CANCELLED, Reason.INTERRUPTED),
        ("HIBERNATED", None, None, JobState.LOST, Reason.INTERRUPTED),
    ],
)
def test_every_word_of_psij_has_its_meaning_and_is_kept(
    word: str, message: str | None, exit: int | None, state: JobState, reason: Reason | None
) -> None:
    seen = SimpleNamespace(state=SimpleNamespace(name=word), message=message, exit_code=exit)
    status = runner.translated(seen)
    assert (status.state, status.reason, status.native) == (state, reason, word)
    assert status.message or state in (JobState.PENDING, JobState.RUNNING, JobState.DONE)


def test_the_table_has_every_state_of_psij(queue: PsijRunner) -> None:
    import psij

    assert {one.name for one in psij.JobState} - {"NEW"} == set(runner.STATES)


@pytest.mark.parametrize("text", ["psij:999", "slurm:///1_2", "psij://slurm/12", "psij://#/x", ""])
def test_a_handle_of_another_is_lost_and_no_crash(text: str) -> None:
    assert PsijRunner().poll(text).state is JobState.LOST


@pytest.mark.parametrize(
    "text", ["psij://slurm/12#/a/jobs/001-x", "psij://pbs/12.head.site#/a b/001-x", "psij://n1@local/77#/a/001-x"]
)
def test_a_handle_is_read_as_it_was_written(text: str) -> None:
    assert str(runner.read_handle(text)) == text


def test_psij_that_lost_touch_is_no_failure_of_the_job(
    queue: PsijRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """psij fails all jobs when its own question fails; the job goes on, and is asked for anew."""
    monkeypatch.setattr(schedulers, "require_scheduler", lambda name: None)
    monkeypatch.setattr(schedulers, "FIRST_ASK_S", 0.05)
    replies: list[object] = [FileNotFoundError("squeue"), "JOBID ST REASON\n17 R None\n"]

    def asks(self: object, command: list[str]) -> str:
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        return str(reply)

    speaker = queue._schedulers.executor("slurm", tmp_path)
    monkeypatch.setattr(type(speaker), "_run_command", asks)
    speaker.config.queue_polling_interval = 0.05
    handle = f"psij://slurm/17#{tmp_path}/001-x"
    seen = set()

    def runs() -> bool:
        queue._schedulers.ask_every(0.05)
        status = queue.poll(handle)
        seen.add(status.state)
        return status.state is JobState.RUNNING and not status.message

    until(runs, "the second answer")
    assert seen == {JobState.PENDING, JobState.RUNNING}


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


def test_a_job_that_was_killed_is_lost_and_told(queue: PsijRunner, tmp_path: Path, brief: None) -> None:
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


def test_a_process_of_another_machine_is_left_to_it(tmp_path: Path) -> None:
    status = PsijRunner().poll(f"psij://elsewhere@local/1#{tmp_path}/001-x")
    assert status.state is JobState.RUNNING
    assert status.message == "it was started on elsewhere: look from there"


def test_looks_become_rarer_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = PsijRunner()
    assert queue.every_s == 1.0
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now + 100)
    assert queue.every_s == pytest.approx(10, abs=0.5)
    monkeypatch.setattr("time.monotonic", lambda: now + 3600)
    assert queue.every_s == 30.0


def test_a_scheduler_that_is_not_here_is_told_with_its_cure(
    queue: PsijRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    job = job_of(executor="pbs")
    [request] = queue.render_all([job], tmp_path)
    with pytest.raises(SubmitError, match="pbs is not here: there is no qsub; load its module"):
        queue.submit_all(request, tmp_path)
    findings = {one.about: one for one in queue.inspect(job.platform, tmp_path)}
    assert findings["scheduler"].level is Level.WRONG
    assert findings["psij"].level is Level.OK
    with pytest.raises(Unreachable, match="pbs cannot be asked for 17"):
        queue.poll(f"psij://pbs/17#{tmp_path}/001-x")


# --- on a real Slurm ------------------------------------------------------------------------------------------


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


def test_a_slurm_that_does_not_answer_leaves_it_open_what_arrived(
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
        with pytest.raises(Unreachable, match="did not answer when a job was sent"):
            site.submit_all(site.render_all([job], jobs)[0], jobs)
        with pytest.raises(Unreachable, match="Unable to contact slurm controller"):
            site.find([job], jobs)


def test_a_job_that_slurm_has_forgotten_and_that_left_no_word_is_lost(
    site: PsijRunner, slurm, tmp_path: Path, brief: None
) -> None:
    status = ended(site, f"psij://slurm/999999#{tmp_path}/jobs/001-x")
    assert (status.state, status.native) == (JobState.LOST, "COMPLETED")
    assert "left no word" in status.message


def test_the_end_of_a_job_is_read_from_its_folder_when_slurm_has_forgotten_it(site: PsijRunner, tmp_path: Path) -> None:
    place = tmp_path / "jobs" / "001-x"
    place.mkdir(parents=True)
    (place / ENDED).write_text('{"at":"2026-11-23T01:00:00.000Z","exit":3}')
    status = site.poll(f"psij://slurm/999999#{place}")
    assert (status.state, status.exit, status.reason) == (JobState.FAILED, 3, Reason.HARNESS)
