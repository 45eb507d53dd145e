"""Preflight checks of a Slurm: of a real one, and of recorded output."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from daasbench.runners.slurm import SlurmRunner, node_check, partitions, preflight
from daasbench.runners.slurm.options import SlurmOptions
from daasbench.runners.slurm.packaging import Installation
from daasbench.runners.slurm.transport import CommandResult, LocalTransport

from daasbench import registry
from daasbench.inspection.platform import Finding, FindingLevel
from daasbench.model import Platform
from daasbench.scenario.platforms import load_platform, shipped_files
from daasbench.testing.runners import sample_job

# sinfo of a site: two kinds of GPU nodes, one of them down, and nodes without; names are made up
SITE = """\
g1|gpu|gpu|1-00:00:00|64|512000|gpu:a100:4(S:0-1)|a100,GPUx4|idle
g2|gpu|gpu|1-00:00:00|48|256000|gpu:v100:2|v100,GPUx2|mixed
g3|gpu|gpu|1-00:00:00|64|512000|gpu:a100:4(S:0-1)|a100,GPUx4|drained*
c1|cpu|cpu*|infinite|128|256000|(null)|(null)|allocated
slurm_load_node: a warning of another form
"""


def seen(findings: list[Finding]) -> dict[str, FindingLevel]:
    """Return the level of each check."""
    return {one.check: one.level for one in findings}


def message(findings: list[Finding], check: str) -> str:
    """Return message and fix of one check."""
    [found] = [one for one in findings if one.check == check]
    return f"{found.level}: {found.message}; {found.fix}"


# --- the output of sinfo ------------------------------------------------------------------------------------------


def test_nodes_are_read_with_their_gpus_and_features() -> None:
    nodes = {one.name: one for one in partitions.parse_nodes(SITE)}
    assert list(nodes) == ["g1", "g2", "g3", "c1"]
    assert (nodes["g1"].gpus, nodes["g2"].gpus, nodes["c1"].gpus) == (4, 2, 0)
    assert nodes["g1"].features == {"a100", "GPUx4"}
    assert nodes["c1"].features == frozenset()
    assert nodes["c1"].default
    assert nodes["g1"].memory_gb == pytest.approx(512000 * 2**20 / 1e9)


@pytest.mark.parametrize(
    ("options", "check", "sentence"),
    [
        ({"partition": "gpus"}, "partition", 'wrong: Slurm has no partition gpus; write partition = "cpu" (or "gpu")'),
        ({"partition": "gpu"}, "partition", "ok: gpu: 2 nodes, 1 more are down or drained; "),
        ({}, "partition", "ok: cpu (the default): 1 node; "),
        (
            {"partition": "gpu", "constraint": "h100"},
            "constraint",
            "wrong: no node of gpu has h100; write constraint with GPUx2, GPUx4, a100, v100",
        ),
        ({"partition": "gpu", "constraint": "a100&GPUx4"}, "constraint", "ok: a100&GPUx4: 2 nodes; "),
        ({"partition": "gpu", "constraint": "a100|v100"}, "constraint", "ok: a100|v100: 3 nodes; "),
    ],
)
def test_partition_and_constraint_are_compared_with_the_nodes(options: dict, check: str, sentence: str) -> None:
    _, findings = partitions.partition_findings(partitions.parse_nodes(SITE), SlurmOptions(**options))
    assert message(findings, check) == sentence


@pytest.mark.parametrize(
    ("declared", "check", "sentence"),
    [
        ({"nodes": 3}, "nodes", "wrong: 3 nodes are declared, but a job can get only 2; write nodes = 2"),
        (
            {"cores_per_node": 128},
            "cores",
            "wrong: 128 declared, but a node has 48 to 64: 0 of 2 nodes have enough; write cores",
        ),
        (
            {"cores_per_node": 64},
            "cores",
            "warning: 64 declared, a node has 48 to 64: only 1 of 2 nodes can run the jobs",
        ),
        ({"cores_per_node": 48}, "cores", "ok: 48 declared"),
        ({}, "cores", "warning: cores_per_node is missing, a node has "),
        (
            {"nodes": 2, "gpus_per_node": 4},
            "GPUs",
            "wrong: 4 declared, but a node has 2 to 4: 1 of 2 nodes have enough",
        ),
        ({"memory_gb": 600}, "memory", "wrong: 600 GB declared"),
    ],
)
def test_what_is_declared_is_compared_with_the_nodes(declared: dict, check: str, sentence: str) -> None:
    nodes, _ = partitions.partition_findings(partitions.parse_nodes(SITE), SlurmOptions(partition="gpu"))
    assert message(partitions.declaration_findings(nodes, Platform(runner="slurm", **declared)), check).startswith(
        sentence
    )


def test_gpus_that_slurm_does_not_count_are_no_error() -> None:
    nodes, _ = partitions.partition_findings(partitions.parse_nodes(SITE), SlurmOptions())
    found = partitions.declaration_findings(nodes, Platform(runner="slurm", gpus_per_node=4))
    assert message(found, "GPUs").startswith("warning: 4 declared, but Slurm lists none")


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [
        ("1-00:00:00", 86400),
        ("2-3", 2 * 86400 + 3 * 3600),
        ("8:00:00", 28800),
        ("30:00", 1800),
        ("45", 2700),
        ("infinite", None),
    ],
)
def test_a_time_limit_is_parsed_in_every_form_that_slurm_has(limit: str, seconds: float | None) -> None:
    assert partitions.seconds_of(limit) == seconds


def test_a_longer_time_than_the_partition_gives_is_wrong() -> None:
    nodes, _ = partitions.partition_findings(partitions.parse_nodes(SITE), SlurmOptions(partition="gpu"))
    assert message(partitions.limit_findings(nodes, SlurmOptions(time_limit_s=90000)), "time limit") == (
        "wrong: time_limit_s is 90000, but the partition allows only 1-00:00:00; write time_limit_s = 86400"
    )


def test_accounts_and_qualities_are_those_of_the_user() -> None:
    text = "beamline|normal,long\nstaff|normal\n"
    found = preflight.account_findings(text, SlurmOptions(account="beamline", qos="fast"), "ada")
    assert message(found, "account") == "ok: ada may use beamline; "
    assert message(found, "qos") == 'wrong: ada may not use fast; write qos = "long" (or "normal")'
    nobody = preflight.account_findings("", SlurmOptions(account="beamline"), "ada")
    assert message(nobody, "account") == "wrong: ada may not use beamline; ask the site for the right account"


# --- a node, or a remote Python -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("err", "sentence"),
    [
        (
            "srun: error: Unable to allocate resources: Requested nodes are busy\n",
            "warning: not checked: no node was free",
        ),
        ("/sw/python: No module named daasbench.inspection.node\n", "wrong: /sw/python has no daasbench on the node"),
        ("/bin/bash: module: command not found\n", "wrong: a test job ended without an answer: /bin/bash: module"),
    ],
)
def test_a_node_that_does_not_answer_says_why(err: str, sentence: str) -> None:
    assert message([node_check.no_answer_finding(CommandResult(1, "", err), "/sw/python")], "node").startswith(sentence)


@pytest.mark.parametrize(
    ("site", "sentence"),
    [
        (None, "wrong: python3 does not run on the site"),
        (Installation(python="3.9.2"), "wrong: python3 is Python 3.9.2, daasbench needs 3.11"),
        (
            Installation(python="3.12.1"),
            "warning: python3 is Python 3.12.1; the first run installs daasbench into h:/s",
        ),
        (Installation(python="3.12.1", content="other", version="0.0.9"), "wrong: python3 has daasbench 0.0.9"),
    ],
)
def test_a_python_of_a_site_is_new_enough_or_not(site: Installation | None, sentence: str) -> None:
    found = node_check.site_finding(site, "python3", "h:/s")
    assert f"{found.level}: {found.message}".startswith(sentence)
    assert found.fix


# --- a real Slurm ---------------------------------------------------------------------------------------------

RIGHT = {"partition": "main", "time_limit_s": 3600, "setup": ["echo a word of the site"]}


def test_a_platform_that_is_right_has_nothing_wrong_and_its_node_starts_ranks(slurm, needs, tmp_path: Path) -> None:
    needs("mpi4py")
    declared = Platform(runner="slurm", nodes=2, cores_per_node=4, gpus_per_node=2, memory_gb=4, options=RIGHT)
    found = SlurmRunner().inspect(declared, tmp_path)
    assert [one for one in found if one.level is not FindingLevel.OK] == []
    assert {"scheduler", "partition", "accounting", "request", "folder", "versions", "launcher"} <= set(seen(found))
    assert "ranks that communicate" in message(found, "launcher")
    assert list(tmp_path.iterdir()) == []


def test_a_node_is_checked_from_inside_the_container(slurm, needs, program, tmp_path: Path) -> None:
    program("bwrap", fix="apt-get install bubblewrap")
    needs("mpi4py")
    declared = Platform(runner="slurm", cores_per_node=4, gpus_per_node=2, options={"container": {"engine": "bwrap"}})
    found = SlurmRunner().inspect(declared, tmp_path)
    assert message(found, "container") == "ok: bwrap own root starts a worker on the node; "
    assert "ranks that communicate" in message(found, "launcher")
    bad = {"container": {"engine": "bwrap", "image": "/no/such/root"}}
    found = SlurmRunner().inspect(msgspec.structs.replace(declared, options=bad), tmp_path)
    assert message(found, "container").startswith("wrong: bwrap /no/such/root starts no worker on the node: bwrap: ")
    assert seen(found)["launcher"] is FindingLevel.OK


@pytest.mark.parametrize(
    ("options", "check", "sentence"),
    [
        ({}, "request", "ok: sbatch would accept"),
        ({"walltime": "48:00:00"}, "time limit", 'the partition allows only 1-00:00:00; write walltime = "24:00:00"'),
        ({"directives": ["-C nowhere"]}, "request", "wrong: sbatch refuses"),
        (
            {"interface": "ib7"},
            "interface",
            "wrong: this machine has no network interface ib7; write interface = ",
        ),
    ],
)
def test_the_jobs_of_dask_workers_are_checked_with_the_options_of_their_platform(
    slurm, needs, tmp_path: Path, options: dict, check: str, sentence: str
) -> None:
    needs("dask_jobqueue")
    platform = Platform(runner="dask", cores_per_node=4, options={"cluster": "slurm", "partition": "main", **options})
    assert sentence in message(registry.runner("dask").inspect(platform, tmp_path), check)


def test_a_warning_of_a_missing_number_says_what_run_does_without_it(say, tmp_path: Path) -> None:
    """It said that the number of this machine would be used; run refuses such cases."""
    nodes = partitions.parse_nodes(SITE)
    findings = partitions.declaration_findings([node for node in nodes if node.name == "c1"], Platform(runner="slurm"))
    assert 'cases with threads or ranks = "max" are refused; write cores_per_node = ' in message(findings, "cores")
    (tmp_path / "site.toml").write_text('runner = "slurm"\n')
    said = say("run", "tomography", "--set", "cases.threads=max", "--platform", "./site.toml", "--dry-run")
    assert (said.code, said.out) == (2, "")
    assert "platform site: cores_per_node is missing" in said.err


def test_every_wrong_declaration_is_reported_with_its_fix(slurm, tmp_path: Path) -> None:
    options = {"partition": "main", "time_limit_s": 900000, "account": "nobody"}
    declared = Platform(runner="slurm", nodes=9, cores_per_node=64, gpus_per_node=3, memory_gb=4, options=options)
    found, usable = preflight.queue_findings(declared, SlurmOptions(**options), LocalTransport())
    assert usable
    wrong = {one.check: one.fix for one in found if one.level is FindingLevel.WRONG}
    assert wrong == {
        "nodes": "write nodes = 4",
        "cores": "write cores_per_node = 4",
        "GPUs": "write gpus_per_node = 2",
        "time limit": "write time_limit_s = 86400",
    }
    assert seen(found)["account"] is FindingLevel.WARNING


def test_what_sbatch_itself_refuses_is_found_by_a_test_request(slurm, tmp_path: Path) -> None:
    options = {"partition": "main", "reservation": "nothing"}
    declared = Platform(runner="slurm", cores_per_node=4, options=options)
    found, _ = preflight.queue_findings(declared, SlurmOptions(**options), LocalTransport())
    assert message(found, "request").startswith("wrong: sbatch refuses a job on all nodes of the platform: ")
    assert slurm.ask("squeue", "--noheader") == ""


def test_no_node_is_checked_if_the_partition_does_not_exist(slurm, tmp_path: Path) -> None:
    declared = Platform(runner="slurm", options={"partition": "gpu"})
    found = SlurmRunner().inspect(declared, tmp_path)
    assert (
        message(found, "partition") == 'wrong: Slurm has no partition gpu; write partition = "high" (or "low", "main")'
    )
    assert "launcher" not in seen(found)


def test_a_machine_without_slurm_names_the_login_node_as_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [found] = SlurmRunner().inspect(Platform(runner="slurm"), tmp_path)
    assert (found.level, found.check) == (FindingLevel.WRONG, "scheduler")
    assert found.message == "the commands sbatch, squeue, scancel are missing on this machine"
    assert found.fix == "start daasbench on a login node, or name a login node by the option host"


def test_a_host_that_cannot_be_reached_is_a_finding(program, tmp_path: Path) -> None:
    program("ssh", fix="apt-get install openssh-client")
    options = {"host": "nobody@127.0.0.1", "ssh": ["-p", "1"], "folder": "/nowhere"}
    [found] = SlurmRunner().inspect(Platform(runner="slurm", options=options), tmp_path)
    assert found.level is FindingLevel.WRONG
    assert "127.0.0.1" in found.message


# --- shipped platforms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(shipped_files("platforms")))
def test_every_shipped_platform_is_loaded_and_rendered(name: str, tmp_path: Path) -> None:
    stem, declared = load_platform(name, tmp_path, "here")
    assert stem == name
    assert declared.description
    runner = registry.runner(declared.runner)
    job = msgspec.structs.replace(sample_job(tmp_path, runner=declared.runner), platform=declared, platform_name=name)
    request = runner.render(job, tmp_path / "jobs" / job.id)
    assert request.runner == declared.runner
    assert any(path.endswith("job.json") for path in request.files)
    assert not (tmp_path / "jobs").exists()


@pytest.mark.parametrize("name", sorted(shipped_files("platforms")))
def test_every_price_of_a_shipped_platform_has_a_date_in_its_source(name: str) -> None:
    text = shipped_files("platforms")[name].read_text()
    declared = load_platform(name, Path(), "here")[1]
    if declared.price is not None:
        assert str(declared.price.date.year) in declared.price.source
    if declared.runner == "slurm":
        assert "read 20" in text, "say when its source was read"
