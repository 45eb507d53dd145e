"""What every test may use, and the one line that names what this machine lacks."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .waiting import PATIENCE_S

CHECKOUT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("DAASBENCH_DATA") or CHECKOUT.parent / "shared" / "data").resolve()
ABSENT = "absent: "  # begins the reason of a test that is left out


SLOW_FIXTURES = {"slurm_cluster", "sshd", "site", "running_scheduler", "wheel", "browser", "dials", "real_file"}
SLOW_NAMES = {  # of the contract that is shipped for kernels; other tests of the quick part start ranks, too
    "test_a_dask_cluster_gives_the_right_answer",
    "test_any_number_of_ranks_gives_the_right_answer",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what brings up more than the test's own process, and what reads measured files."""
    for item in items:
        asked = SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        if asked or getattr(item, "originalname", "") in SLOW_NAMES:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Return the root of the checkout."""
    return CHECKOUT


@pytest.fixture(scope="session")
def real_file() -> Callable[[str], Path]:
    """Return a function from a path below DAASBENCH_DATA to the measured file; the test is left out without it."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            absent(f"measured file {name} (set DAASBENCH_DATA)")
        return path

    return find


@pytest.fixture(scope="session", autouse=True)
def _one_dask_cluster() -> Iterator[None]:
    """Let the contracts of all kernels share a Dask cluster, which the first that needs one starts."""
    from daasbench.testing.ranks import dask_client

    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:

        @functools.cache
        def client(workers: int) -> Any:
            return stack.enter_context(dask_client(workers))

        patch.setattr(
            "daasbench.testing.kernels.dask_client", lambda workers=2: contextlib.nullcontext(client(workers))
        )
        yield


@pytest.fixture(scope="session")
def needs() -> Callable[[str], None]:
    """Return a function that leaves the test out, and names it at the end, where a module is not installed."""

    def need(module: str) -> None:
        import importlib.util

        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:  # of the package that holds it
            found = None
        if found is None:
            absent(f"Python package {module}")

    return need


@pytest.fixture(scope="session")
def program() -> Callable[..., str]:
    """Return a function that finds the first of some programs; the test is left out where there is none."""

    def find(*names: str, fix: str) -> str:
        import shutil

        for name in names:
            if found := shutil.which(name):
                return found
        absent(f"{names[0]} ({fix})")
        return ""

    return find


@pytest.fixture
def hdf5_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an HDF5 file: ``hdf5_file("scan.h5", {"entry/data": frames}, entry__data=None)``.

    Keywords replace datasets, or add to them, by their path with ``__`` for ``/``; None leaves one out.
    """

    def write(name: str, datasets: Mapping[str, Any] | None = None, **changes: Any) -> Path:
        import h5py

        path = tmp_path / name
        with h5py.File(path, "w") as file:
            changed = {key.replace("__", "/"): value for key, value in changes.items()}
            for place, value in {**(datasets or {}), **changed}.items():
                if value is not None:
                    file[place] = value
        return path

    return write


KEPT = "kept"  # the comment of a job that does not end with the test that submitted it


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A real Slurm of four virtual nodes on this machine (ci/slurm/cluster says what it has)."""

    folder: Path

    def do(self, verb: str, *words: str) -> None:
        """Start, stop, set, kill or revive."""
        script = [sys.executable, CHECKOUT / "ci" / "slurm" / "cluster", verb, self.folder, *words]
        ended = subprocess.run(script, capture_output=True, text=True, timeout=PATIENCE_S)
        assert ended.returncode == 0, ended.stderr

    def ask(self, *words: str) -> str:
        """Return what a command of Slurm's prints."""
        where = {**os.environ, "SLURM_CONF": f"{self.folder}/slurm.conf"}
        ended = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, env=where)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()


def cluster_that_is_up(program: Callable[..., str], folder: Path, *settings: str) -> Iterator[Cluster]:
    """Yield a cluster, and stop it afterwards; without SLURM_CONF in this process."""
    for name in ("sbatch", "munge"):
        program(name, fix="apt-get install slurm-wlm munge")
    cluster = Cluster(folder=folder)
    cluster.do("start", *settings)
    yield cluster
    cluster.do("stop")


@pytest.fixture(scope="session")
def slurm_cluster(program: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a cluster that is up for the whole session."""
    yield from cluster_that_is_up(program, tmp_path_factory.mktemp("slurm"))


@pytest.fixture
def slurm(slurm_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Return the cluster; during the test this process's sbatch, squeue ... speak to it. Its jobs end with the test."""
    monkeypatch.setenv("SLURM_CONF", f"{slurm_cluster.folder}/slurm.conf")
    yield slurm_cluster
    jobs = [line.split() for line in slurm_cluster.ask("squeue", "--noheader", "--format=%A %k").splitlines()]
    if ending := [number for number, *comment in jobs if comment != [KEPT]]:
        slurm_cluster.ask("scancel", "--quiet", *ending)


def absent(what: str) -> None:
    """Leave this test out because the machine lacks `what`; it is named in one line at the end."""
    pytest.skip(f"{ABSENT}{what}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name in one line what this machine lacks, whichever process left the test out."""
    message = [
        str(one.longrepr[2]) for one in terminalreporter.stats.get("skipped", []) if isinstance(one.longrepr, tuple)
    ]
    if absent := {text.partition(ABSENT)[2] for text in message if ABSENT in text}:
        terminalreporter.write_line("absent on this machine: " + "; ".join(sorted(absent)))


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a command ended: exit code, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Return a function that runs a command line in this process, in an empty folder: ``say("run", "./q.toml")``.

    The suite's commit is fixed, so that editing a source file while the tests run changes no resume key.
    """
    from daasbench import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("daasbench.host.machine.suite_commit", lambda: "0123456789ab")

    def run(*words: str | Path) -> Said:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["daasbench", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return Said(code=int(str(ended.value.code)), out=said.out, err=said.err)

    return run


@pytest.fixture
def refused(say: Callable[..., Said], tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs a command which must be refused, and returns the sentence."""

    def run(*words: str | Path) -> str:
        said = say("run", *words)
        assert said.code == 2, said
        assert said.err.startswith("daasbench: ")
        assert said.err.count("\n") == 1, f"not one sentence: {said.err}"
        assert not said.err.rstrip().endswith((".", ":", ";"))
        assert "Traceback" not in said.err
        assert "internal error" not in said.err
        assert said.out == ""
        assert not (tmp_path / "results").exists(), "something was run"
        return said.err

    return run
