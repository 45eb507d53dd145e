"""A worker in a container: asked for rightly, really inside, ended with its controller, skipped where it cannot be."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import psutil
import pytest
from daasbench.runners.local import LocalRunner

from daasbench import worker
from daasbench.errors import DaasbenchError, ScenarioError
from daasbench.host.containers import (
    MARK,
    Container,
    Folders,
    container_of,
    missing_here,
    missing_requirement,
    require_inside,
    trial_command,
    wrapped,
)
from daasbench.model import Job, JobState, JobStatus, Line, Machine, Option, Outcome, Platform, Record
from daasbench.testing.runners import sample_job

from .waiting import left_of, until

REAL = ("unshare", "bwrap", "podman")
RENDERED = {
    "unshare": Container(engine="unshare"),
    "bwrap": Container(engine="bwrap", image="/images/root"),
    "podman": Container(engine="podman", image="registry.site/daas:3"),
    "apptainer": Container(engine="apptainer", image="/images/daas.sif"),
    "singularity": Container(engine="singularity", image="/images/daas.sif"),
    "charliecloud": Container(engine="charliecloud", image="/images/daas"),
}


@pytest.fixture(scope="session")
def engine(program: Callable[..., str]) -> Callable[[str], Container]:
    """Return a function that gives a container of an engine of this machine; the test is skipped without it."""

    def find(name: str) -> Container:
        program(name, fix="install it by the system's package manager")
        return Container(engine=name)

    return find


def contained(job: Job, **table: str) -> Job:
    options: dict[str, Option] = {"container": dict(table)}
    return msgspec.structs.replace(job, platform=Platform(runner="local", options=options))


def ended(runner: LocalRunner, handle: str) -> JobStatus:
    until(lambda: runner.poll(handle).ended, f"the end of {handle}")
    return runner.poll(handle)


def lines(folder: Path) -> list[Line]:
    return [msgspec.json.decode(one, type=Line) for one in (folder / "records.jsonl").read_bytes().splitlines()]


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the workers of the job in `folder`, wherever their parent is: that of a container may have no parent."""
    found = []
    for one in psutil.process_iter(["cmdline"]):
        words = one.info["cmdline"] or []
        if "daasbench.worker" in words and str(folder / "job.json") in words and Path(words[0]).name != "podman":
            found.append(one)
    return found


def appears(folder: Path, name: str) -> None:
    until((folder / name).exists, name)


class TestCommand:
    """What is drawn, without an engine."""

    @pytest.mark.parametrize("name", RENDERED)
    def test_every_engine_gets_the_folders_the_mark_and_the_command_last(self, name: str) -> None:
        folders = Folders(writable=["/site/run"], readable=["/site/env"])
        container = msgspec.structs.replace(RENDERED[name], options=["--own-word"])
        words = wrapped(["python", "-m", "work"], container, folders)
        assert words[-3:] == ["python", "-m", "work"]
        assert "--own-word" in words
        message = " ".join(words)
        assert MARK in message
        assert container.label in message
        if name != "unshare":
            assert "/site/run" in message
            assert "/site/env" in message
            assert container.image in words

    @pytest.mark.parametrize("name", ["podman", "apptainer", "singularity"])
    def test_what_is_only_read_cannot_be_written_inside(self, name: str) -> None:
        words = " ".join(wrapped(["true"], RENDERED[name], Folders(writable=["/w"], readable=["/r"])))
        assert "/r:/r:ro" in words
        assert "/w:/w:ro" not in words

    @pytest.mark.parametrize(
        ("table", "says"),
        [
            ("bwrap", "expected a table"),
            ({}, "engine"),
            ({"engine": "bubblewrap"}, "bwrap"),
            ({"engine": "apptainer"}, "requires one"),
            ({"engine": "unshare", "image": "/images/root"}, "remove the image"),
            ({"engine": "podman", "image": "--privileged"}, "name of an image"),
            ({"engine": "podman", "binds": ["data"]}, '"/data"'),
            ({"engine": "podman", "imgae": "x"}, "image"),
        ],
    )
    def test_a_wrong_table_is_refused_with_what_is_right(self, table: Option, says: str) -> None:
        with pytest.raises(ScenarioError, match=r"x\.toml: options\.container") as refused:
            LocalRunner().check({"container": table}, "x.toml: options")
        assert says in str(refused.value)

    def test_the_request_shows_the_container(self, tmp_path: Path) -> None:
        job = contained(sample_job(tmp_path, runner="local"), engine="podman", image="registry.site/daas:3")
        words = LocalRunner().render(job, tmp_path / "jobs" / job.id).command
        assert words[0] == "podman"
        assert words[-2:] == [str(tmp_path / "jobs" / job.id / "job.json"), "--tied"]
        assert f"{tmp_path}:{tmp_path}" in words, "the folder of the user's kernel"


