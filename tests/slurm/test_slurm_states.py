"""Slurm's states and their meaning, without a Slurm: recorded output, and when Slurm is queried."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from daasbench.runners.slurm import SlurmRunner, commands
from daasbench.runners.slurm.handle import SlurmHandle
from daasbench.runners.slurm.poller import LONGEST_PAUSE_S, QUIET_S
from daasbench.runners.slurm.states import STATES, SlurmRow, status_of
from daasbench.runners.slurm.transport import CommandResult, LocalTransport

from daasbench.model import JobState, Reason

WHERE = "site.toml: options"
TRANSCRIPTS = Path(__file__).parent / "transcripts"


def transcript(name: str) -> str:
    """Return a recorded output, without the line that names its source."""
    first, _, rest = (TRANSCRIPTS / f"{name}.txt").read_text().partition("\n")
    assert first.startswith("# ")
    assert any(word in first for word in ("recorded", "by hand"))
    return rest


# --- output ----------------------------------------------------------------------------------------------------


def test_recorded_output_of_squeue_is_parsed() -> None:
    """Exit codes, signals and reasons, as a real Slurm printed them."""
    statuses = {name: status_of(row) for name, row in queue("squeue_array").items()}
    assert {name: (job.state, job.exit) for name, job in statuses.items()} == {
        "1_0": (JobState.DONE, 0),
        "1_1": (JobState.FAILED, 1),
        "1_2": (JobState.FAILED, 2),
        "1_3": (JobState.FAILED, 3),
        "2": (JobState.FAILED, None),
        "3": (JobState.PENDING, None),
        "4": (JobState.DONE, 0),
    }
    assert "SIGKILL" in statuses["2"].message
    assert "scontrol release" in statuses["3"].message
    assert statuses["1_0"].queued_at == "2026-11-23T02:32:15.000Z"


def test_every_state_of_slurm_has_a_meaning() -> None:
    """And stays in the record as the native state."""
    rows = queue("squeue_states")
    statuses = {row.state: status_of(row) for row in rows.values()}
    assert len(statuses) == 24
    assert set(statuses) <= set(STATES)
    assert not any(job.state is JobState.LOST for job in statuses.values())
    assert all(job.native == word for word, job in statuses.items())
    waiting = {"PENDING", "CONFIGURING", "RESV_DEL_HOLD", "REQUEUE_FED", "REQUEUE_HOLD", "REQUEUED", "SPECIAL_EXIT"}
    assert {word for word, job in statuses.items() if job.state is JobState.PENDING} == waiting
    ended = {word for word, job in statuses.items() if job.ended}
    assert ended == {
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
        "REVOKED", "TIMEOUT",
    }  # fmt: skip
    assert all(statuses[word].reason for word in ended - {"COMPLETED"})
    assert statuses["TIMEOUT"].started_at == "2026-11-22T23:59:30.000Z"
    assert statuses["TIMEOUT"].ended_at == "2026-11-23T00:00:30.000Z"
    assert statuses["RUNNING"].ended_at is None


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("Resources", "Resources"),
        ("ReqNodeNotAvail, UnavailableNodes:n3", "request other nodes"),
        ("Nodes required for job are DOWN, DRAINED or reserved for jobs in higher", "request other nodes"),
        ("Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved_for_jobs_in_higher", "request other nodes"),
    ],
)
def test_the_reason_why_a_job_waits_is_followed_by_what_to_do(reason: str, sentence: str) -> None:
    """Slurm prints a reason or, at other times, a sentence."""
    message = status_of(SlurmRow(id="7", name="t", state="PENDING", reason=reason)).message
    assert message.startswith(reason)
    assert sentence in message


def test_an_unknown_state_is_lost_and_kept_as_the_native_state() -> None:
    """Not a crash."""
    status = status_of(SlurmRow(id="1", name="", state="TELEPORTED"))
    assert (status.state, status.native) == (JobState.LOST, "TELEPORTED")


def test_output_of_unusual_forms_is_parsed() -> None:
    """Other clusters, folded arrays, heterogeneous jobs."""
    assert list(queue("squeue_clusters")) == ["31"]
    folded = queue("squeue_folded_array")
    assert len(folded) == 44
    assert {"1234_1", "1234_40", "1235_0", "1235_4", "1235_8", "1235_11"} <= set(folded)
    assert list(queue("squeue_heterogeneous")) == ["10"]
    assert commands.submitted_job("1234;maxwell\n") == ("1234", "maxwell")
    assert commands.submitted_job("sbatch: some site says hello\n99\n") == ("99", "")


@pytest.mark.parametrize("text", ["", "Submitted batch job 3", "-1", "3 4"])
def test_output_of_sbatch_without_a_number_is_an_error(text: str) -> None:
    """It is not guessed."""
    with pytest.raises(commands.UnexpectedOutput):
        commands.submitted_job(text)


def test_the_output_of_sacct_is_parsed() -> None:
    """Steps are ignored; of a requeued job the last execution counts."""
    statuses = {name: status_of(row) for name, row in commands.accounting_rows(transcript("sacct_steps")).items()}
    assert set(statuses) == {"1234", "1235_7", "1236", "1237"}
    assert statuses["1234"].ended_at == "2026-11-23T00:10:00.000Z"
    assert (statuses["1235_7"].state, statuses["1235_7"].native) == (JobState.CANCELLED, "CANCELLED by 1000")
    assert statuses["1236"].reason is Reason.KERNEL
    assert (statuses["1237"].state, statuses["1237"].exit) == (JobState.FAILED, 3)
    completed = commands.accounting_rows(transcript("sacct_completion"), commands.COMPLETION_FIELDS)
    assert [status_of(row).state for row in completed.values()][:2] == [JobState.DONE, JobState.FAILED]


# --- when Slurm is queried -----------------------------------------------------------------------------------------


class Scripted(LocalTransport):
    """A transport that answers as instructed, and notes the commands."""

    def __init__(self, answer: Callable[[Sequence[str]], CommandResult]) -> None:
        self.answer = answer
        self.commands: list[str] = []

    def run(self, command: Sequence[str], **more: object) -> CommandResult:
        """Return the instructed result."""
        self.commands.append(command[0])
        return self.answer(command)


class Clock:
    """Seconds that pass when a test sets them."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def queue(name: str) -> dict[str, SlurmRow]:
    """Return the jobs of a recorded output of squeue."""
    return {row.id: row for rows in commands.queue_rows(transcript(name)).values() for row in rows}


