"""Slurm's words and ours, without a Slurm: options, scripts, answers, and when what is asked."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from daasbench.runners.slurm import SlurmRunner, questions, render
from daasbench.runners.slurm.handle import Handle, parse
from daasbench.runners.slurm.options import options_of
from daasbench.runners.slurm.shell import Answer, Here, keep
from daasbench.runners.slurm.states import STATES, Row, status_of
from daasbench.runners.slurm.watch import LONGEST_S, QUIET_S

from daasbench.errors import ScenarioError
from daasbench.model import Job, JobState, Planned, Reason, digest
from daasbench.testing.runners import sample_job

WHERE = "site.toml: options"
TRANSCRIPTS = Path(__file__).parent / "transcripts"


def transcript(name: str) -> str:
    """Return what was said, without the line that says where it comes from."""
    first, _, rest = (TRANSCRIPTS / f"{name}.txt").read_text().partition("\n")
    assert first.startswith("# ")
    assert any(word in first for word in ("recorded", "by hand"))
    return rest


# --- options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('partiton = "gpu"', "did you mean 'partition'?"),
        ("partition = 3", "options.partition: expected"),
        ('sbatch = ["-p gpu"]', "options.sbatch[0]: expected an option of sbatch"),
        ('sbatch = ["--time=3"]', "--time is what this runner itself says"),
        ('sbatch = ["--partition=x"]', "write partition = ..."),
        ('setup = "module load cuda"', "options.setup: expected"),
        ('split = "sets"', "did you mean 'set'?"),
        ("poll_s = 0.1", "between 1 and 3600"),
        ('gpus = "a100"', "options.gpus: expected"),
        ('folder = "/scratch"', "name its host too"),
        ('host = "me@login"', "is required with host"),
        ('host = "-oProxyCommand=x"', "expected a host"),
        ('launcher = "srun -n {rank}"', "did you mean 'ranks'?"),
        ('container = { engine = "docker" }', "options.container"),
        ('environment = { "A B" = "1" }', "options.environment"),
    ],
)
def test_a_wrong_option_is_refused_where_it_stands(toml: str, told: str) -> None:
    """With what would be right."""
    with pytest.raises(ScenarioError) as caught:
        SlurmRunner().check(tomllib.loads(toml), WHERE)
    assert str(caught.value).startswith("site.toml: ")
    assert told in str(caught.value)


def test_right_options_are_taken() -> None:
    """Ours, those of ranks and of containers."""
    text = """
    partition = "gpu"
    sbatch = ["--licenses=x"]
    modules = ["cuda/12.4"]
    launcher = "srun -n {ranks}"
    container = { engine = "apptainer", image = "/images/daas.sif" }
    """
    SlurmRunner().check(tomllib.loads(text), WHERE)
    SlurmRunner().check({"host": "me@login.site", "folder": "/scratch/me"}, WHERE)


# --- scripts ----------------------------------------------------------------------------------------------------


def jobs_of(
    folder: Path, count: int = 1, /, ranks: int = 1, nodes: int = 1, gpus: int = 0, **options: object
) -> list[Job]:
    """Return jobs of one case each."""
    job = sample_job(folder, runner="slurm", cases=1)
    one = job.planned[0]
    case = msgspec.structs.replace(one.case, ranks=ranks, nodes=nodes, threads=2, gpus=gpus)
    planned = [Planned(key=one.key, case=case, process=0)]
    platform = msgspec.structs.replace(job.platform, options=options, memory_gb=64.0, cores_per_node=8)
    return [
        msgspec.structs.replace(job, id=f"{n:03d}-site", planned=planned, platform=platform)
        for n in range(1, count + 1)
    ]


def test_a_script_asks_for_what_its_cases_need(tmp_path: Path) -> None:
    """Nodes, tasks, cores, a share of the memory, and the time of the worst case."""
    folder = tmp_path / "a run" / "jobs"
    (job,) = jobs_of(tmp_path, 1, ranks=4, nodes=2, partition="gpu", python="/sw/python")
    (request,) = SlurmRunner().render_all([job], folder)
    said = [line.removeprefix("#SBATCH ") for line in request.text.splitlines() if line.startswith("#SBATCH")]
    assert said == [
        "--job-name=daasbench-a-run-001-site",
        "--no-requeue",
        f'--chdir="{folder}/001-site"',
        f'--output="{folder}/001-site/log"',
        "--open-mode=append",
        "--time=10",  # 300 s for the maker, 120 s for the limits, 26 s for the case, 120 s more
        "--signal=B:TERM@30",
        "--partition=gpu",
        "--nodes=2",
        "--ntasks-per-node=2",
        "--cpus-per-task=2",
        f"--mem={int(64e9 / 2 / 2**20)}M",
    ]
    assert request.command == ["sbatch", "--parsable", f"{folder}/001-site/batch.sh"]
    assert request.text.splitlines()[-1] == (
        'exec /sw/python -m daasbench.worker "$PWD/job.json" --claim "$SLURM_JOB_ID"'
    )
    sent = msgspec.json.decode(request.files["001-site/job.json"], type=Job)
    assert str(sent.platform.options["launcher"]).startswith("srun ")


def test_each_rank_gets_a_gpu_of_its_own(tmp_path: Path) -> None:
    """`gpus` of a case is of each rank; what sbatch is asked for is of a node."""
    (job,) = jobs_of(tmp_path, 1, ranks=4, nodes=2, gpus=1)
    assert "#SBATCH --gpus-per-node=2\n" in SlurmRunner().render(job, tmp_path / job.id).text


def test_jobs_of_one_shape_become_arrays_of_the_size_that_the_site_allows(tmp_path: Path) -> None:
    """Each job in one request, once."""
    jobs = jobs_of(tmp_path, 25, most_in_array=10, at_once=4)
    requests = SlurmRunner().render_all(jobs, tmp_path)
    assert [len(request.jobs) for request in requests] == [10, 10, 5]
    assert [name for request in requests for name in request.jobs] == [job.id for job in jobs]
    assert "#SBATCH --array=0-9%4" in requests[0].text
    assert len({request.text.splitlines()[1] for request in requests}) == 3, "their names differ"


def test_the_time_limit_is_no_more_than_the_platform_s_cap(tmp_path: Path) -> None:
    """However long the worst case is."""
    (job,) = jobs_of(tmp_path, 1, time_limit_s=150)
    assert "#SBATCH --time=3\n" in SlurmRunner().render(job, tmp_path / job.id).text


@pytest.mark.parametrize(("mode", "count"), [("process", 4), ("set", 12), ("none", 2)])
def test_a_platform_s_cases_are_split_without_dividing_a_comparison(tmp_path: Path, mode: str, count: int) -> None:
    """By process and shape, by comparison, or by shape."""
    job = sample_job(tmp_path, runner="slurm", cases=3)
    cases = [
        msgspec.structs.replace(one.case, implementation=way, threads=threads, seed=index)
        for index, (one, threads) in enumerate(zip(job.planned, (1, 1, 4), strict=True))
        for way in ("numpy", "numba")
    ]
    planned = [
        Planned(key=digest([case.id, process, seed]), case=msgspec.structs.replace(case, seed=seed), process=process)
        for process in range(2)
        for case in cases
        for seed in ([case.seed, 10 + (case.seed or 0)])
    ]
    platform = msgspec.structs.replace(job.platform, options={"split": mode})
    parts = render.split(msgspec.structs.replace(job, planned=planned, platform=platform))
    assert len(parts) == count
    assert sorted(one.key for part in parts for one in part.planned) == sorted(one.key for one in planned)
    homes: dict[tuple[int, str], set[int]] = {}
    for index, part in enumerate(parts):
        for one in part.planned:
            homes.setdefault((one.process, one.case.problem_id), set()).add(index)
    assert all(len(home) == 1 for home in homes.values())


def test_a_handle_is_read_as_it_was_written() -> None:
    """Also with blanks, another cluster, and words for ssh."""
    handle = Handle(
        id="12_7", host="me@login.site", ssh=["-F", "my config"], cluster="max", name="n", folder="/a b/%&?", poll_s=5.0
    )
    assert parse(handle.url) == handle
    assert parse(Handle(id="1").url) == Handle(id="1")
    assert [parse(text) for text in ("slurm:///1.batch", "local:1", "slurm:///", "slurm://[/1")] == [None] * 4


# --- answers ----------------------------------------------------------------------------------------------------


def test_recorded_answers_of_squeue_are_understood() -> None:
    """Exit codes, signals and reasons, as a real Slurm told them."""
    told = {name: status_of(row) for name, row in queue("squeue_array").items()}
    assert {name: (one.state, one.exit) for name, one in told.items()} == {
        "1_0": (JobState.DONE, 0),
        "1_1": (JobState.FAILED, 1),
        "1_2": (JobState.FAILED, 2),
        "1_3": (JobState.FAILED, 3),
        "2": (JobState.FAILED, None),
        "3": (JobState.PENDING, None),
        "4": (JobState.DONE, 0),
    }
    assert "SIGKILL" in told["2"].message
    assert "scontrol release" in told["3"].message
    assert told["1_0"].queued_at == "2026-11-23T02:32:15.000Z"


def test_every_state_of_slurm_has_a_meaning() -> None:
    """And keeps its own word."""
    rows = queue("squeue_states")
    told = {row.state: status_of(row) for row in rows.values()}
    assert len(told) == 24
    assert set(told) <= set(STATES)
    assert not any(one.state is JobState.LOST for one in told.values())
    assert all(one.native == word for word, one in told.items())
    waiting = {"PENDING", "CONFIGURING", "RESV_DEL_HOLD", "REQUEUE_FED", "REQUEUE_HOLD", "REQUEUED", "SPECIAL_EXIT"}
    assert {word for word, one in told.items() if one.state is JobState.PENDING} == waiting
    ended = {word for word, one in told.items() if one.ended}
    assert ended == {
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
        "REVOKED", "TIMEOUT",
    }  # fmt: skip
    assert all(told[word].reason for word in ended - {"COMPLETED"})
    assert told["TIMEOUT"].started_at == "2026-11-22T23:59:30.000Z"
    assert told["TIMEOUT"].ended_at == "2026-11-23T00:00:30.000Z"
    assert told["RUNNING"].ended_at is None


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("Resources", "Resources"),
        ("ReqNodeNotAvail, UnavailableNodes:n3", "ask for others"),
        ("Nodes required for job are DOWN, DRAINED or reserved for jobs in higher", "ask for others"),
        ("Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved_for_jobs_in_higher", "ask for others"),
    ],
)
def test_why_a_job_waits_is_told_with_what_helps(reason: str, told: str) -> None:
    """Slurm says it in a word or, in another moment, in a sentence of its own."""
    message = status_of(Row(id="7", name="t", state="PENDING", reason=reason)).message
    assert message.startswith(reason)
    assert told in message


def test_an_unknown_state_is_lost_with_its_word() -> None:
    """Not a crash."""
    status = status_of(Row(id="1", name="", state="TELEPORTED"))
    assert (status.state, status.native) == (JobState.LOST, "TELEPORTED")


def test_answers_of_unusual_forms_are_understood() -> None:
    """Other clusters, folded arrays, heterogeneous jobs."""
    assert list(queue("squeue_clusters")) == ["31"]
    folded = queue("squeue_folded_array")
    assert len(folded) == 44
    assert {"1234_1", "1234_40", "1235_0", "1235_4", "1235_8", "1235_11"} <= set(folded)
    assert list(queue("squeue_heterogeneous")) == ["10"]
    assert questions.submitted("1234;maxwell\n") == ("1234", "maxwell")
    assert questions.submitted("sbatch: some site says hello\n99\n") == ("99", "")


@pytest.mark.parametrize("text", ["", "Submitted batch job 3", "-1", "3 4"])
def test_an_answer_of_sbatch_without_a_number_is_garbage(text: str) -> None:
    """It is not guessed."""
    with pytest.raises(questions.Garbage):
        questions.submitted(text)


def test_the_accounting_s_answers_are_understood() -> None:
    """Steps are left aside; of a job's lives the last counts."""
    told = {name: status_of(row) for name, row in questions.accounts(transcript("sacct_steps")).items()}
    assert set(told) == {"1234", "1235_7", "1236", "1237"}
    assert told["1234"].ended_at == "2026-11-23T00:10:00.000Z"
    assert (told["1235_7"].state, told["1235_7"].native) == (JobState.CANCELLED, "CANCELLED by 1000")
    assert told["1236"].reason is Reason.KERNEL
    assert (told["1237"].state, told["1237"].exit) == (JobState.FAILED, 3)
    completed = questions.accounts(transcript("sacct_completion"), questions.COMPLETED_FIELDS)
    assert [status_of(row).state for row in completed.values()][:2] == [JobState.DONE, JobState.FAILED]


