"""A scenario becomes cells: every cell explicit, its id a hash of what is computed and by what."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from daasbench.authoring.function import FunctionKernel
from daasbench.contracts import OF_INPUT, FilePath, Options
from daasbench.errors import InputError, ScenarioError
from daasbench.model import Case, Planned
from daasbench.scenario.cores import share_cores
from daasbench.scenario.grouping import group, resume_key
from daasbench.scenario.input_files import content_hash, find_file
from daasbench.scenario.plan import Plan, load

CORES = 8


class FakeOptions(Options, frozen=True, kw_only=True):
    """Options of the fake kernel."""

    bins: int = 10
    mask: FilePath | None = None
    dataset: Annotated[str | None, OF_INPUT] = None


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FunctionKernel:
    """Return a kernel with every kind of implementation, installed as ``fake``."""
    made = FunctionKernel(
        name="fake",
        reference=lambda inputs: 0,
        unit="frame",
        oracle=lambda inputs, got: 0.0,
        tolerance=1.0,
        options=FakeOptions,
        sizes={"tiny": {}, "small": {}},
        reads_files=True,
    )
    made._read = lambda path: {}
    made._add("numpy", lambda inputs: 0, threads=False)
    made._add("numba", lambda inputs: 0)
    made._add("mpi", lambda inputs: 0, backend="ranks")
    made._add("cupy", lambda inputs: 0, backend="cuda", gpus=1, threads=False)
    made._add("peer", lambda inputs: 0, peer=True, requires=("numpy",))
    made._add("absent", lambda inputs: 0, peer=True, requires=("not_there_at_all",))
    monkeypatch.setattr("daasbench.registry.kernel", lambda name: made)
    return made


@pytest.fixture
def plan_of(fake: FunctionKernel, tmp_path: Path):
    """Return a function that loads a scenario of one table of cases."""

    def make(*, platforms: list[str] | None = None, repeat: dict[str, Any] | None = None, **block: Any) -> Plan:
        raw = {
            "question": "?",
            "platforms": platforms or ["here"],
            "cases": [{"kernel": "fake", "implementations": "numba", "threads": 1, **block}],
            "repeat": repeat or {"processes": 1},
        }
        return load(raw, name="q", where="q.toml", folder=tmp_path, cores_here=CORES, gpus_here=2)

    return make


def cells(plan: Plan, *fields: str) -> list[tuple[Any, ...]]:
    """Return these fields of every case."""
    return [tuple(getattr(cell.case, one) for one in fields) for cell in plan.cells]


# --- expanding ------------------------------------------------------------------------------------------------


def test_lists_expand_to_a_grid(plan_of):
    found = cells(plan_of(sizes=["tiny", "small"], seed=[0, 1], threads=[1, 2]), "size", "seed", "threads")
    assert len(found) == 8
    assert set(found) == {(size, seed, n) for size in ("tiny", "small") for seed in (0, 1) for n in (1, 2)}


def test_zip_pairs_axes(plan_of):
    plan = plan_of(implementations="mpi", ranks=[1, 2, 4], threads=[8, 4, 2], zip=[["ranks", "threads"]])
    assert cells(plan, "ranks", "threads") == [(1, 8), (2, 4), (4, 2)]


def test_zip_pairs_axes_whose_counts_are_equal_on_this_machine(plan_of):
    plan = plan_of(implementations="mpi", ranks=[1, CORES], threads=["max", 1], zip=[["ranks", "threads"]])
    assert cells(plan, "ranks", "threads") == [(1, CORES), (CORES, 1)]


@pytest.mark.parametrize(
    ("nodes", "ranks", "threads", "shared"),
    [
        (1, "max", "max", (8, 1)),
        (1, "max", 2, (4, 2)),
        (1, 4, "max", (4, 2)),
        (1, 3, "max", (3, 2)),
        (1, 1, "max", (1, 8)),
        (1, 16, "max", (16, 1)),
        (1, "max", 16, (1, 16)),
        (1, 16, 16, (16, 16)),
        (2, "max", "max", (16, 1)),
        (2, "max", 4, (4, 4)),
        (2, 4, "max", (4, 4)),
        (2, 3, "max", (3, 4)),
    ],
)
def test_ranks_and_threads_share_the_cores_of_a_node(nodes, ranks, threads, shared):
    assert share_cores(8, nodes, ranks, threads) == shared


def test_an_implementation_that_was_not_named_has_a_note_on_its_ranks(plan_of):
    assert any(
        "the implementation mpi uses 1 rank with all threads" in note for note in plan_of(implementations="all").notes
    )
    assert not plan_of(implementations="all", ranks="max").notes
    assert not plan_of(implementations="mpi").notes


def test_axes_that_an_implementation_does_not_have_collapse_to_one_cell(plan_of):
    plan = plan_of(implementations="all", nodes=[1, 2], ranks=[1, 2], threads=[1, 2], gpus=[1, 2])
    by_implementation: dict[str, list[tuple[int, ...]]] = {}
    for cell in plan.cells:
        case = cell.case
        by_implementation.setdefault(case.implementation, []).append((case.nodes, case.ranks, case.threads, case.gpus))
    assert by_implementation["numpy"] == [(1, 1, 1, 0)]
    assert by_implementation["numba"] == [(1, 1, 1, 0), (1, 1, 2, 0)]
    assert by_implementation["cupy"] == [(1, 1, 1, 1), (1, 1, 1, 2)]
    assert len(by_implementation["mpi"]) == 8


def test_max_is_the_usable_cores_and_duplicates_are_merged(plan_of):
    assert cells(plan_of(threads=[1, CORES, "max"]), "threads") == [(1,), (CORES,)]
    assert cells(plan_of(implementations="mpi", ranks="max", nodes="max"), "nodes", "ranks") == [(1, CORES)]
    assert cells(plan_of(implementations="cupy", gpus="max"), "gpus") == [(2,)]
    assert len(plan_of(sizes=["tiny", "tiny"], implementations=["numba", "numba"]).cells) == 1


def test_max_is_what_the_platform_declares(plan_of, tmp_path):
    (tmp_path / "big.toml").write_text('runner = "local"\nnodes = 3\ncores_per_node = 64\ngpus_per_node = 4')
    plan = plan_of(platforms=["./big.toml"], implementations="mpi", nodes="max", threads="max")
    assert cells(plan, "nodes", "threads") == [(3, 64)]
    assert cells(plan_of(platforms=["./big.toml"], implementations="cupy", gpus="max"), "gpus") == [(4,)]


def test_all_is_every_implementation_but_peers_and_peers_adds_what_is_installed(plan_of):
    assert cells(plan_of(implementations="all"), "implementation") == [("numpy",), ("numba",), ("mpi",), ("cupy",)]
    with_peers = cells(plan_of(implementations="peers"), "implementation")
    assert with_peers == [("numpy",), ("numba",), ("mpi",), ("cupy",), ("peer",)]
    assert cells(plan_of(implementations=["absent", "numpy"]), "implementation") == [("absent",), ("numpy",)]


def test_every_platform_has_its_cells(plan_of, tmp_path):
    (tmp_path / "other.toml").write_text('runner = "local"')
    plan = plan_of(platforms=["here", "other.toml"])
    assert [cell.platform for cell in plan.cells] == ["here", "other"]
    assert list(plan.platforms) == ["here", "other"]


def test_a_kernel_may_be_a_file_next_to_the_scenario(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.py").write_text(
        "from daasbench import kernel\n"
        "@kernel(unit='a', oracle=lambda i, g: 0, tolerance=1)\n"
        "def mine(inputs): return 0\n"
        "@mine.inputs(tiny={'n': 1})\n"
        "def make(n): return 0\n"
    )
    raw = {"question": "?", "platforms": ["here"], "cases": [{"kernel": "sub/mine.py:mine", "sizes": "tiny"}]}
    [cell] = load(raw, name="q", where="q.toml", folder=tmp_path, cores_here=1).cells
    assert cell.source == str(tmp_path / "sub" / "mine.py")
    assert cell.case.version.startswith("file-")


def test_two_kernels_of_one_name_are_refused(tmp_path):
    text = (
        "from daasbench import kernel\n@kernel(unit='a', oracle=lambda i, g: 0, tolerance=1)\ndef mine(i): return 0\n"
    )
    text += "@mine.inputs(small={})\ndef make(): return 0\n"
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(text)
    raw = {"question": "?", "platforms": ["here"], "cases": [{"kernel": "./a.py"}, {"kernel": "./b.py"}]}
    with pytest.raises(ScenarioError, match=r"cases\[1\].kernel: two kernels are called 'mine'"):
        load(raw, name="q", where="q.toml", folder=tmp_path, cores_here=1)


# --- files ----------------------------------------------------------------------------------------------------


def test_a_measured_file_that_is_absent_is_replaced_by_generated_data_with_a_note(plan_of, tmp_path, monkeypatch):
    monkeypatch.setenv("DAASBENCH_DATA", str(tmp_path / "data"))
    block = {"input": "data:a/frames.h5", "sizes": "tiny", "options": {"dataset": "/x", "mask": "data:m.tif"}}
    plan = plan_of(**block)
    assert plan.notes == [
        "fake: the measured file a/frames.h5 is not in DAASBENCH_DATA; generated data are used instead"
    ]
    [cell] = plan.cells
    assert (cell.case.size, cell.case.seed, cell.case.input) == ("tiny", 0, None)
    assert cell.case.options == {}  # those that describe the file went with it
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "frames.h5").write_bytes(b"frames")
    (tmp_path / "data" / "m.tif").write_bytes(b"mask")
    plan = plan_of(**block)
    assert plan.notes == []
    [cell] = plan.cells
    assert (cell.case.size, cell.case.seed, cell.case.input) == (None, None, "data:a/frames.h5")
    assert cell.case.files == {"mask": "m.tif"}
    assert cell.case.options == {"dataset": "/x"}


def test_an_option_of_a_file_is_refused_without_one(plan_of):
    with pytest.raises(ScenarioError, match=r"cases\[0\].options.dataset: describes a file, but no file is given"):
        plan_of(options={"dataset": "/x"})


def test_what_a_plug_in_raises_about_a_file_or_a_size_is_one_sentence(plan_of, fake, tmp_path, monkeypatch):
    (tmp_path / "f.h5").write_bytes(b"")

    def broken(*_: object) -> None:
        raise KeyError("no such lens")

    monkeypatch.setattr(fake, "survey", broken)
    with pytest.raises(
        InputError, match=r"f.h5: kernel fake cannot read it; the file may be damaged: KeyError: 'no such lens'"
    ):
        plan_of(input="f.h5")
    monkeypatch.setattr(fake, "work", broken)
    with pytest.raises(ScenarioError, match=r"q.toml: cases\[0\]: kernel fake cannot describe its problem: KeyError"):
        plan_of()


def test_a_file_is_found_next_to_the_scenario(tmp_path):
    (tmp_path / "frames.h5").write_bytes(b"frames")
    assert find_file("frames.h5", tmp_path) == tmp_path / "frames.h5"
    assert find_file(str(tmp_path / "frames.h5"), Path("/")) == tmp_path / "frames.h5"


def test_the_hash_of_files_is_of_their_content_and_purpose_not_of_their_names(tmp_path):
    for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (str(tmp_path / name) for name in "abc")
    assert content_hash({"input": a}) == content_hash({"input": b})
    assert content_hash({"input": a}) != content_hash({"input": c})
    assert content_hash({"input": a}) != content_hash({"mask": a})
    assert content_hash({"input": a, "mask": c}) == content_hash({"mask": c, "input": a})
    assert content_hash({"input": a, "mask": c}) != content_hash({"input": c, "mask": a})


def test_of_a_large_file_its_size_and_even_samples_count(tmp_path, monkeypatch):
    monkeypatch.setattr("daasbench.scenario.input_files.SAMPLE_BYTES", 4)
    path = tmp_path / "large"
    content = bytearray(1000)
    path.write_bytes(content)
    before = content_hash({"input": str(path)})
    for place in (0, 998):
        changed = copy.copy(content)
        changed[place] = 1
        path.write_bytes(changed)
        assert content_hash({"input": str(path)}) != before
    path.write_bytes(bytes(1001))
    assert content_hash({"input": str(path)}) != before


# --- identity -------------------------------------------------------------------------------------------------

FIXED = Case(kernel="azimuthal_integration", implementation="numba", version="0.1.0", size="small", seed=0, threads=2)


def test_ids_do_not_depend_on_where_files_lie_how_keys_are_ordered_or_how_often_is_repeated(plan_of, tmp_path):
    (tmp_path / "one.h5").write_bytes(b"frames")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "two.h5").write_bytes(b"frames")
    (tmp_path / "three.h5").write_bytes(b"other frames")
    one = plan_of(input="one.h5", options={"bins": 5, "dataset": "/x"})
    two = plan_of(input="sub/two.h5", options={"dataset": "/x", "bins": 5}, repeat={"processes": 7, "limit_s": 9})
    three = plan_of(input="three.h5", options={"bins": 5, "dataset": "/x"})
    assert one.cells[0].case.id == two.cells[0].case.id
    assert one.cells[0].case.id != three.cells[0].case.id


def test_an_option_at_its_default_is_no_other_case(plan_of):
    assert plan_of(options={"bins": 10}).cells[0].case.id == plan_of().cells[0].case.id


def test_what_a_kernel_of_the_users_own_is_follows_from_its_content(tmp_path):
    text = (
        "from daasbench import kernel\n@kernel(unit='a', oracle=lambda i, g: 0, tolerance=1)\ndef mine(i): return 0\n"
    )
    text += "@mine.inputs(small={})\ndef make(): return 0\n"
    ids = []
    for name, content in (("a.py", text), ("b.py", text), ("c.py", text + "# changed\n")):
        (tmp_path / name).write_text(content)
        raw = {"question": "?", "platforms": ["here"], "cases": [{"kernel": f"./{name}"}]}
        plan = load(raw, name="q", where="q.toml", folder=tmp_path, cores_here=1)
        ids.append(plan.cells[0].case.id)
    assert ids[0] == ids[1] != ids[2]


def test_a_resume_key_depends_on_case_platform_process_and_commit():
    keys = {
        resume_key(FIXED, "here", 0, "c"),
        resume_key(FIXED, "there", 0, "c"),
        resume_key(FIXED, "here", 1, "c"),
        resume_key(FIXED, "here", 0, "d"),
        resume_key(msgspec.structs.replace(FIXED, seed=1), "here", 0, "c"),
    }
    assert len(keys) == 5


def test_a_plan_is_found_again_by_what_it_measures_not_by_its_texts(plan_of):
    plan = plan_of()
    other_text = msgspec.structs.replace(
        plan, scenario=msgspec.structs.replace(plan.scenario, question="Really?"), notes=["n"]
    )
    assert other_text.identity == plan.identity
    assert plan_of(seed=1).identity != plan.identity
    assert plan_of(repeat={"processes": 2}).identity != plan.identity


# --- jobs -----------------------------------------------------------------------------------------------------


def test_cells_are_grouped_to_one_job_a_platform_in_an_order_that_the_run_decides(plan_of, tmp_path):
    (tmp_path / "other.toml").write_text('runner = "local"')
    plan = plan_of(platforms=["here", "other.toml"], seed=list(range(20)))
    todo: dict[str, list[Planned]] = {}
    for cell in plan.cells:
        planned = Planned(key=resume_key(cell.case, cell.platform, 0, "c"), case=cell.case, process=0)
        todo.setdefault(cell.platform, []).append(planned)
    jobs = group(plan, todo, run="r", first=3, commit="c")
    assert [job.id[:4] for job in jobs] == ["003-", "004-"]
    assert {job.platform_name: job.interleaved_with for job in jobs} == {"here": ["other"], "other": ["here"]}
    for job in jobs:
        assert sorted(one.key for one in job.planned) == sorted(one.key for one in todo[job.platform_name])
        assert job.planned != todo[job.platform_name]
    assert group(plan, todo, run="r", first=3, commit="c") == jobs
    assert group(plan, todo, run="s", first=3, commit="c")[0].planned != jobs[0].planned


def test_platforms_of_one_machine_are_interleaved_by_sets_of_processes(plan_of, tmp_path):
    names = ["here", "one", "other"]
    for name in names[1:]:
        (tmp_path / f"{name}.toml").write_text('runner = "local"')
    plan = plan_of(platforms=["here", "one.toml", "other.toml"], seed=[0, 1], repeat={"processes": 8})
    todo: dict[str, list[Planned]] = {}
    for process in range(8):
        for cell in plan.cells:
            key = resume_key(cell.case, cell.platform, process, "c")
            todo.setdefault(cell.platform, []).append(Planned(key=key, case=cell.case, process=process))
    jobs = group(plan, todo, run="r", first=1, commit="c")
    visits = [(job.platform_name, *{one.process for one in job.planned}) for job in jobs]
    rounds = [visits[start : start + 3] for start in range(0, 24, 3)]
    assert all(sorted(round_) == [(name, process) for name in names] for process, round_ in enumerate(rounds))
    assert len({tuple(name for name, _ in round_) for round_ in rounds}) > 2, "always in the same order"
    assert sorted(one.key for job in jobs for one in job.planned) == sorted(p.key for ps in todo.values() for p in ps)
    alone = group(plan, {"here": todo["here"]}, run="r", first=1, commit="c")
    assert [(job.id, job.interleaved_with, len(job.planned)) for job in alone] == [("001-here", [], 16)]


def test_a_table_of_cases_may_be_measured_on_some_of_the_platforms(fake, tmp_path):
    (tmp_path / "other.toml").write_text('runner = "local"')

    def on(name: str) -> Plan:
        block = {"kernel": "fake", "implementations": "numba", "threads": 1, "platforms": [name]}
        raw = {"question": "?", "platforms": ["here", "other.toml"], "cases": [block]}
        return load(raw, name="q", where="q.toml", folder=tmp_path, cores_here=CORES)

    assert {cell.platform for cell in on("other").cells} == {"other"}
    with pytest.raises(ScenarioError, match=r"cases\[0\]\.platforms: no platform of this scenario 'othr'; did you"):
        on("othr")


def test_every_shipped_scenario_and_platform_loads(tmp_path, monkeypatch):
    monkeypatch.setenv("DAASBENCH_DATA", str(tmp_path))  # empty: generated data is always there
    from daasbench.host import toml_file
    from daasbench.scenario.platforms import load_platform, shipped_files

    shipped = shipped_files()
    assert "quickstart" in shipped
    for stem, path in shipped.items():
        plan = load(toml_file.read(path), name=stem, where=path.name, folder=path.parent, cores_here=2)
        assert plan.cells
    for stem, path in shipped_files("platforms").items():
        assert load_platform(str(path), path.parent, path.name)[0] == stem
