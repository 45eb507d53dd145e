"""Plug-ins are found by name, each in isolation: a broken one is a warning, and everything else works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daasbench import registry
from daasbench.contracts import Implementation
from daasbench.errors import PluginError, UnknownName

GOOD = """\
from daasbench import kernel
@kernel(unit="frame", oracle=lambda inputs, got: 0, tolerance=0, name="{name}")
def sums(inputs):
    return 0
@sums.inputs(tiny={{"n": 4}}, small={{"n": 8}})
def frames(n, rng):
    return {{"frames": rng.random((n, 8))}}
"""


def install(folder: Path, name: str, points: str, **modules: str) -> None:
    """Install a distribution into `folder`: its metadata, and modules with their text."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)


def clear() -> None:
    """Forget what was found."""
    registry._declared.cache_clear()
    registry._load.cache_clear()


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder whose distributions are seen as installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    known = set(sys.modules)
    clear()
    yield folder
    clear()
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_a_third_party_kernel_is_declared_by_its_name(packages):
    install(packages, "third", "[daasbench.kernels]\nmine = third_mod:sums\n", third_mod=GOOD.format(name="mine"))
    assert "mine" in registry.kernels()
    assert registry.kernel("mine").name == "mine"
    [plugin] = [one for one in registry.catalogue("kernels") if one.name == "mine"]
    assert (plugin.distribution, plugin.error) == ("third 1.0", None)


