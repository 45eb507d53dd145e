"""A platform is checked before it is used: every finding is one line, with its fix."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from daasbench.inspection import node, platform
from daasbench.inspection.platform import FindingLevel, NodeFacts, check_platform, node_findings, price_finding
from daasbench.model import Platform, Price
from daasbench.scenario.platforms import shipped_files

TODAY = datetime.date(2026, 11, 23)
PRICE = Price(
    amount="1.85", currency="EUR", per="node-hour", date=datetime.date(2026, 11, 1), source="own books", basis="quote"
)
SEEN = NodeFacts(
    host="n1",
    python="3.11.7",
    daasbench=platform.__version__,
    commit="c",
    cores=64,
    memory_gb=512.0,
    gpus=["A40"] * 2,
    at="2026-11-23T01:00:00.000Z",
    mpi="MPICH 5.0.2",
    sizes=[2, 2],
)


def levels(findings: list[platform.Finding]) -> dict[str, FindingLevel]:
    """Return the level of each check."""
    return {one.check: one.level for one in findings}


@pytest.fixture
def commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this side be of commit ``c``."""
    monkeypatch.setattr("daasbench.host.machine.suite_commit", lambda: "c")
    monkeypatch.setattr("platform.python_version", lambda: "3.11.7")


# --- prices ---------------------------------------------------------------------------------------------------


def test_a_price_says_its_source_and_how_old_it_is() -> None:
    found = price_finding(PRICE, TODAY)
    assert found.level is FindingLevel.OK
    assert found.message == "1.85 EUR per node-hour of 2026-11-01 (quote; own books), 22 days old"


@pytest.mark.parametrize(
    ("date", "word"), [(datetime.date(2025, 11, 1), "387 days old"), (datetime.date(2026, 12, 1), "valid only in 8")]
)
def test_a_price_of_another_time_is_a_warning(date: datetime.date, word: str) -> None:
    found = price_finding(msgspec.structs.replace(PRICE, date=date), TODAY)
    assert found.level is FindingLevel.WARNING
    assert word in found.message
    assert found.fix


def test_no_price_is_a_warning_and_not_free() -> None:
    found = price_finding(None, TODAY)
    assert (found.level, found.check) == (FindingLevel.WARNING, "price")


# --- the facts of a node -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("commit")
def test_a_node_that_is_as_declared_has_nothing_wrong() -> None:
    declared = Platform(runner="slurm", nodes=4, cores_per_node=64, gpus_per_node=2, memory_gb=512)
    assert set(levels(node_findings(SEEN, declared)).values()) == {FindingLevel.OK}


@pytest.mark.usefixtures("commit")
@pytest.mark.parametrize(
    ("declared", "check", "fix"),
    [
        ({"cores_per_node": 128}, "cores", "write cores_per_node = 64"),
        ({"gpus_per_node": 4}, "GPUs", "write gpus_per_node = 2"),
        ({"memory_gb": 1024}, "memory", "write memory_gb = 512"),
    ],
)
def test_more_than_is_there_is_wrong(declared: dict[str, int], check: str, fix: str) -> None:
    found = node_findings(SEEN, Platform(runner="slurm", **declared))
    [bad] = [one for one in found if one.level is FindingLevel.WRONG]
    assert (bad.check, bad.fix) == (check, fix)


@pytest.mark.usefixtures("commit")
def test_what_is_not_declared_of_another_machine_is_a_warning_and_of_this_one_is_not() -> None:
    assert levels(node_findings(SEEN, Platform(runner="slurm")))["cores"] is FindingLevel.WARNING
    assert levels(node_findings(SEEN, Platform(runner="local"), own=True))["cores"] is FindingLevel.OK


@pytest.mark.usefixtures("commit")
@pytest.mark.parametrize(
    ("changed", "check", "level", "word"),
    [
        ({"sizes": [1, 1]}, "launcher", FindingLevel.WRONG, "starts 2 separate ranks"),
        ({"sizes": [2]}, "launcher", FindingLevel.WRONG, "2 ranks were requested"),
        ({"sizes": [], "missing": "no mpi4py", "fix": "pip install"}, "launcher", FindingLevel.WARNING, "no mpi4py"),
        ({"daasbench": "0.0.9"}, "versions", FindingLevel.WRONG, "0.0.9"),
        ({"commit": "d"}, "versions", FindingLevel.WARNING, ", commit d"),
        ({"content": "0" * 16}, "versions", FindingLevel.WRONG, "it refuses every job"),
        ({"python": "3.12.1"}, "versions", FindingLevel.WARNING, "3.12.1"),
        ({"folder": "/data is not there"}, "folder", FindingLevel.WRONG, "/data is not there"),
    ],
)
def test_a_node_that_differs_is_reported(
    changed: dict[str, object], check: str, level: FindingLevel, word: str
) -> None:
    found = node_findings(msgspec.structs.replace(SEEN, **changed), Platform(runner="slurm"))
    [bad] = [one for one in found if one.check == check]
    assert bad.level is level
    assert word in bad.message
    assert bad.fix