# --- when what is asked -----------------------------------------------------------------------------------------


class Scripted(Here):
    """A place whose commands answer as told, and count."""

    def __init__(self, answer: Callable[[Sequence[str]], Answer]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def run(self, words: Sequence[str], *, stdin: str | None = None, timeout_s: float = 60.0) -> Answer:
        """Return what was told."""
        self.asked.append(words[0])
        return self.answer(words)


class Clock:
    """Seconds that pass when they are told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def queue(name: str) -> dict[str, Row]:
    """Return the jobs of a recorded answer of squeue."""
    return {one.id: one for rows in questions.queue(transcript(name)).values() for one in rows}


def row(name: str, state: str = "RUNNING", title: str = "t") -> str:
    """Return a line of squeue."""
    return f"{name}|{state}|None|0|2026-11-22T10:00:00|2026-11-22T10:00:01|N/A|1|n1|{title}|\n"


def silent(words: Sequence[str]) -> Answer:
    """Say what a Slurm without accounting says."""
    return Answer(1, "", "Slurm accounting storage is disabled")


def test_a_thousand_jobs_cost_one_question_a_second_and_fewer_while_nothing_changes() -> None:
    """Counted over an hour of a clock, with a controller that looks as often as it is told to."""
    clock = Clock()
    shell = Scripted(lambda words: Answer(0, "".join(row(f"7_{n}") for n in range(1000)), ""))
    runner = SlurmRunner(clock=clock, here=shell)
    handles = [Handle(id=f"7_{n}", name="t").url for n in range(1000)]
    for _ in range(100_000):
        states = {runner.poll(one).state for one in handles} if clock.now < 1010 else {runner.poll(handles[0]).state}
        assert states == {JobState.RUNNING}
        assert len(shell.asked) <= 1 + clock.now - 1000
        if clock.now > 4600:
            break
        clock.now += runner.every_s
    assert runner.every_s == pytest.approx(QUIET_S)  # at the latest so much later is the end of a job seen
    assert len(shell.asked) < 3600 / QUIET_S * 1.2


def test_while_slurm_does_not_answer_it_is_asked_less_and_nothing_is_lost() -> None:
    """Whether it refuses or talks nonsense; and the jobs are there again when it does."""
    clock, garbage = Clock(), itertools.cycle([Answer(0, transcript("squeue_garbage"), ""), Answer(1, "", "no route")])
    up = [True]
    shell = Scripted(lambda words: Answer(0, row("7"), "") if up[0] else next(garbage))
    runner = SlurmRunner(clock=clock, here=shell)
    handle = Handle(id="7", name="t", folder="/nowhere").url
    assert runner.poll(handle).state is JobState.RUNNING
    up[0] = False
    pauses = []
    for _ in range(12):
        clock.now += runner.every_s
        status = runner.poll(handle)
        assert status.state is JobState.RUNNING
        assert "does not answer" in status.message
        pauses.append(runner.every_s)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(LONGEST_S)
    up[0] = True
    clock.now += runner.every_s
    assert runner.poll(handle).message == ""


def test_a_job_whose_number_was_given_to_another_is_not_taken_for_it() -> None:
    """The name must be the same."""
    clock = Clock()
    shell = Scripted(lambda words: Answer(0, row("7", title="another"), "") if words[0] == "squeue" else silent(words))
    runner = SlurmRunner(clock=clock, here=shell, grace_s=0.0)
    assert runner.poll(Handle(id="7", name="t", folder="/nowhere").url).state is JobState.LOST


def test_a_forgotten_job_is_given_up_after_a_while_only(tmp_path: Path) -> None:
    """A shared file system may be slow to show how it ended; without accounting sacct is asked once."""
    clock = Clock()
    shell = Scripted(lambda words: Answer(0, row("8"), "") if words[0] == "squeue" else silent(words))
    runner = SlurmRunner(clock=clock, here=shell, grace_s=60.0)
    slow, never = (Handle(id=name, folder=str(tmp_path / name)).url for name in ("7", "9"))
    for _ in range(3):
        assert not runner.poll(slow).ended
        assert not runner.poll(never).ended
        clock.now += runner.every_s
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "ended.json").write_text('{"at": "2026-01-01T00:00:00.000Z", "exit": 0}')
    while not (status := runner.poll(never)).ended:
        clock.now += runner.every_s
    assert (status.state, status.reason) == (JobState.LOST, Reason.INTERRUPTED)
    assert clock.now >= 1060
    assert runner.poll(slow).state is JobState.DONE


def test_the_accounting_is_asked_for_what_slurmctld_forgot() -> None:
    """All jobs in one question."""
    clock = Clock()
    shell = Scripted(lambda words: Answer(0, transcript("sacct_steps") if words[0] == "sacct" else "", ""))
    runner = SlurmRunner(clock=clock, here=shell)
    titles = {"1234": "001", "1235_7": "002", "1236": "003"}
    handles = [Handle(id=key, name=f"daasbench-r1-{word}-x", folder="/no").url for key, word in titles.items()]
    for _ in range(2):
        found = [runner.poll(one).state for one in handles]
        clock.now += runner.every_s
    assert found == [JobState.DONE, JobState.CANCELLED, JobState.FAILED]
    assert shell.asked.count("sacct") <= 2


def test_tasks_of_an_array_that_never_began_are_known_to_the_accounting_as_one_job() -> None:
    clock = Clock()
    shell = Scripted(lambda words: Answer(0, transcript("sacct_cancelled_array") if words[0] == "sacct" else "", ""))
    runner = SlurmRunner(clock=clock, here=shell)
    names = {"5_0": "001", "5_3": "001", "9": "005", "10_0": "006", "10_1": "006"}
    handles = [Handle(id=key, name=f"daasbench-r1-{word}-x", folder="/no").url for key, word in names.items()]
    for _ in range(2):
        found = [runner.poll(one).state for one in handles]
        clock.now += runner.every_s
    assert found == [JobState.DONE, JobState.FAILED, *[JobState.CANCELLED] * 3]


# --- files ------------------------------------------------------------------------------------------------------


def test_a_ledger_that_comes_in_pieces_loses_no_line_and_gains_none_twice(tmp_path: Path) -> None:
    """A torn last line waits; what is here and not there stays; an earlier copy changes nothing."""
    assert keep("records.jsonl", b"a\nb\nc", tmp_path) == 4
    assert (tmp_path / "records.jsonl").read_bytes() == b"a\nb\n"
    (tmp_path / "records.jsonl").write_bytes(b"a\nb\nmine\n")
    keep("records.jsonl", b"a\nb\ncc\nd\n", tmp_path)
    keep("records.jsonl", b"a\n", tmp_path)
    assert (tmp_path / "records.jsonl").read_bytes() == b"a\nb\nmine\ncc\nd\n"
    keep("log", b"long", tmp_path)
    assert keep("log", b"lo", tmp_path) == 0
    assert (tmp_path / "log").read_bytes() == b"long"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "records.jsonl"]


def test_options_at_their_defaults_ask_for_nothing_special(tmp_path: Path) -> None:
    """No partition, no account, no module."""
    (job,) = jobs_of(tmp_path)
    text = SlurmRunner().render(job, tmp_path / job.id).text
    assert options_of(job.platform.options).apart is False
    assert not any(word in text for word in ("--partition", "--account", "module", "None", "--gres", "--gpus"))
