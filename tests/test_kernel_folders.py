"""Rules for every kernel that is a folder."""

from __future__ import annotations

import ast
import importlib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import daasbench.kernels
import pytest

from daasbench import registry
from daasbench.authoring.folder import FolderKernel, implementation
from daasbench.contracts import Card, Options

FOLDER = Path(next(iter(daasbench.kernels.__path__)))
FOLDERS = sorted(path.parent for path in FOLDER.glob("*/problem.py"))


def imports_of(file: Path, folder: Path) -> set[Path]:
    """Return the modules of `folder` that `file` imports anywhere in its code, also for types only."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        start = file.parent if node.level == 1 else file.parent.parent
        named = start.joinpath(*(node.module or "").split("."))
        candidates = [named.with_suffix(".py"), *(named / f"{alias.name}.py" for alias in node.names)]
        found |= {one for one in candidates if one.is_file() and folder in one.parents}
    return found - {file}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_modules_of_a_kernel_import_each_other_in_a_circle(folder):
    graph = {file: imports_of(file, folder) for file in folder.rglob("*.py")}
    assert any(graph.values())
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(str(file.relative_to(folder)) for file in error.args[1]))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_problem_makes_and_the_oracle_judges(folder):
    kernel = registry.kernel(folder.name)
    assert isinstance(kernel, FolderKernel)
    problem, oracle = (importlib.import_module(f"{kernel.folder}.{part}") for part in ("problem", "oracle"))
    parts = ("survey", "work", "make", "read") if kernel.reads_files else ("work", "make")
    assert all(callable(getattr(problem, part)) for part in parts)
    assert all(callable(getattr(oracle, part)) for part in ("expect", "verify"))
    assert not hasattr(problem, "verify")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_implementation_of_a_kernel_is_a_module_with_a_prepare(folder):
    for one in registry.kernel(folder.name).implementations.values():
        file = folder.joinpath(*one.load.module.split(".")).with_suffix(".py")  # type: ignore[attr-defined]
        functions = {node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)}
        assert one.load.function in functions, one.name  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("declared", "module", "function"),
    [
        (implementation("numba"), ".with_numba", "prepare"),
        (implementation("mpi4py-fft"), ".with_mpi4py_fft", "prepare"),
        (implementation("pyfai", peer=True), ".peers.with_pyfai", "prepare"),
        (implementation("mpi-fftw", ".with_mpi:prepare_fftw"), ".with_mpi", "prepare_fftw"),
        (implementation("theirs", "their.package:make", peer=True), "their.package", "make"),
    ],
)
def test_where_an_implementation_is_follows_from_its_name_unless_it_says_so(declared, module, function):
    assert (declared.load.module, declared.load.function) == (module, function)


def made(**facts):
    """Return a kernel without a folder, with one implementation."""
    return FolderKernel(
        name="mine",
        folder="not.there",
        card=Card(title="Mine", unit="frame"),
        sizes={},
        options=Options,
        **facts,
    )


def test_a_module_outside_of_the_folder_is_imported_by_its_whole_name():
    kernel = made(implementations=[implementation("joined", "os.path:join")])
    assert kernel.implementations["joined"].load() is importlib.import_module("os.path").join


def test_a_judgement_that_a_kernel_does_not_know_is_refused():
    kernel = made(implementations=[], judgements={"loosely": "to some 10 %"})
    with pytest.raises(ValueError, match=r"kernel mine: no judgement 'looselly'; did you mean 'loosely'"):
        kernel.verify(None, None, 0, None, "looselly")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_oracle_knows_an_implementation_by_its_name(folder):
    """It uses the declared judgement; a package may be named only to find out whether it is installed."""
    tree = ast.parse((folder / "oracle.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    sought = {arg for call in calls if ast.unparse(call.func).endswith("find_spec") for arg in call.args}
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in sought}
    assert words.isdisjoint(registry.kernel(folder.name).implementations)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_judgement_is_explained_used_and_known_to_the_oracle(folder):
    kernel = registry.kernel(folder.name)
    declared = {one.judged_as for one in kernel.implementations.values()} - {""}
    assert declared == set(kernel.judgements)
    assert all(len(meaning.split()) > 3 for meaning in kernel.judgements.values())
    tree = ast.parse((folder / "oracle.py").read_text())
    assert declared <= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def test_a_card_has_the_plural_of_its_unit_which_it_gives_where_that_is_irregular():
    assert Card(title="", unit="frame").units == "frames"
    assert Card(title="", unit="spectrum", units="spectra").units == "spectra"
    assert {registry.kernel(name).card.units for name in ("detector_io", "xrf_mapping")} == {"GB", "spectra"}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*/with_cupy.py")), ids=lambda file: file.parent.name)
def test_cuda_source_is_where_the_contract_compiles_it(file):
    text = file.read_text()
    assert ("\nSOURCE = " in text) is ("RawKernel(" in text or "RawModule(" in text)
