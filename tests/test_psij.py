"""The runner of psij: what it would send, and jobs on this machine and on a real Slurm."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from daasbench.runners.psij import PsijRunner, handle, schedulers, states
from daasbench.runners.psij.specification import Specification, specification, split, unique_name

from daasbench.errors import ScenarioError, SubmitError
from daasbench.model import Case, Job, JobState, Planned, Platform, Reason

from .waiting import PATIENCE_S, until

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


@pytest.fixture
def queue(needs) -> Iterator[PsijRunner]:
    """Return a new runner; psij is there."""
    needs("psij")
    yield PsijRunner()
    gc.collect()  # psij's threads end with the objects that they serve


# --- options --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
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
def test_a_wrong_option_is_refused_by_file_and_key(options: dict[str, object], message: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        PsijRunner().check(options, "p.toml: options")
    assert str(refused.value).startswith("p.toml: ")
    assert message in str(refused.value)


def test_options_are_checked_and_rendered_without_psij(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(name: str) -> None:
        assert name == "psij"

    monkeypatch.setattr("importlib.util.find_spec", absent)
    queue, job = PsijRunner(), job_of(executor="pbs")
    queue.check(job.platform.options, "p.toml: options")
    [request] = queue.render_all([job], tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "psij", None)
    with pytest.raises(SubmitError, match=r"psij-python is not installed; install it: .* -m pip install .*\[psij\]"):
        queue.submit_all(request, tmp_path)


# --- what would be sent ---------------------------------------------------------------------------------------


def test_a_request_holds_all_that_would_be_sent(tmp_path: Path) -> None:
    job = job_of(
        planned(ranks=4, threads=2, gpus=1), queue="gpu", account="a1", setup=["module load cuda"], python="/sw/python"
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
def test_every_scheduler_is_given_the_cores_per_node(executor: str, processes: int, cores: int) -> None:
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


@pytest.mark.parametrize(
    ("declared", "wanted"), [({}, None), ({"memory_gb": 64}, 64e9), ({"memory_gb": 64, "cores_per_node": 16}, 8e9)]
)
def test_a_job_asks_for_its_share_of_a_nodes_memory(declared: dict[str, float], wanted: float | None) -> None:
    job = job_of(planned(threads=2))
    job = msgspec.structs.replace(job, platform=msgspec.structs.replace(job.platform, **declared))
    assert specification(job, Path("/jobs/1")).memory_bytes == wanted


def test_the_time_asked_for_is_never_above_that_of_the_queue() -> None:
    long = specification(job_of(), Path("/jobs/1")).duration_s
    assert specification(job_of(limit_s=120), Path("/jobs/1")).duration_s == 120
    assert specification(job_of(limit_s=10 * long), Path("/jobs/1")).duration_s == long


def test_a_job_is_split_by_shape_and_no_comparison_is() -> None:
    wide, narrow = planned("a", threads=8), planned("a", threads=1)  # implementations of one problem
    other, gpu = planned("b", threads=8), planned("c", gpus=1)
    parts = split(job_of(wide, other, narrow, gpu))
    assert [[one.case.size for one in part.planned] for part in parts] == [["a", "a", "b"], ["c"]]


@pytest.mark.parametrize("executor", ["slurm", "pbs", "pbs_classic", "lsf", "cobalt"])
def test_psij_writes_the_script_that_our_specification_means(
    queue: PsijRunner, executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For schedulers that this machine does not have: psij's own script for our specification."""
    sent: list[str] = []

    def submits(self: object, command: list[str]) -> str:
        sent.append(Path(command[-1]).read_text())
        return "Job <1017> is submitted\n" if executor == "lsf" else "1017\n"

    monkeypatch.setattr(schedulers, "require_scheduler", lambda name: None)
    psij_executor = queue._schedulers.executor(executor, tmp_path)
    monkeypatch.setattr(type(psij_executor), "_run_command", submits)
    monkeypatch.setattr(psij_executor._queue_poll_thread, "register_job", lambda job: None)
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


# --- the states of psij -------------------------------------------------------------------------------------------


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
def test_every_state_of_psij_has_its_meaning_and_is_kept(
    word: str, message: str | None, exit: int | None, state: JobState, reason: Reason | None
) -> None:
    seen = SimpleNamespace(state=SimpleNamespace(name=word), message=message, exit_code=exit)
    status = states.status_of(seen)
    assert (status.state, status.reason, status.native) == (state, reason, word)
    assert status.message or state in (JobState.PENDING, JobState.RUNNING, JobState.DONE)


def test_the_table_has_every_state_of_psij(queue: PsijRunner) -> None:
    import psij

    assert {one.name for one in psij.JobState} - {"NEW"} == set(states.STATES)


@pytest.mark.parametrize("text", ["psij:999", "slurm:///1_2", "psij://slurm/12", "psij://#/x", ""])
def test_a_handle_of_another_runner_is_lost_without_a_crash(text: str) -> None:
    assert PsijRunner().poll(text).state is JobState.LOST


@pytest.mark.parametrize(
    "text", ["psij://slurm/12#/a/jobs/001-x", "psij://pbs/12.head.site#/a b/001-x", "psij://n1@local/77#/a/001-x"]
)
def test_a_handle_is_read_as_it_was_written(text: str) -> None:
    assert str(handle.parse(text)) == text


def test_a_failed_query_of_psij_is_no_failure_of_the_job(
    queue: PsijRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """psij fails all jobs if its own query fails; the job continues, and is queried anew."""
    monkeypatch.setattr(schedulers, "require_scheduler", lambda name: None)
    monkeypatch.setattr(schedulers, "FIRST_QUERY_S", 0.05)
    replies: list[object] = [FileNotFoundError("squeue"), "JOBID ST REASON\n17 R None\n"]

    def asks(self: object, command: list[str]) -> str:
        if isinstance(replies[0], str):
            looked.wait(PATIENCE_S)  # the answer comes after the job was looked at without one
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        return str(reply)

    psij_executor = queue._schedulers.executor("slurm", tmp_path)
    monkeypatch.setattr(type(psij_executor), "_run_command", asks)
    psij_executor.config.queue_polling_interval = 0.05
    handle = f"psij://slurm/17#{tmp_path}/001-x"
    seen, looked = set(), threading.Event()

    def runs() -> bool:
        queue._schedulers.set_interval(0.05)
        status = queue.poll(handle)
        seen.add(status.state)
        if len(replies) == 1:  # its first question has failed
            looked.set()
        return status.state is JobState.RUNNING and not status.message

    until(runs, "the second answer")
    assert seen == {JobState.PENDING, JobState.RUNNING}
