"""Slurm's words and ours, without a Slurm: options, scripts, answers, and when what is asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from daasbench.runners.slurm import SlurmRunner, questions
from daasbench.runners.slurm.handle import SlurmHandle
from daasbench.runners.slurm.shell import Answer, Here
from daasbench.runners.slurm.states import STATES, SlurmRow, status_of
from daasbench.runners.slurm.watch import LONGEST_LIMIT_S, QUIET_S

from daasbench.model import JobState, Reason

WHERE = "site.toml: options"
TRANSCRIPTS = Path(__file__).parent / "transcripts"


def transcript(name: str) -> str:
    """Return what was said, without the line that says where it comes from."""
    first, _, rest = (TRANSCRIPTS / f"{name}.txt").read_text().partition("\n")
    assert first.startswith("# ")
    assert any(word in first for word in ("recorded", "by hand"))
    return rest


# --- answers ----------------------------------------------------------------------------------------------------


def test_recorded_answers_of_squeue_are_understood() -> None:
    """Exit codes, signals and reasons, as a real Slurm told them."""
    message = {name: status_of(row) for name, row in queue("squeue_array").items()}
    assert {name: (one.state, one.exit) for name, one in message.items()} == {
        "1_0": (JobState.DONE, 0),
        "1_1": (JobState.FAILED, 1),
        "1_2": (JobState.FAILED, 2),
        "1_3": (JobState.FAILED, 3),
        "2": (JobState.FAILED, None),
        "3": (JobState.PENDING, None),
        "4": (JobState.DONE, 0),
    }
    assert "SIGKILL" in message["2"].message
    assert "scontrol release" in message["3"].message
    assert message["1_0"].queued_at == "2026-11-23T02:32:15.000Z"


def test_every_state_of_slurm_has_a_meaning() -> None:
    """And keeps its own word."""
    rows = queue("squeue_states")
    message = {row.state: status_of(row) for row in rows.values()}
    assert len(message) == 24
    assert set(message) <= set(STATES)
    assert not any(one.state is JobState.LOST for one in message.values())
    assert all(one.native == word for word, one in message.items())
    waiting = {"PENDING", "CONFIGURING", "RESV_DEL_HOLD", "REQUEUE_FED", "REQUEUE_HOLD", "REQUEUED", "SPECIAL_EXIT"}
    assert {word for word, one in message.items() if one.state is JobState.PENDING} == waiting
    ended = {word for word, one in message.items() if one.ended}
    assert ended == {
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
        "REVOKED", "TIMEOUT",
    }  # fmt: skip
    assert all(message[word].reason for word in ended - {"COMPLETED"})
    assert message["TIMEOUT"].started_at == "2026-11-22T23:59:30.000Z"
    assert message["TIMEOUT"].ended_at == "2026-11-23T00:00:30.000Z"
    assert message["RUNNING"].ended_at is None


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("Resources", "Resources"),
        ("ReqNodeNotAvail, UnavailableNodes:n3", "ask for others"),
        ("Nodes required for job are DOWN, DRAINED or reserved for jobs in higher", "ask for others"),
        ("Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved_for_jobs_in_higher", "ask for others"),
    ],
)
def test_why_a_job_waits_is_told_with_what_helps(reason: str, sentence: str) -> None:
    """Slurm says it in a word or, in another moment, in a sentence of its own."""
    message = status_of(SlurmRow(id="7", name="t", state="PENDING", reason=reason)).message
    assert message.startswith(reason)
    assert sentence in message


def test_an_unknown_state_is_lost_with_its_word() -> None:
    """Not a crash."""
    status = status_of(SlurmRow(id="1", name="", state="TELEPORTED"))
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
    message = {name: status_of(row) for name, row in questions.accounts(transcript("sacct_steps")).items()}
    assert set(message) == {"1234", "1235_7", "1236", "1237"}
    assert message["1234"].ended_at == "2026-11-23T00:10:00.000Z"
    assert (message["1235_7"].state, message["1235_7"].native) == (JobState.CANCELLED, "CANCELLED by 1000")
    assert message["1236"].reason is Reason.KERNEL
    assert (message["1237"].state, message["1237"].exit) == (JobState.FAILED, 3)
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


def queue(name: str) -> dict[str, SlurmRow]:
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
    handles = [SlurmHandle(id=f"7_{n}", name="t").url for n in range(1000)]
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
    assert pauses[-1] == pytest.approx(LONGEST_LIMIT_S)
    up[0] = True
    clock.now += runner.every_s
    assert runner.poll(handle).message == ""


def test_a_job_whose_number_was_given_to_another_is_not_taken_for_it() -> None:
    """The name must be the same."""
    clock = Clock()
    shell = Scripted(lambda words: Answer(0, row("7", title="another"), "") if words[0] == "squeue" else silent(words))
    runner = SlurmRunner(clock=clock, here=shell, grace_s=0.0)
    assert runner.poll(SlurmHandle(id="7", name="t", folder="/nowhere").url).state is JobState.LOST


def test_a_forgotten_job_is_given_up_after_a_while_only(tmp_path: Path) -> None:
    """A shared file system may be slow to show how it ended; without accounting sacct is asked once."""
    clock = Clock()
    shell = Scripted(lambda words: Answer(0, row("8"), "") if words[0] == "squeue" else silent(words))
    runner = SlurmRunner(clock=clock, here=shell, grace_s=60.0)
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


def test_the_accounting_is_asked_for_what_slurmctld_forgot() -> None:
    """All jobs in one question."""
    clock = Clock()
    shell = Scripted(lambda words: Answer(0, transcript("sacct_steps") if words[0] == "sacct" else "", ""))
    runner = SlurmRunner(clock=clock, here=shell)
    titles = {"1234": "001", "1235_7": "002", "1236": "003"}
    handles = [SlurmHandle(id=key, name=f"daasbench-r1-{word}-x", folder="/no").url for key, word in titles.items()]
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
    handles = [SlurmHandle(id=key, name=f"daasbench-r1-{word}-x", folder="/no").url for key, word in names.items()]
    for _ in range(2):
        found = [runner.poll(one).state for one in handles]
        clock.now += runner.every_s
    assert found == [JobState.DONE, JobState.FAILED, *[JobState.CANCELLED] * 3]
