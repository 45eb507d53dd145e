"""The whole path on a real Slurm: controllers that are killed anywhere, and nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daasbench.evidence.phases import of_job
from daasbench.model import Event

from ..waiting import PATIENCE_S, until
from .campaign import COMMAND, Campaign

PLATFORM = """
runner = "slurm"
nodes = 4
cores_per_node = 2
[options]
poll_s = 1.0
split = "{split}"
"""

# the controller of a campaign, which is killed before or after a call
KILLED = """
import os, signal
from daasbench.records.run_folder import RunFolder
from daasbench.runners.slurm.runner import SlurmRunner
owner, name = {owner}, {name!r}
whole = getattr(owner, name)
def dies(self, *arguments):
    hit = name != "note_all" or any(one.event == {word!r} for one in arguments[0])
    if hit and {when!r} == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = whole(self, *arguments)
    if hit and not (name == "poll" and not answer.ended):
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
setattr(owner, name, dies)
"""


class OnSlurm(Campaign):
    """A campaign whose jobs go to Slurm."""

    def __init__(self, folder: Path, *, split: str = "set", **more: Any) -> None:
        super().__init__(folder, sleep_s=0.01, **more)
        (folder / "site.toml").write_text(PLATFORM.format(split=split))
        text = (folder / "kills.toml").read_text().replace('"here"', '"site.toml"')
        (folder / "kills.toml").write_text(text)

    def say(self, *words: str, first: str = "") -> tuple[int, str, str]:
        """Run a command line to its end; `first` is run before it in the same Python."""
        ended = subprocess.run(
            [sys.executable, "-c", f"{first}\n{COMMAND}", *words],
            cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return ended.returncode, ended.stdout, ended.stderr

    def jobs_seen(self, slurm: Any) -> list[str]:
        """Return the numbers of all jobs of this campaign that Slurm ever accepted and still knows."""
        return self._numbers(slurm, "--states=all")

    def jobs_alive(self, slurm: Any) -> list[str]:
        """Return the numbers of the jobs of this campaign that wait or run."""
        return self._numbers(slurm)

    def _numbers(self, slurm: Any, *words: str) -> list[str]:
        (run,) = (self.results / "runs").glob("2*")
        lines = slurm.ask("squeue", "--array", "--noheader", *words, "--Format=JobArrayID:|,Name:80").splitlines()
        return [line.split("|")[0] for line in lines if run.name in line]

    def measured(self) -> list[str]:
        """Return the keys that were measured, one entry for each such record."""
        return [str(one["key"]) for one in self.lines("record") if one["outcome"] == "ok"]

    def events(self) -> list[dict[str, object]]:
        """Return the journal."""
        (path,) = self.results.glob("runs/*/journal.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def campaign(slurm: Any, tmp_path: Path) -> OnSlurm:
    return OnSlurm(tmp_path)


def test_a_scenario_runs_on_slurm_and_the_metadata_of_its_jobs_are_noted(campaign: OnSlurm, slurm: Any) -> None:
    code, out, err = campaign.say("run", "./kills.toml")
    assert code == 0, err
    assert "4 correct" in out
    accounted = [one["detail"] for one in campaign.events() if one["event"] == "accounted"]
    assert len(accounted) == 2
    for message in accounted:
        assert isinstance(message, dict)
        assert str(message["handle"]).startswith("slurm:///")
        assert (message["native"], message["state"], message["nodes"], message["exit"]) == ("COMPLETED", "done", 1, 0)
        assert str(message["queued_at"]) <= str(message["started_at"]) <= str(message["ended_at"])
        assert str(message["hosts"]).startswith("n")
        assert str(message["began_at"]) <= str(message["left_at"])
    assert "queue" in err.lower() or "pending" in err.lower() or "running" in err.lower() or "completed" in err.lower()


STEPS = [
    ("RunFolder", "note_all", "planned", "before"),
    ("RunFolder", "note_all", "submitting", "before"),
    ("RunFolder", "note_all", "submitting", "after"),
    ("SlurmRunner", "submit_all", "", "after"),
    ("RunFolder", "note_all", "submitted", "after"),
    ("SlurmRunner", "poll", "", "before"),
    ("SlurmRunner", "poll", "", "after"),
    ("SlurmRunner", "fetch", "", "before"),
    ("SlurmRunner", "fetch", "", "after"),
    ("RunFolder", "note_all", "accounted", "after"),
]


@pytest.mark.parametrize(("owner", "name", "word", "when"), STEPS)
def test_a_controller_killed_at_any_step_is_followed_by_one_that_continues(
    campaign: OnSlurm, slurm: Any, owner: str, name: str, word: str, when: str
) -> None:
    first = KILLED.format(owner=owner, name=name, word=word, when=when)
    code, _, err = campaign.say("run", "./kills.toml", first=first)
    assert code == -signal.SIGKILL, err
    code, out, err = campaign.say("run", "./kills.toml")
    assert code == 0, err
    assert "4 correct" in out
    keys = campaign.ended_once()
    assert len(keys) == len(set(keys)) == campaign.cells
    assert len(campaign.jobs_seen(slurm)) == 2, "one array of two, whoever sent it"


def test_a_run_is_detached_asked_for_and_collected(campaign: OnSlurm) -> None:
    code, out, _ = campaign.say("run", "./kills.toml", "--detach")
    assert code == 0
    assert "daasbench collect" in out
    code, out, err = campaign.say("status", "-v")
    assert code == 0, err
    assert "slurm:///" in out or "4/4" in out
    code, out, err = campaign.say("collect", "--wait")
    assert code == 0, err
    assert "4 ok; 0 remaining" in out
    assert campaign.say("collect")[1] == "no unfinished jobs\n"


def test_ctrl_c_ends_the_jobs_in_the_queue_and_keeps_what_was_measured(slurm: Any, tmp_path: Path) -> None:
    campaign = OnSlurm(tmp_path, split="none", hold="record")
    controller = campaign.start()
    campaign.wait_for("record")
    controller.send_signal(signal.SIGINT)
    _, err = controller.communicate(timeout=PATIENCE_S)
    assert controller.returncode == 130, err
    assert campaign.jobs_alive(slurm) == []
    kept = len(campaign.ended_once())
    assert 0 < kept < campaign.cells
    assert [one["event"] for one in campaign.events()].count("interrupted") == 1


def test_a_second_controller_is_refused_with_the_holder_of_the_run(campaign: OnSlurm, slurm: Any) -> None:
    slurm.ask("scontrol", "update", "partition=main", "state=down")
    try:
        controller = campaign.start()
        until(lambda: "submitted" in [one["event"] for one in campaign.events()], "a submission")
        code, _, err = campaign.say("run", "./kills.toml")
        assert code == 3
        assert f"process {controller.pid} on " in err
        assert "has been using this run since" in err
        assert campaign.say("collect")[0] == 3
    finally:
        slurm.ask("scontrol", "update", "partition=main", "state=up")
    controller.communicate(timeout=PATIENCE_S)
    assert controller.returncode == 0
    assert len(campaign.jobs_seen(slurm)) == 2


def test_a_slurmctld_that_is_down_when_jobs_are_sent_gets_each_once(campaign: OnSlurm, slurm: Any) -> None:
    hasty = "from daasbench.runners.slurm import runner; runner.SUBMIT_S = 3.0"  # sbatch tries for 20 s
    slurm.do("kill", "slurmctld")
    try:
        code, _, err = campaign.say("run", "./kills.toml", first=hasty)
    finally:
        slurm.do("revive", "slurmctld")
    assert code == 3
    assert "it is not known whether jobs 001-site, 002-site arrived; run the same command again to find out" in err
    code, out, err = campaign.say("run", "./kills.toml")
    assert code == 0, err
    assert "4 correct" in out
    assert len(campaign.jobs_seen(slurm)) == 2


def test_jobs_that_wait_are_cancelled_by_the_verb(campaign: OnSlurm, slurm: Any) -> None:
    slurm.ask("scontrol", "update", "partition=main", "state=down")
    try:
        assert campaign.say("run", "./kills.toml", "--detach")[0] == 0
        assert "PartitionDown" in campaign.say("status")[1]
        code, out, err = campaign.say("cancel")
        assert code == 0, err
        assert "4 remaining" in out
        assert campaign.jobs_alive(slurm) == []
    finally:
        slurm.ask("scontrol", "update", "partition=main", "state=up")
    assert campaign.say("run", "./kills.toml")[0] == 0


def test_a_worker_that_is_killed_on_its_node_is_reported_and_only_the_rest_is_measured_again(
    slurm: Any, tmp_path: Path
) -> None:
    campaign = OnSlurm(tmp_path, split="none", hold="record")
    controller = campaign.start()
    campaign.wait_for("record")
    for pid in workers_at(tmp_path):
        os.kill(pid, signal.SIGKILL)
    campaign.let_go()
    _, err = controller.communicate(timeout=PATIENCE_S)
    assert controller.returncode == 3
    assert "measurements gave no result" in err
    before = set(campaign.ended_once())
    assert campaign.say("run", "./kills.toml")[0] == 0
    keys = campaign.ended_once()
    assert before < set(keys)
    assert len(keys) == len(set(keys)) == campaign.cells


def test_a_job_that_slurm_puts_back_into_the_queue_continues(slurm: Any, tmp_path: Path) -> None:
    campaign = OnSlurm(tmp_path, split="none", hold="record")
    text = (tmp_path / "site.toml").read_text()
    (tmp_path / "site.toml").write_text(text + 'sbatch = ["--comment=requeued"]\n')
    controller = campaign.start()
    campaign.wait_for("record")
    (number,) = {one.split("_")[0] for one in campaign.jobs_seen(slurm)}
    slurm.ask("scontrol", "update", f"jobid={number}", "requeue=1")
    slurm.ask("scontrol", "requeue", number)
    campaign.let_go()
    release(slurm, number)
    _, err = controller.communicate(timeout=PATIENCE_S)
    assert controller.returncode == 0, err
    keys = campaign.ended_once()
    assert len(keys) == len(set(keys)) == campaign.cells


def test_a_full_file_system_loses_nothing_that_was_measured(slurm: Any, tmp_path: Path) -> None:
    campaign = OnSlurm(tmp_path, split="none", seeds=5)
    text = (tmp_path / "site.toml").read_text()
    (tmp_path / "site.toml").write_text(text + 'setup = ["ulimit -f 17"]\n')  # files of 17 KiB at most, as a quota does
    code, _, err = campaign.say("run", "./kills.toml")
    assert code == 3
    assert "cannot write records" in err
    assert campaign.measured()
    (tmp_path / "site.toml").write_text(text)
    code, _, err = campaign.say("run", "./kills.toml")
    assert code == 0, err
    keys = campaign.measured()
    assert len(keys) == len(set(keys)) == campaign.cells


def test_ranks_are_started_by_srun_and_a_worker_in_its_container(slurm: Any, tmp_path: Path, program: Any) -> None:
    program("bwrap", fix="apt-get install bubblewrap")
    campaign = OnSlurm(tmp_path)
    plain = PLATFORM.format(split="none") + 'environment = { DAASBENCH_TESTED = "1" }\n'
    (tmp_path / "site.toml").write_text(plain.replace("[options]", "memory_gb = 4\n[options]"))
    (tmp_path / "inside.toml").write_text(plain.replace("[options]", "memory_gb = 4\n[options]") + BWRAP)
    (tmp_path / "ranks.toml").write_text(RANKS)
    code, _, err = campaign.say("run", "./ranks.toml")
    assert code == 0, err
    message = {
        (one["case"]["implementation"], one["case"].get("nodes", 1), one["platform"]): one for one in records(campaign)
    }
    assert message["mpi", 1, "site"]["outcome"] == "ok"
    assert message["numpy", 1, "inside"]["outcome"] == "ok"
    # the nodes n1 and n2 are one host: ranks there are on two nodes, but would share its processors
    assert "share processors" in message["mpi", 2, "site"]["message"]
    machines = [str(one.get("virtual")) for one in campaign.lines("machine")]
    assert any("bwrap" in one for one in machines)


CLOCK = """
import datetime
class datetime_ahead(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=240)
datetime.datetime = datetime_ahead
"""


def test_a_node_whose_clock_is_off_is_measured_and_its_start_gets_no_number(slurm: Any, tmp_path: Path) -> None:
    """Slurm itself bears five minutes."""
    (tmp_path / "ahead").mkdir()
    (tmp_path / "ahead" / "sitecustomize.py").write_text(CLOCK)
    campaign = OnSlurm(tmp_path, split="none", seeds=1)
    with (tmp_path / "site.toml").open("a") as platform:
        platform.write(f'environment = {{ PYTHONPATH = "{tmp_path}/ahead" }}\n')
    code, _, err = campaign.say("run", "./kills.toml")
    assert code == 0, err
    assert campaign.say("run", "./kills.toml")[0] == 0
    assert len(campaign.measured()) == campaign.cells
    (path,) = campaign.results.glob("runs/*/journal.jsonl")
    events = [msgspec.json.decode(line, type=Event) for line in path.read_bytes().splitlines()]
    found = of_job(events, "001-site")
    assert "clocks of two machines differ" in found.missing["boot"]
    assert found.seconds["queue"] < 60


BWRAP = 'container = { engine = "bwrap" }\n'
RANKS = """
question = "Who starts the ranks?"
platforms = ["site.toml", "inside.toml"]
[[cases]]
kernel = "halo_stencil"
implementations = "mpi"
platforms = ["site"]
sizes = "tiny"
nodes = [1, 2]
ranks = 2
threads = 1
cache = true
[[cases]]
kernel = "halo_stencil"
implementations = "numpy"
platforms = ["inside"]
sizes = "tiny"
cache = true
[repeat]
processes = 1
max_repeats = 5
limit_s = 100
"""


def records(campaign: OnSlurm) -> list[Any]:
    """Return every record of a campaign."""
    return campaign.lines("record")


def state_of(slurm: Any, number: str) -> str:
    """Return the state of a job in Slurm."""
    return str(slurm.ask("squeue", "--noheader", f"--jobs={number}", "--states=all", "--Format=State").strip())


def release(slurm: Any, number: str) -> None:
    """Let a job that was put back start in two seconds instead of two minutes.

    Started in the same second on the same node, it ends at once: "Job credential revoked".
    """
    until(lambda: state_of(slurm, number) == "PENDING", "the job to be in the queue again", every_s=0.1)
    slurm.ask("scontrol", "update", f"jobid={number}", "StartTime=now+2")
    waiting = ("", "PENDING", "REQUEUED", "CONFIGURING", "COMPLETING")
    until(lambda: state_of(slurm, number) not in waiting, "the job to run again", every_s=0.1)


def workers_at(folder: Path) -> list[int]:
    """Return the workers whose job is below a folder."""
    import psutil

    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        if "daasbench.worker" in words and any(str(folder) in word for word in words):
            found.append(process.info["pid"])
    return found