@pytest.mark.parametrize(("at", "message"), [("00:59:30", "30 s"), ("01:01:00", "50 s")])
def test_a_clock_that_is_off_is_a_warning(at: str, message: str) -> None:
    asked, answered = "2026-11-23T01:00:00.000Z", "2026-11-23T01:00:10.000Z"
    assert platform.clock_findings(SEEN, asked, answered) == []
    off = msgspec.structs.replace(SEEN, at=f"2026-11-23T{at}.000Z")
    [found] = platform.clock_findings(off, asked, answered)
    assert message in found.message


# --- asking a real process ------------------------------------------------------------------------------------


def test_two_real_ranks_communicate(needs) -> None:
    needs("mpi4py")
    seen = node.observe_node(node.node_question({}, None))
    assert seen.sizes == [2, 2]


def test_ranks_of_a_foreign_launcher_are_found_to_be_separate(needs, tmp_path: Path) -> None:
    needs("mpi4py")
    foreign = tmp_path / "mpiexec"
    foreign.write_text('#!/bin/sh\nshift 2\n"$@" & "$@" & wait\n')
    foreign.chmod(0o755)
    seen = node.observe_node(node.node_question({"launcher": str(foreign)}, None))
    assert seen.sizes == [1, 1]
    [found] = platform.ranks_findings(seen, {"launcher": str(foreign)})
    assert found.level is FindingLevel.WRONG
    assert "starts 2 separate ranks" in found.message


def test_a_launcher_that_starts_nothing_is_reported_with_its_last_line(tmp_path: Path, needs) -> None:
    needs("mpi4py")
    broken = tmp_path / "mpiexec"
    broken.write_text("#!/bin/sh\necho no such fabric\nexit 3\n")
    broken.chmod(0o755)
    seen = node.observe_node(node.node_question({"launcher": str(broken)}, None))
    assert "ended with exit code 3: no such fabric" in seen.missing


def test_a_shared_folder_is_seen_from_both_sides_and_is_empty_afterwards(tmp_path: Path) -> None:
    def run(words: list[str]) -> str:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    seen, _ = node.probe(node.node_question({}, tmp_path, ranks=0), run)
    assert seen is not None
    assert seen.folder == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_the_node_does_not_share_is_reported(tmp_path: Path) -> None:
    asked = node.node_question({}, tmp_path, ranks=0)
    assert "does not exist on the node" in node.observe_node(asked).folder  # the token was not written

    def elsewhere(words: list[str]) -> str:  # a node whose folder of that name is another one
        (tmp_path / asked.token).unlink()
        seen = node.observe_node(node.NodeQuestion(folder=str(tmp_path), token=asked.token))
        return node.ANSWER + msgspec.json.encode(msgspec.structs.replace(seen, folder="")).decode()

    seen, _ = node.probe(asked, elsewhere)
    assert seen is not None
    assert "do not appear on this machine" in seen.folder


def test_an_answer_is_found_among_other_lines_of_a_site() -> None:
    line = node.ANSWER + msgspec.json.encode(SEEN).decode()
    assert node.parse_answer(f"Welcome!\n{line}\nmodules unloaded\n") == SEEN
    assert node.parse_answer("Welcome!\n") is None
    assert node.parse_answer(line[:-9]) is None


# --- the command ----------------------------------------------------------------------------------------------


def test_this_machine_is_usable(say) -> None:
    said = say("doctor", "--platform", "here")
    assert said.code == 0, said
    assert "ok       file" in said.out
    assert "warning  price" in said.out