def row(name: str, state: str = "RUNNING", title: str = "t") -> str:
    """Return a line of squeue."""
    return f"{name}|{state}|None|0|2026-11-22T10:00:00|2026-11-22T10:00:01|N/A|1|n1|{title}|\n"


def no_accounting(words: Sequence[str]) -> CommandResult:
    """Return what a Slurm without accounting answers."""
    return CommandResult(1, "", "Slurm accounting storage is disabled")


def test_a_thousand_jobs_cost_one_query_per_second_and_fewer_while_nothing_changes() -> None:
    """Counted over an hour of a clock, with a controller that polls as often as the runner allows."""
    clock = Clock()
    site = Scripted(lambda words: CommandResult(0, "".join(row(f"7_{n}") for n in range(1000)), ""))
    runner = SlurmRunner(clock=clock, local=site)
    handles = [SlurmHandle(id=f"7_{n}", name="t").url for n in range(1000)]
    for _ in range(100_000):
        states = (
            {runner.poll(handle).state for handle in handles} if clock.now < 1010 else {runner.poll(handles[0]).state}
        )
        assert states == {JobState.RUNNING}
        assert len(site.commands) <= 1 + clock.now - 1000
        if clock.now > 4600:
            break
        clock.now += runner.every_s
    assert runner.every_s == pytest.approx(QUIET_S)  # at the latest so much later is the end of a job seen
    assert len(site.commands) < 3600 / QUIET_S * 1.2


def test_while_slurm_does_not_answer_it_is_queried_less_often_and_nothing_is_lost() -> None:
    """Whether it fails or prints something else; and the jobs are known again when it answers."""
    clock, garbage = (
        Clock(),
        itertools.cycle([CommandResult(0, transcript("squeue_garbage"), ""), CommandResult(1, "", "no route")]),
    )
    up = [True]
    site = Scripted(lambda words: CommandResult(0, row("7"), "") if up[0] else next(garbage))
    runner = SlurmRunner(clock=clock, local=site)
    handle = SlurmHandle(id="7", name="t", folder="/nowhere").url
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
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE_S)
    up[0] = True
    clock.now += runner.every_s
    assert runner.poll(handle).message == ""


def test_a_job_whose_number_was_given_to_another_is_not_taken_for_it() -> None:
    """The name must be the same."""
    clock = Clock()
    site = Scripted(
        lambda words: CommandResult(0, row("7", title="another"), "") if words[0] == "squeue" else no_accounting(words)
    )
    runner = SlurmRunner(clock=clock, local=site, grace_s=0.0)
    assert runner.poll(SlurmHandle(id="7", name="t", folder="/nowhere").url).state is JobState.LOST


def test_a_job_that_slurm_no_longer_knows_is_given_up_only_after_a_while(tmp_path: Path) -> None:
    """A shared file system may be slow to show how it ended; without accounting sacct is run once."""
    clock = Clock()
    site = Scripted(lambda words: CommandResult(0, row("8"), "") if words[0] == "squeue" else no_accounting(words))
    runner = SlurmRunner(clock=clock, local=site, grace_s=60.0)
    slow, never = (SlurmHandle(id=name, folder=str(tmp_path / name)).url for name in ("7", "9"))
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


def test_the_accounting_is_queried_for_jobs_that_slurmctld_no_longer_knows() -> None:
    """All jobs in job query."""
    clock = Clock()
    site = Scripted(lambda words: CommandResult(0, transcript("sacct_steps") if words[0] == "sacct" else "", ""))
    runner = SlurmRunner(clock=clock, local=site)
    titles = {"1234": "001", "1235_7": "002", "1236": "003"}
    handles = [SlurmHandle(id=key, name=f"daasbench-r1-{word}-x", folder="/no").url for key, word in titles.items()]
    for _ in range(2):
        found = [runner.poll(handle).state for handle in handles]
        clock.now += runner.every_s
    assert found == [JobState.DONE, JobState.CANCELLED, JobState.FAILED]
    assert site.commands.count("sacct") <= 2


def test_tasks_of_an_array_that_never_began_are_known_to_the_accounting_as_one_job() -> None:
    clock = Clock()
    site = Scripted(
        lambda words: CommandResult(0, transcript("sacct_cancelled_array") if words[0] == "sacct" else "", "")
    )
    runner = SlurmRunner(clock=clock, local=site)
    names = {"5_0": "001", "5_3": "001", "9": "005", "10_0": "006", "10_1": "006"}
    handles = [SlurmHandle(id=key, name=f"daasbench-r1-{word}-x", folder="/no").url for key, word in names.items()]
    for _ in range(2):
        found = [runner.poll(handle).state for handle in handles]
        clock.now += runner.every_s
    assert found == [JobState.DONE, JobState.FAILED, *[JobState.CANCELLED] * 3]