class TestInside:
    """With the engines that are here."""

    @pytest.mark.parametrize("name", REAL)
    def test_a_worker_inside_measures_pinned_and_its_records_name_the_container(
        self, name: str, tmp_path: Path, engine: Callable[[str], Container]
    ) -> None:
        job = contained(sample_job(tmp_path, runner="local"), engine=name)
        folder, runner = tmp_path / "jobs" / job.id, LocalRunner()
        handle = runner.submit(runner.render(job, folder), folder)
        assert ended(runner, handle).state is JobState.DONE, (folder / "log").read_text()
        found = lines(folder)
        machines = [one for one in found if isinstance(one, Machine)]
        assert f"container {engine(name).label}" in (machines[0].virtual or "")
        assert machines[0].usable_cores == len(os.sched_getaffinity(0))
        records = [one for one in found if isinstance(one, Record)]
        assert [one.outcome for one in records] == [Outcome.OK] * 2
        assert all(one.machine == machines[0].id and len(one.cpus) == 1 for one in records)

    @pytest.mark.parametrize("name", REAL)
    def test_a_worker_inside_ends_with_its_controller(
        self, name: str, tmp_path: Path, engine: Callable[[str], Container]
    ) -> None:
        engine(name)
        job = contained(sample_job(tmp_path, runner="local", sleep_s=30.0), engine=name)
        folder = tmp_path / "jobs" / job.id
        (tmp_path / "controller.py").write_text(CONTROLLER)
        (tmp_path / "job.json").write_bytes(msgspec.json.encode(job))
        controller = psutil.Popen([sys.executable, str(tmp_path / "controller.py"), tmp_path / "job.json", str(folder)])
        appears(folder, "started.json")
        inside = [one for worker in processes_of(folder) for one in (worker, *worker.children(recursive=True))]
        assert inside
        controller.kill()
        controller.wait()
        assert left_of(inside) == []

    @pytest.mark.parametrize("name", REAL)
    def test_a_cancelled_worker_inside_tidies_up(
        self, name: str, tmp_path: Path, engine: Callable[[str], Container]
    ) -> None:
        engine(name)
        job = contained(sample_job(tmp_path, runner="local", sleep_s=30.0), engine=name)
        folder, runner = tmp_path / "jobs" / job.id, LocalRunner()
        handle = runner.submit(runner.render(job, folder), folder)
        appears(folder, "started.json")
        inside = processes_of(folder)
        runner.cancel(handle)
        assert ended(runner, handle).state is not JobState.DONE
        assert left_of(inside) == []
        assert (folder / "ended.json").exists(), "it was killed in the midst of its work"

    def test_the_host_is_read_only_inside_of_bubblewrap(
        self, tmp_path: Path, engine: Callable[[str], Container]
    ) -> None:
        outside, inside = tmp_path / "outside", tmp_path / "inside"
        folders = Folders(writable=[str(inside)], readable=[str(outside)])
        for one in (outside, inside):
            one.mkdir()
            command = wrapped(["touch", str(one / "file")], engine("bwrap"), folders)
            psutil.Popen(command, stderr=-3).wait()
        assert [*outside.iterdir()] == []
        assert [one.name for one in inside.iterdir()] == ["file"]


