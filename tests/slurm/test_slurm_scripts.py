"""Options, batch scripts, arrays and handles, without a Slurm."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest
from daasbench.runners.slurm import SlurmRunner, render
from daasbench.runners.slurm.handle import SlurmHandle, parse
from daasbench.runners.slurm.merging import merge_file
from daasbench.runners.slurm.options import check_host, options_of

from daasbench.errors import ScenarioError
from daasbench.model import Job, Planned, digest
from daasbench.testing.runners import sample_job

WHERE = "site.toml: options"


# --- options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('partiton = "gpu"', "did you mean 'partition'?"),
        ("partition = 3", "options.partition: expected"),
        ('sbatch = ["-p gpu"]', "options.sbatch[0]: expected an option of sbatch"),
        ('sbatch = ["--time=3"]', "--time is set by this runner itself"),
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
def test_a_wrong_option_is_refused_with_its_file_and_key(toml: str, message: str) -> None:
    """With what would be right."""
    with pytest.raises(ScenarioError) as caught:
        SlurmRunner().check(tomllib.loads(toml), WHERE)
    assert str(caught.value).startswith("site.toml: ")
    assert message in str(caught.value)


def test_right_options_are_accepted() -> None:
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


def test_the_host_of_a_platform_and_its_arguments_of_ssh_are_checked() -> None:
    check_host({}, "p.toml: options")
    check_host({"host": "user@login.site", "ssh": ["-F", "config"]}, "p.toml: options")
    for bad in ("-oProxyCommand=x", "a b", "", 3):
        with pytest.raises(ScenarioError, match=r"^p\.toml: options\.host: expected a host"):
            check_host({"host": bad}, "p.toml: options")
    with pytest.raises(ScenarioError, match=r"options\.ssh: expected a list of words"):
        check_host({"host": "login", "ssh": "-F config"}, "p.toml: options")
    with pytest.raises(ScenarioError, match="name its host too"):
        check_host({"ssh": ["-F", "config"]}, "p.toml: options")


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


def test_a_script_requests_what_its_cases_need(tmp_path: Path) -> None:
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
        "--time=12",  # 300 s for the input process, 120 s for the limits, 126 s for the case, 120 s more
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
    """`gpus` of a case is per rank; the request to sbatch is per node."""
    (job,) = jobs_of(tmp_path, 1, ranks=4, nodes=2, gpus=1)
    assert "#SBATCH --gpus-per-node=2\n" in SlurmRunner().render(job, tmp_path / job.id).text


def test_jobs_of_one_allocation_become_arrays_of_the_size_that_the_site_allows(tmp_path: Path) -> None:
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
    """By process and allocation, by comparison, or by allocation."""
    job = sample_job(tmp_path, runner="slurm", cases=3)
    cases = [
        msgspec.structs.replace(one.case, implementation=implementation, threads=threads, seed=index)
        for index, (one, threads) in enumerate(zip(job.planned, (1, 1, 4), strict=True))
        for implementation in ("numpy", "numba")
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


def test_a_handle_is_parsed_as_it_was_written() -> None:
    """Also with blanks, another cluster, and arguments of ssh."""
    handle = SlurmHandle(
        id="12_7", host="me@login.site", ssh=["-F", "my config"], cluster="max", name="n", folder="/a b/%&?", poll_s=5.0
    )
    assert parse(handle.url) == handle
    assert parse(SlurmHandle(id="1").url) == SlurmHandle(id="1")
    assert [parse(text) for text in ("slurm:///1.batch", "local:1", "slurm:///", "slurm://[/1")] == [None] * 4


# --- files ------------------------------------------------------------------------------------------------------


def test_a_ledger_that_is_fetched_in_parts_loses_no_line_and_gains_none_twice(tmp_path: Path) -> None:
    """An incomplete last line is ignored; local lines are kept; an earlier copy changes nothing."""
    assert merge_file("records.jsonl", b"a\nb\nc", tmp_path) == 4
    assert (tmp_path / "records.jsonl").read_bytes() == b"a\nb\n"
    (tmp_path / "records.jsonl").write_bytes(b"a\nb\nmine\n")
    merge_file("records.jsonl", b"a\nb\ncc\nd\n", tmp_path)
    merge_file("records.jsonl", b"a\n", tmp_path)
    assert (tmp_path / "records.jsonl").read_bytes() == b"a\nb\nmine\ncc\nd\n"
    merge_file("log", b"long", tmp_path)
    assert merge_file("log", b"lo", tmp_path) == 0
    assert (tmp_path / "log").read_bytes() == b"long"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "records.jsonl"]


def test_options_at_their_defaults_add_nothing_to_the_script(tmp_path: Path) -> None:
    """No partition, no account, no module."""
    (job,) = jobs_of(tmp_path)
    text = SlurmRunner().render(job, tmp_path / job.id).text
    assert options_of(job.platform.options).apart is False
    assert not any(word in text for word in ("--partition", "--account", "module", "None", "--gres", "--gpus"))