def test_findings_have_a_schema(say, tmp_path: Path) -> None:
    (tmp_path / "big.toml").write_text('runner = "local"\nnodes = 3\ncores_per_node = 100000\n')
    said = say("doctor", "--platform", "./big.toml", "--platform", "here", "--json")
    assert said.code == 1
    message = json.loads(said.out)
    assert message["schema"] == 1
    assert [one["platform"] for one in message["platforms"]] == ["big", "here"]
    big, here = message["platforms"]
    assert (big["usable"], here["usable"]) == (False, True)
    wrong = {one["check"] for one in big["findings"] if one["level"] == "wrong"}
    assert wrong == {"nodes", "cores"}
    assert all(one["fix"] for one in big["findings"] if one["level"] == "wrong")


def test_a_bad_file_is_refused_with_exit_code_2(say, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('runner = "local"\ncores = 3\n')
    said = say("doctor", "--platform", "./bad.toml")
    assert said.code == 2
    assert "cores" in said.err
    assert say("doctor", "--platform", "nowhere").code == 2


def test_a_folder_that_cannot_hold_results_is_wrong(say, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = say("doctor", "--platform", "here", "--results", "/proc/nothing")
    assert said.code == 1
    assert "wrong    folder" in said.out


def test_a_runner_without_preflight_checks_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from daasbench.testing import FakeRunner

    (tmp_path / "p.toml").write_text('runner = "local"\n')
    monkeypatch.setattr("daasbench.registry.runner", lambda name: FakeRunner())
    found = check_platform("./p.toml", folder=tmp_path, results=tmp_path, today=TODAY)
    assert levels(found.findings)["runner"] is FindingLevel.WARNING
    assert found.usable


@pytest.mark.parametrize("name", sorted(shipped_files("platforms")))
def test_every_shipped_platform_can_be_checked(say, name: str) -> None:
    said = say("doctor", "--platform", name)
    assert said.code in (0, 1), said
    assert said.err == ""
    lines = said.out.splitlines()
    assert lines[0].startswith(f"{name}: ")
    assert all(line.split()[0] in ("ok", "warning", "wrong") for line in lines[1:])
    if said.code:
        assert any(line.strip().startswith("wrong") for line in lines)


def test_a_worker_that_cannot_start_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from daasbench.runners import local_preflight

    monkeypatch.setattr(node, "probe_command", lambda asked: [sys.executable, "-c", "import not_there_at_all"])
    found = local_preflight.check_this_machine(Platform(runner="local"), tmp_path)
    [bad] = [one for one in found if one.check == "worker"]
    assert bad.level is FindingLevel.WRONG
    assert "not_there_at_all" in bad.message


# --- Dask -----------------------------------------------------------------------------------------------------


def test_a_real_dask_cluster_is_counted_and_compared(needs) -> None:
    needs("distributed")
    from daasbench.runners import dask_preflight
    from distributed import LocalCluster

    here = {"host": "127.0.0.1", "protocol": "tcp", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **here) as cluster:
        declared = Platform(runner="local", options={"scheduler": cluster.scheduler_address})
        found = dask_preflight.scheduler_findings(declared)
    assert levels(found) == {"scheduler": FindingLevel.OK, "workers": FindingLevel.OK, "versions": FindingLevel.OK}
    assert "ranks = 1" in found[1].message


def test_a_dask_scheduler_that_does_not_answer_is_wrong(needs, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("distributed")
    from daasbench.runners import dask_preflight

    monkeypatch.setattr(dask_preflight, "CONNECT_S", 0.3)
    declared = Platform(runner="local", options={"scheduler": "tcp://127.0.0.1:1"})
    [found] = dask_preflight.scheduler_findings(declared)
    assert found.level is FindingLevel.WRONG
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in found.message


def test_other_versions_on_a_worker_are_wrong(needs, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("distributed")
    from daasbench.runners import dask_preflight

    from daasbench.errors import MissingRequirement

    def differs(client: object, address: str) -> None:
        raise MissingRequirement("Dask worker tcp://n1: dask 2 (here 1)", "use the same environment on both sides")

    monkeypatch.setattr(dask_preflight, "compare_versions", differs)
    found = dask_preflight.versions_finding(None, "tcp://n1:8786")
    assert (found.level, found.message) == (FindingLevel.WRONG, "Dask worker tcp://n1: dask 2 (here 1)")


def test_a_cluster_without_workers_is_wrong() -> None:
    from daasbench.runners import dask_preflight

    assert dask_preflight.workers_finding({}, "tcp://n1:8786").fix == "start some: dask worker tcp://n1:8786"
