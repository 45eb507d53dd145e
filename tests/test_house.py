"""The rules of the house that a machine can see."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from daasbench.records.layout import (
    JOB_FILE,
    JOBS_FOLDER,
    JOURNAL_FILE,
    LOCK_FILE,
    LOG_FILE,
    RECORDS_FILE,
    RUNS_FOLDER,
    SCENARIO_FILE,
    SCRATCH_FOLDER,
)

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("kernels", "scenarios", "runners", "reports")
MODULES = sorted(path for room in ("daasbench", *ROOMS) for path in (ROOT / room).rglob("*.py"))
SCRIPTS = sorted(path for folder in ("tests", "ci", "docs") for path in (ROOT / folder).rglob("*.py"))
LONGEST = 400
NO_NOUNS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}


def relative(path: Path) -> str:
    """Return a path as people name it."""
    return str(path.relative_to(ROOT))


def tracked_texts() -> Iterator[tuple[str, str]]:
    """Yield name and text of every tracked text file; of every source file where there is no git."""
    try:
        command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        paths = [ROOT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [*MODULES, *SCRIPTS, *ROOT.glob("*.*"), *(ROOT / "docs").rglob("*.md")]
    for path in paths:
        try:
            yield relative(path), path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):  # a picture; a file that is about to be committed away
            continue


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line number and text of every comment."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@functools.cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file, which is read once for all tests."""
    text = path.read_text(encoding="utf-8")
    for _ in range(3):  # CPython 3.11 shares a depth between threads that parse (python/cpython#106905)
        with contextlib.suppress(SystemError):
            return ast.parse(text)
    return ast.parse(text)


def public_things(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield the public functions and classes of a module, and the public methods of its public classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                        yield inner


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {relative(path): len(path.read_text().splitlines()) for path in [*MODULES, *SCRIPTS]}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_every_module_is_named_after_a_noun_of_its_own() -> None:
    assert [relative(path) for path in MODULES if path.stem in NO_NOUNS] == []


def test_every_public_function_and_class_has_a_docstring() -> None:
    bare = []
    for path in MODULES:
        tree = parsed(path)
        bare += [
            f"{relative(path)}:{one.lineno} {one.name}" for one in public_things(tree) if not ast.get_docstring(one)
        ]
    assert bare == []


def test_every_module_says_what_it_is() -> None:
    assert [relative(path) for path in MODULES if not ast.get_docstring(parsed(path))] == []


def test_only_the_command_line_prints() -> None:
    printing = []
    for path in MODULES:
        if (ROOT / "daasbench/cli") in path.parents or path == ROOT / "daasbench/worker.py":
            continue  # the worker's log is where it says why it could not write its ledger
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "click.echo", "click.secho"):
                printing.append(f"{relative(path)}:{node.lineno}")
    assert printing == []


def test_the_worker_prints_into_its_log_only() -> None:
    calls = [n for n in ast.walk(ast.parse((ROOT / "daasbench/worker.py").read_text())) if isinstance(n, ast.Call)]
    printing = [call for call in calls if ast.unparse(call.func) == "print"]
    assert printing
    assert all("file=sys.stderr" in ast.unparse(call) for call in printing)


def test_no_tracked_file_names_a_package_index_or_a_path_of_one_machine() -> None:
    index = r"index-" + r"url|pypi\.org/" + r"simple|files\.python" + r"hosted"
    place = "|".join(re.escape(f"{folder}/") for folder in (ROOT, Path.home()) if len(folder.parts) > 1)
    pattern = re.compile(f"{index}|{place}")
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []


def test_every_silenced_complaint_names_its_code() -> None:
    silent = re.compile(r"#\s*(type:\s*ignore(?!\[[a-z\-, ]+\])|noqa(?!: [A-Z]+\d+))")
    found = [
        f"{relative(path)}:{number}: {comment}"
        for path in [*MODULES, *SCRIPTS]
        for number, comment in comments(path)
        if silent.match(comment)
    ]
    assert found == []