CONTROLLER = """
import sys, time, pathlib, msgspec
from daasbench.model import Job
from daasbench.runners.local import LocalRunner
job = msgspec.json.decode(pathlib.Path(sys.argv[1]).read_bytes(), type=Job)
folder, runner = pathlib.Path(sys.argv[2]), LocalRunner()
runner.submit(runner.render(job, folder), folder)
time.sleep(600)
"""


class TestLack:
    """Where there is no engine, or it refuses, or a worker is not where it should be."""

    @pytest.fixture
    def refusing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Put a bubblewrap first that the system does not let work."""
        programs = tmp_path / "programs"
        programs.mkdir()
        fake = programs / "bwrap"
        fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        return fake

    @pytest.mark.parametrize(
        ("table", "says"),
        [
            ({"engine": "bwrap"}, "No permissions to create new namespace"),
            ({"engine": "singularity", "image": "/images/none.sif"}, "singularity is not installed; install"),
        ],
    )
    def test_every_case_is_skipped_with_the_engines_message_and_a_fix(
        self, table: Mapping[str, str], says: str, tmp_path: Path, refusing: Path
    ) -> None:
        job = contained(sample_job(tmp_path, runner="local"), **table)
        folder, runner = tmp_path / "jobs" / job.id, LocalRunner()
        handle = runner.submit(runner.render(job, folder), folder)
        assert ended(runner, handle).state is JobState.DONE
        records = [one for one in lines(folder) if isinstance(one, Record)]
        assert [one.outcome for one in records] == [Outcome.SKIPPED] * 2
        assert all(says in one.message and one.samples is None for one in records)

    def test_a_controller_asks_once_whether_a_container_starts_before_it_tries_skipped_cases_again(
        self, tmp_path: Path, refusing: Path
    ) -> None:
        options: dict[str, Option] = {"container": {"engine": "bwrap", "binds": [str(tmp_path)]}}
        message = missing_here(options)
        assert message is not None
        assert "No permissions" in message
        refusing.unlink()
        assert missing_here(options) == message
        assert missing_here({}) is None

    def test_an_engine_that_contains_nothing_is_found_out(self, refusing: Path) -> None:
        refusing.write_text('#!/bin/sh\nfor word; do shift; [ "$word" = -- ] && break; done\nexec "$@"\n')
        message = missing_requirement(Container(engine="bwrap"), Folders(writable=[]))
        assert message is not None
        assert "does not" in message

    def test_a_worker_outside_measures_nothing(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        job = contained(sample_job(tmp_path, runner="local"), engine="bwrap")
        with pytest.raises(DaasbenchError, match="does not run in it"):
            require_inside(job, environment={})
        (tmp_path / "job.json").write_bytes(msgspec.json.encode(job))
        with pytest.raises(DaasbenchError, match="'bwrap own root'"):
            worker.work(tmp_path / "job.json")
        assert not (tmp_path / "records.jsonl").exists()

    def test_a_claim_alone_is_not_believed(self, tmp_path: Path) -> None:
        job = contained(sample_job(tmp_path, runner="local"), engine="podman")
        container = container_of(job.platform.options)
        assert container is not None
        with pytest.raises(DaasbenchError, match="does not run in it"):
            require_inside(job, root=tmp_path, environment={MARK: container.label})
        (tmp_path / "run").mkdir()
        (tmp_path / "run/.containerenv").touch()
        require_inside(job, root=tmp_path, environment={MARK: container.label})

    def test_a_batch_script_leaves_a_job_out_by_one_command(self, tmp_path: Path) -> None:
        job = contained(sample_job(tmp_path, runner="local"), engine="bwrap")
        path = tmp_path / "job.json"
        path.write_bytes(msgspec.json.encode(job))
        command = [*trial_command(Container(engine="bwrap"))[:3], "--leave-out", str(path), "bwrap: not allowed"]
        assert psutil.Popen(command).wait() == 0
        left = msgspec.json.decode(path.read_bytes(), type=Job)
        assert {one.skip for one in left.planned} == {"bwrap: not allowed"}
