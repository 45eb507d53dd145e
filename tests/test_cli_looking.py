"""The commands that only look, the help of all of them, and the command as a process of its own."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from daasbench.cli import COMMANDS, daasbench
from daasbench.errors import UsageError
from daasbench.evidence.table import load
from daasbench.host import launchers

KERNEL = """\
from daasbench import kernel
@kernel(unit="frame", oracle=lambda inputs, got: 0, tolerance=0)
def frame_sums(inputs):
    return 0
@frame_sums.inputs(tiny={"n": 4})
def frames(n, rng):
    return {"frames": rng.random((n, 64, 64))}
@frame_sums.implementation("absent", requires=("not_there_at_all",))
def absent(inputs):
    return None
"""

SCENARIO = """\
question = "How fast are sums?"
platforms = ["here"]
[[cases]]
kernel = "./sums.py"
implementations = "absent"
sizes = "tiny"
cache = true
[repeat]
processes = 1
"""


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    """Return the path of a scenario of which nothing can be run here."""
    (tmp_path / "sums.py").write_text(KERNEL)
    (tmp_path / "sums.toml").write_text(SCENARIO)
    return tmp_path / "sums.toml"


# --- looking --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["kernels", "scenarios", "platforms", "runners", "reports"])
def test_everything_installed_is_listed(say, kind):
    said = say("list", kind)
    assert said.code == 0
    message = json.loads(say("list", kind, "--json").out)
    assert (message["schema"], message["kind"], message["warnings"]) == (1, kind, [])
    assert message["entries"]
    for entry in message["entries"]:
        assert set(entry) == {"name", "what", "from", "error"}
        assert entry["error"] is None
        assert entry["name"] in said.out


def test_a_kernel_is_shown_with_its_sizes_options_and_implementations(say, sums):
    said = say("show", "kernel", "azimuthal_integration")
    assert said.code == 0
    for word in ("sizes", "options", "implementations", "bins", "Number of radial bins", "doi.org"):
        assert word in said.out
    message = json.loads(say("show", "kernel", "azimuthal_integration", "--json").out)
    assert {"option": "bins", "default": 1000, "what": "Number of radial bins."} in message["options"]
    assert json.loads(say("show", "kernel", "./sums.py", "--json").out)["kernel"] == "frame_sums"


def test_files_and_reports_are_shown(say, sums):
    assert 'runner = "local"' in say("show", "platform", "here").out
    assert "question" in say("show", "scenario", "quickstart").out
    assert json.loads(say("show", "scenario", "./sums.toml", "--json").out)["text"] == SCENARIO
    assert "html" in say("show", "report", "summary").out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["show", "kernel", "tomografy"], "no kernel 'tomografy'; did you mean 'tomography'"),
        (["show", "scenario", "quikstart"], "no scenario 'quikstart'; did you mean 'quickstart'"),
        (["show", "scenario", "./nowhere.toml"], "nowhere.toml: no such file"),
        (["show", "platform", "hear"], "no platform 'hear'; did you mean 'here'"),
        (["show", "report", "sumary"], "no report 'sumary'; did you mean 'summary'"),
        (["show", "colour", "red"], "no kind 'colour' (known: kernel, log, platform, report, scenario"),
        (["show", "kernell", "tomography"], "no kind 'kernell'; did you mean 'kernel'"),
        (["show"], "show: missing argument 'KIND'; it is one of: kernel, scenario, platform, report"),
        (["list", "kernelss"], "no kind 'kernelss'; did you mean 'kernels'"),
        (["list", "--jsn"], "; did you mean '--json'; see daasbench list --help"),
        (
            ["doctor", "--all", "--platform", "here"],
            "--all: lists the implementations of this machine; remove --platform",
        ),
        (["statsu"], "no command 'statsu'; did you mean 'status'"),
        (["status"], "results: nothing measured yet: daasbench run quickstart"),
        (["status", "--results", "."], ".: nothing measured yet: daasbench run quickstart --results ."),
        (["status", "--results", "nowhere"], "nowhere: no such folder; name a results folder with --results DIR"),
        (["status", "20261201"], "results: nothing measured yet: daasbench run quickstart"),
        (["show", "log", "20261201"], "results: nothing measured yet: daasbench run quickstart"),
        (["collect"], "results: nothing measured yet: daasbench run quickstart"),
        (["cancel"], "results: nothing measured yet: daasbench run quickstart"),
        (["results"], "results: nothing measured yet: daasbench run quickstart"),
        (["results", "--columns", "median"], "--columns: no column 'median'; did you mean 'median_s'"),
        (["results", "--columns", "kernel,kernel"], "a column is named twice"),
        (["results", "--json", "--csv", "-"], "--json and --csv -: both would be written to standard output"),
        (["results", "--results", "nowhere", "--json"], "nowhere: no such folder"),
        (["results", "--results", "q.toml"], "q.toml: no such folder"),
        (["report", "sumary"], "no report 'sumary'; did you mean 'summary'"),
        (["report", "summary", "--format", "htm"], "--format htm: no format 'htm'; did you mean 'html'"),
        (["report", "summary", "--format", ""], "no format ''"),
        (["report", "summary", "--format", "md", "--open"], "--open: no HTML page is written; add --format html"),
        (["report", "summary"], "results: nothing measured yet: daasbench run quickstart"),
        (["report"], "report: missing argument 'REPORT'"),
    ],
    ids=" ".join,
)
def test_a_wrong_word_is_one_sentence_and_exit_code_2(say, words, sentence):
    said = say(*words)
    assert said.code == 2
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_doctor_names_the_microarchitecture_beside_the_processor_where_it_is_known(say, monkeypatch):
    for known, shown in (("zen4", " (zen4), "), (None, ", ")):
        monkeypatch.setattr("daasbench.host.machine._microarchitecture", lambda known=known: known)
        message = json.loads(say("doctor", "--json").out)["machine"]
        assert message.get("microarchitecture") == known
        assert f"machine   {message['cpu']}{shown}" in say("doctor").out


def test_doctor_says_what_is_missing_and_how_to_get_it(say, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pyFAI" else find_spec(name))
    said = say("doctor")
    assert said.code == 0
    assert "usable cores" in said.out
    assert said.out.count("pip install") == 1, "one command for all that is missing"
    assert re.search(r"\nto install what is missing:\n  .*-m pip install .*\[[\w,-]*peers[\w,-]*\]", said.out)
    message = json.loads(say("doctor", "--json").out)
    absent = {
        (one["kernel"], one["implementation"]): one["fix"] for one in message["implementations"] if one["missing"]
    }
    assert "[peers]" in str(absent["azimuthal_integration", "pyfai"])
    here = [one for one in message["implementations"] if one["implementation"] == "numpy"]
    assert all(one["missing"] is None for one in here)
    assert message["broken"] == []


def test_doctor_begins_with_one_line_and_names_each_missing_requirement_once(say, monkeypatch):
    monkeypatch.setattr("daasbench.compute.backends.has_nvidia_gpu", lambda: False)
    said = say("doctor")
    rows = json.loads(say("doctor", "--json").out)["implementations"]
    usable = sum(row["missing"] is None for row in rows)
    assert said.out.startswith(f"{usable} of {len(rows)} implementations run on this machine\n")
    cupy = sum(row["implementation"] == "cupy" for row in rows)
    assert re.findall(r"\n +(\d+)  .*: no NVIDIA GPU in this machine", said.out) == [str(cupy)]
    for missing in {row["missing"] for row in rows if row["missing"]}:
        assert said.out.count(f": {missing}") == 1
    assert "daasbench doctor --all" in said.out


def test_doctor_lists_every_implementation_with_a_legend_on_demand(say):
    said = say("doctor", "--all")
    for row in json.loads(say("doctor", "--json").out)["implementations"]:
        state = row["missing"] or "yes"
        assert re.search(rf"\n{row['kernel']} +{row['implementation']} +{row['kind']} +{re.escape(state)}", said.out)
    assert "kind: ours = written for daasbench; peer = a package of others" in said.out


def test_doctor_says_what_starts_ranks_and_workers_and_what_is_missing(say, monkeypatch):
    monkeypatch.setattr("daasbench.compute.backends.mpi_version_text", lambda: "MPICH Version:      5.0.2\nmore")
    monkeypatch.setattr("daasbench.host.launchers.require_launcher", lambda options: None)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("distributed", "dask") else find_spec(name)
    )
    message = say("doctor").out
    assert f"MPI       MPICH 5.0.2, ranks are started by {launchers.default_launcher()}\n" in message
    assert "Dask      none: Dask's distributed is not installed\n" in message
    assert re.search(r"-m pip install .*\[[\w,-]*dask[\w,-]*\]", message)
    engines = json.loads(say("doctor", "--json").out)["engines"]
    assert [(one["name"], one["missing"] is None) for one in engines] == [("MPI", True), ("Dask", False)]


# --- help -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_reads_well_and_leads_to_the_exit_codes(say, name):
    said = say(name, "--help")
    assert said.code == 0
    assert "Exit codes: " in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    command = daasbench.get_command(None, name)  # type: ignore[arg-type]  # it needs no context
    for parameter in command.params:  # type: ignore[union-attr]  # every name of COMMANDS is one
        if parameter.param_type_name == "option":
            assert re.fullmatch(r'[A-Z"].*[.:]', parameter.help), parameter.name


def test_the_help_names_every_command_and_exit_code(say):
    said = say("--help")
    for word in (*COMMANDS, "Exit codes", "130"):
        assert word in said.out


def test_the_page_of_the_command_line_is_what_the_commands_say(checkout):
    spec = importlib.util.spec_from_file_location("make_cli", checkout / "docs" / "make_cli.py")
    assert spec is not None
    assert spec.loader is not None
    make_cli = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_cli)
    page = make_cli.FILE.read_text(encoding="utf-8")
    assert page == make_cli.page(), "run: python docs/make_cli.py"


def test_every_key_of_every_json_output_is_documented(say, sums, checkout):
    page = (checkout / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    say("run", "./sums.toml")
    commands = [
        ["run", "./sums.toml", "--json"],
        ["run", "./sums.toml", "--json", "--dry-run"],
        ["list", "kernels", "--json"],
        ["show", "kernel", "tomography", "--json"],
        ["show", "report", "summary", "--json"],
        ["doctor", "--json"],
        ["status", "--json"],
        ["collect", "--json"],
        ["results", "--json"],
        ["list", "--json"],
    ]
    for words in commands:
        message = json.loads(say(*words).out)
        inside = [one[0] for one in message.values() if isinstance(one, list) and one and isinstance(one[0], dict)]
        keys = set(message) | {key for one in inside if "median_s" not in one for key in one}
        missing = {key for key in keys if f"`{key}`" not in page}
        assert not missing, f"{words}: {missing}"


# --- in a process of its own ----------------------------------------------------------------------------------


def run_python(code: str, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code as a process of its own."""
    return subprocess.run([sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True)


def test_help_and_import_load_no_heavy_library(tmp_path):
    heavy = "{'numpy', 'pandas', 'msgspec', 'psutil', 'rich', 'numba', 'h5py', 'scipy'}"
    code = (
        f"import sys; from daasbench.cli import _run; _run(['--help'], debug=False); print({heavy} & set(sys.modules))"
    )
    assert run_python(code, folder=tmp_path).stdout.splitlines()[-1] == "set()"
    code = f"import sys, daasbench; print(({heavy} | {{'click'}}) & set(sys.modules))"
    assert run_python(code, folder=tmp_path).stdout == "set()\n"


def test_an_internal_error_is_one_sentence_and_a_traceback_only_on_demand(tmp_path):
    code = (
        "import daasbench.cli.catalogue, daasbench.registry\n"
        "def broken(*a): raise ZeroDivisionError('a bug')\n"
        "daasbench.registry.catalogue = broken\n"
        "from daasbench.cli import main; main()"
    )
    said = run_python(code, "list", "kernels", folder=tmp_path)
    assert said.returncode == 70
    assert said.stderr.startswith("daasbench: internal error: ZeroDivisionError: a bug; run again with --debug")
    assert "Traceback" not in said.stderr
    assert "Traceback" in run_python(code, "list", "kernels", "--debug", folder=tmp_path).stderr


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    code = "from daasbench.cli import main; main()"
    listing = subprocess.Popen(
        [sys.executable, "-c", code, "show", "kernel", "tomography"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert listing.stdout is not None
    listing.stdout.close()
    assert listing.stderr is not None
    assert listing.stderr.read() == ""
    listing.stderr.close()
    assert listing.wait() == 0


def test_a_file_that_holds_no_records_is_not_taken_for_its_folder(sums, say, tmp_path):
    """The rows of the folder around it would be shown as if they came from the file."""
    say("run", "./sums.toml")
    said = say("results", "--results", "sums.py")
    assert (said.code, said.out) == (2, "")
    assert "sums.py: is not a folder; name a folder that daasbench run wrote" in said.err


def test_an_error_of_load_names_no_option_of_the_command_line(say, tmp_path):
    """In a notebook there is no option to give."""
    with pytest.raises(UsageError, match=r"nowhere: no such folder; name a folder that daasbench run wrote$"):
        load("nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty: no records; name another folder, or measure first: daasbench run"):
        load("empty")


def test_a_kernel_without_options_says_so_and_how_a_key_of_the_scenario_is_written(sums, say):
    said = say("run", "./sums.py", "--set", "foo=3")
    assert said.code == 2
    assert "--set foo=3: no option 'foo': the kernel has no options; a key of the scenario has a dot" in said.err


def test_an_input_for_a_kernel_of_ones_own_without_a_reader_is_refused_with_both_fixes(sums, say, tmp_path):
    (tmp_path / "frame.tif").write_bytes(b"II")
    said = say("run", "./sums.py", "--input", "frame.tif")
    assert said.code == 2
    assert "frame_sums reads no files; remove input; to read one, add a function with @frame_sums.reader" in said.err