def test_the_file_names_of_a_results_folder_are_written_in_one_module_only() -> None:
    names = {RECORDS_FILE, JOB_FILE, JOURNAL_FILE, SCENARIO_FILE}
    folders_and_logs = {LOCK_FILE, LOG_FILE, JOBS_FOLDER, RUNS_FOLDER, SCRATCH_FOLDER}
    spelled = []
    for path in MODULES:
        if path == ROOT / "daasbench/records/layout.py":
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.split("/")[-1] in names:
                spelled.append(f"{relative(path)}:{node.lineno}: {node.value}")
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                name = getattr(node.right, "value", None)
                spelled += [f"{relative(path)}:{node.lineno}: {name}"] if name in folders_and_logs else []
    assert spelled == []


# Our own runners reach into the engine where its public part is not enough; no other plug-in may.
REACHES = {
    "kernels": {"daasbench.authoring", "daasbench.compute", "daasbench.formats"},  # the packages themselves
    "runners": {
        "daasbench.authoring.user_file",
        "daasbench.compute.backends",
        "daasbench.host.clock",
        "daasbench.host.code_fingerprint",
        "daasbench.measure.dask.options",
        "daasbench.measure.dask.slurm_workers",
        "daasbench.measure.dask.worker_checks",
        "daasbench.scenario.input_files",
    },
    "reports": {"daasbench.host.containers"},
}


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and name of every module of daasbench that a module of a plug-in room imports absolutely."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.startswith("daasbench"))
        elif isinstance(node, ast.ImportFrom) and not node.level and str(node.module).startswith("daasbench"):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                module = ROOT / name.replace(".", "/")
                yield node.lineno, name if module.with_suffix(".py").exists() or module.is_dir() else str(node.module)


@pytest.mark.parametrize("room", ["kernels", "runners", "reports"])
def test_a_plug_in_room_imports_only_public_modules_of_the_engine(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    make_api = importlib.import_module("make_api")
    audiences = [audience for audience in make_api.AUDIENCES if audience.room in ("", room)]
    public = {name for audience in audiences for name in make_api.existing(audience)} | REACHES[room]
    private = [
        f"{relative(path)}:{line}: {name}"
        for path in (ROOT / room).rglob("*.py")
        for line, name in imported(path)
        if name not in public
    ]
    assert private == [], "docs/make_api.py lists the public modules"


@pytest.mark.parametrize("room", REACHES)
def test_every_reach_into_the_engine_is_still_needed(room: str) -> None:
    names = {name for path in (ROOT / room).rglob("*.py") for _, name in imported(path)}
    packages = {"daasbench.authoring", "daasbench.compute", "daasbench.formats"}
    assert REACHES[room] - names - packages == set()


@pytest.mark.parametrize("group", ["kernels", "runners", "reports"])
def test_every_entry_point_of_ours_resolves(group: str) -> None:
    ours = [one for one in metadata.entry_points(group=f"daasbench.{group}") if one.value.startswith("daasbench.")]
    assert ours
    for point in ours:
        assert point.load() is not None


def test_the_declared_version_is_the_packages() -> None:
    import daasbench

    assert metadata.version("daasbench") == daasbench.__version__


def test_no_class_of_a_report_shares_its_name_with_another_outside_of_the_kernels() -> None:
    found: dict[str, list[str]] = {}
    for path in MODULES:
        if ROOT / "kernels" not in path.parents:
            for node in parsed(path).body:
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, []).append(relative(path))
    twice = {name: paths for name, paths in found.items() if len(paths) > 1}
    assert {name: paths for name, paths in twice.items() if any(path.startswith("reports/") for path in paths)} == {}


def test_the_stable_functions_and_nothing_else_are_in_the_package() -> None:
    import daasbench

    assert dir(daasbench) == ["__version__", "kernel", "load", "price", "ratio"]
    assert all(getattr(daasbench, name) for name in dir(daasbench))


@pytest.mark.parametrize("package", ["evidence", "model", "records", "scenario", "statistics"])
def test_every_name_that_a_package_exports_exists(package: str) -> None:
    module = importlib.import_module(f"daasbench.{package}")
    assert all(getattr(module, name) is not None for name in module.__all__)


def test_statistics_are_imported_without_scipy_and_evidence_without_pandas() -> None:
    code = "import sys, daasbench.evidence, daasbench.statistics; print({'scipy', 'pandas'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