@pytest.mark.parametrize(
    ("target", "module", "sentence"),
    [
        ("broken_a:sums", "import not_there_at_all\n", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("broken_b:sums", "1 / 0\n", "ZeroDivisionError: division by zero"),
        ("broken_c:sums", "raise SystemExit(3)\n", "SystemExit: 3"),
        ("broken_d:sums", "def f(:\n", "SyntaxError: invalid syntax"),
        ("broken_e:sums", "", "AttributeError: module 'broken_e' has no attribute 'sums'"),
        ("broken_f:sums", "sums = 3\n", "it is not a kernel: it has no 'name'"),
        ("broken_g:sums", "class sums: pass\n", "expected an object, not a class"),
        ("broken_h:sums", GOOD.format(name="other"), "its name is 'other', but the name of its entry point is 'bad'"),
        ("nowhere_at_all.inside:sums", "", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
    ],
)
def test_a_broken_kernel_is_a_warning_in_a_listing_and_an_error_if_it_is_asked_for(packages, target, module, sentence):
    install(packages, "third", f"[daasbench.kernels]\nbad = {target}\n", **{target.partition(":")[0]: module})
    by_name = {one.name: one for one in registry.catalogue("kernels")}
    assert sentence in str(by_name["bad"].error)
    assert by_name["azimuthal_integration"].error is None
    with pytest.raises(PluginError) as refused:
        registry.kernel("bad")
    assert str(refused.value).startswith("kernel 'bad' from third 1.0 cannot be loaded: ")
    assert str(refused.value).endswith("; fix or uninstall that package")


def test_metadata_that_cannot_be_read_is_a_warning(packages):
    install(packages, "garbage", "[daasbench.kernels]\nno equals sign here\n")
    install(packages, "third", "[daasbench.kernels]\nmine = third_mod:sums\n", third_mod=GOOD.format(name="mine"))
    assert {"mine", "azimuthal_integration"} <= set(registry.kernels())
    [warning] = registry.warnings()
    assert "garbage-1.0.dist-info" in warning
    assert "cannot be read" in warning


def test_a_name_of_two_distributions_is_a_warning_and_ours_is_used_before_others(packages):
    install(
        packages,
        "another",
        "[daasbench.kernels]\nprobes = third_mod:sums\n",
        third_mod=GOOD.format(name="probes"),
    )
    [warning] = registry.warnings()
    assert "kernel 'probes' is declared by daasbench" in warning
    assert "and by another 1.0; the first is used: uninstall the package that you do not want" in warning
    assert type(registry.kernel("probes")).__module__.startswith("daasbench.")


def test_a_distribution_that_is_declared_twice_is_one(packages, monkeypatch, tmp_path):
    again = tmp_path / "again"
    for folder in (packages, again):
        install(folder, "third", "[daasbench.kernels]\nmine = third_mod:sums\n", third_mod=GOOD.format(name="mine"))
    monkeypatch.syspath_prepend(again)
    clear()
    assert registry.warnings() == []
    assert registry.names("kernels").count("mine") == 1


def test_the_scenarios_of_a_broken_package_are_excluded(packages):
    points = "[daasbench.scenarios]\nbad = broken_shelf.inside\nodd = nowhere_at_all.inside\nok = shelf\n"
    install(packages, "third", points, broken_shelf="1 / 0\n")
    (packages / "shelf").mkdir()
    (packages / "shelf" / "__init__.py").write_text("")
    (packages / "shelf" / "mine.toml").write_text("question = 1\n")
    folders = registry.scenario_folders()
    assert packages / "shelf" in folders
    assert len(folders) == 2


def test_a_runner_that_cannot_be_created_is_named(packages):
    text = "class Bad:\n    name = 'bad'\n    check = render = submit = poll = fetch = cancel = None\n"
    text += "    def __init__(self):\n        raise OSError('no scheduler here')\n"
    install(packages, "third", "[daasbench.runners]\nbad = bad_runner:Bad\n", bad_runner=text)
    with pytest.raises(PluginError, match="runner 'bad' cannot be created: OSError: no scheduler here"):
        registry.runner("bad")


def test_a_queue_without_one_of_its_parts_is_not_taken_for_a_runner_of_this_machine(packages):
    text = "class Half:\n    name = 'half'\n    check = render = submit = poll = fetch = cancel = None\n"
    text += "    every_s = split = render_all = submit_all = cancel_all = None\n"
    install(packages, "third", "[daasbench.runners]\nhalf = half_queue:Half\n", half_queue=text)
    with pytest.raises(PluginError, match="it has 'every_s' like a queue, but not find"):
        registry.runner("half")


def test_an_unknown_name_is_refused_with_the_nearest_match(packages):
    with pytest.raises(UnknownName, match="no kernel 'tomografy'; did you mean 'tomography'"):
        registry.kernel("tomografy")
    with pytest.raises(UnknownName, match="no report 'sumary'; did you mean 'summary'"):
        registry.report("sumary")


def test_names_are_listed_without_loading_anything(packages):
    install(packages, "third", "[daasbench.kernels]\nbad = broken_i:sums\n", broken_i="raise SystemExit\n")
    assert "bad" in registry.names("kernels")
    assert "broken_i" not in sys.modules


def test_the_version_of_a_peer_is_that_of_its_package_or_absent():
    peer = Implementation(name="a", load=lambda: None, peer=True, packages=("pytest",))  # type: ignore[arg-type, return-value]
    assert registry.version_of(peer) == pytest.__version__
    absent = Implementation(name="a", load=lambda: None, peer=True, packages=("not-there-at-all",))  # type: ignore[arg-type, return-value]
    assert registry.version_of(absent) == "absent"


def test_with_a_broken_package_installed_every_command_still_works(tmp_path):
    """The whole of it, in a process of its own, as a person meets it."""
    site = tmp_path / "site"
    install(
        site,
        "broken",
        "[daasbench.kernels]\nbad = bad_mod:sums\n[daasbench.reports]\nodd = bad_mod:r\n",
        bad_mod="1/0\n",
    )
    install(site, "garbage", "[daasbench.kernels]\nno equals sign here\n")
    install(site, "third", "[daasbench.kernels]\nmine = third_mod:sums\n", third_mod=GOOD.format(name="mine"))

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        code = "from daasbench.cli import main; main()"
        environment = {**os.environ, "PYTHONPATH": str(site)}
        return subprocess.run(
            [sys.executable, "-c", code, *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    listed = command("list", "kernels")
    assert listed.returncode == 0
    assert "azimuthal_integration" in listed.stdout
    assert "mine" in listed.stdout
    assert "warning: kernel 'bad' from broken 1.0 cannot be loaded: ZeroDivisionError" in listed.stderr
    assert "garbage-1.0.dist-info: its entry points cannot be read" in listed.stderr
    message = json.loads(command("doctor", "--json").stdout)
    assert {one["name"] for one in message["broken"]} == {"bad", "odd"}
    dry = command("run", "mine", "--dry-run")
    assert dry.returncode == 0
    assert "garbage-1.0.dist-info" in dry.stderr
    asked = command("run", "bad")
    assert asked.returncode == 2
    assert "kernel 'bad' from broken 1.0 cannot be loaded" in asked.stderr
    assert "Traceback" not in listed.stderr + dry.stderr + asked.stderr
