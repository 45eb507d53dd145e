"""daasbench and the users' files on another machine: the same code, each file once, or a refusal with the fix."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from daasbench.runners.slurm.packaging import build_wheel, probe_program, this_installation
from daasbench.runners.slurm.ssh import SshTransport
from daasbench.runners.slurm.staging import Staging

from daasbench.errors import InputError, SubmitError, UsageError
from daasbench.model import Job, Platform, Repeat

from .sshd import LoginNode, login, sshd

__all__ = ["login", "sshd"]
BLANKS = 'it\'s a "frame" of 5 µm'
BARE = sys._base_executable  # type: ignore[attr-defined]  # the Python that this environment was made of


@pytest.fixture
def transport(login: LoginNode) -> Iterator[SshTransport]:
    """Return the transport to the login node."""
    place = SshTransport(login.host, login.options)
    yield place
    place.close()


@pytest.fixture
def stage(transport: SshTransport, tmp_path: Path) -> Callable[..., Staging]:
    """Return a function that makes the staging of a site's Python."""
    here = this_installation()  # once: the sources of a checkout may be edited while the tests run

    def make(python: str = sys.executable) -> Staging:
        made = Staging(transport, f"{tmp_path}/on the site", python)
        made.suite = here
        return made

    return make


def job(**changes: object) -> Job:
    """Return a job without cases."""
    blank = Job(id="001-site", run="r", platform_name="site", platform=Platform(runner="slurm"), planned=[],
                repeat=Repeat(), commit="0123456789ab")  # fmt: skip
    return msgspec.structs.replace(blank, **changes)


# --- the suite ------------------------------------------------------------------------------------------------


def test_the_wheel_holds_the_code_that_runs_here(tmp_path: Path) -> None:
    suite = this_installation()
    wheel = build_wheel(suite, tmp_path)
    shutil.unpack_archive(wheel, tmp_path / "there", "zip")
    asked = subprocess.run([sys.executable, "-S", "-"], input=probe_program().encode(), capture_output=True, check=True,
                           env={"PYTHONPATH": str(tmp_path / "there")})  # fmt: skip
    there = msgspec.json.decode(asked.stdout)
    assert (there["content"], there["version"]) == (suite.content, suite.version)
    scripts = (tmp_path / "there").glob("daasbench-*.dist-info/entry_points.txt")
    assert "daasbench.kernels" in next(scripts).read_text()


def test_the_same_code_makes_the_same_wheel(tmp_path: Path) -> None:
    suite = this_installation()
    assert build_wheel(suite, tmp_path / "1").read_bytes() == build_wheel(suite, tmp_path / "2").read_bytes()


def test_a_python_with_the_same_daasbench_is_used_as_it_is(
    login: LoginNode, transport: SshTransport, stage: Callable[..., Staging]
) -> None:
    made = stage()
    assert made.python.prepare() == 0
    assert transport.run([made.interpreter, "-c", "import sys; print(sys.executable)"]).out.strip() == sys.executable
    asked = login.sessions()
    assert made.python.prepare() == 0
    assert login.sessions() == asked
    again = stage()
    again.python.prepare()
    assert login.sessions() == asked + 1  # one question finds it ready


@pytest.fixture
def offline(sshd: str, tmp_path: Path) -> Iterator[Callable[..., Staging]]:
    """Return a function that makes the staging of a site whose pip has no index, with further variables of the site."""
    open_sites: list[LoginNode] = []
    here = this_installation()

    def make(python: str, **variables: str) -> Staging:
        if not open_sites:
            open_sites.append(LoginNode(tmp_path / "offline", sshd, {"PIP_NO_INDEX": "1", **variables}))
            open_sites[0].start()
        made = Staging(SshTransport("login.site", open_sites[0].options), f"{tmp_path}/on the site", python)
        made.suite = here
        return made

    yield make
    for one in open_sites:
        one.stop()


def test_a_bare_python_gets_an_environment_and_another_daasbench_is_refused(offline: Callable[..., Staging]) -> None:
    made = offline(BARE, PIP_NO_DEPS="1")  # its dependencies are another matter
    assert made.python.prepare() > 100_000  # bytes of the wheel
    environment = Path(made.interpreter).parent.parent
    (clock,) = environment.glob("lib/python3*/site-packages/daasbench/host/clock.py")
    assert offline(BARE).python.prepare() == 0  # by another controller

    clock.write_text(clock.read_text() + "# another\n")
    with pytest.raises(UsageError, match="records of both must not be mixed; nothing was submitted") as message:
        offline(made.interpreter).python.prepare()
    assert str(message.value).count("0.1.0 (") == 2

    python, *words = shlex.split(str(message.value).split("`")[1])  # that environment has no pip of its own
    assert made.transport.run([BARE, *words[:2], "--python", python, *words[2:]]).code == 0
    assert offline(made.interpreter).python.prepare() == 0


def test_on_a_site_without_an_index_the_message_says_what_to_do_instead(offline: Callable[..., Staging]) -> None:
    made = offline(BARE)
    with pytest.raises(SubmitError, match=r"No matching distribution.*no package index, make an environment there"):
        made.python.prepare()
    assert not Path(made.interpreter).exists()
    assert list(Path(f"{Path(made.interpreter).parent.parent}.d").iterdir()) == []


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("exec no-such-python", "the site has no such Python; nothing was submitted: name another by the option"),
        ('echo \'{"python": "3.6.8"}\'', r"is Python 3\.6\.8, daasbench needs 3\.11; nothing was submitted"),
        ("echo 'ImportError: libpython.so' >&2; exit 1", r"does not run: ImportError: libpython\.so; nothing was"),
    ],
)
def test_an_unsuitable_python_is_refused(
    login: LoginNode, stage: Callable[..., Staging], script: str, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        stage(str(login.program("python-there", script))).python.prepare()


def test_a_missing_python_is_refused(stage: Callable[..., Staging]) -> None:
    with pytest.raises(UsageError, match="the site has no such Python"):
        stage("/opt/no/python3").python.prepare()


# --- files ----------------------------------------------------------------------------------------------------


def test_a_job_is_rewritten_with_the_remote_paths_of_its_files_and_nothing_is_sent(
    login: LoginNode, stage: Callable[..., Staging], tmp_path: Path
) -> None:
    (tmp_path / f"{BLANKS}.cbf").write_text("pixels")
    (tmp_path / "mask.edf").write_text("mask")
    (tmp_path / "kernel.py").write_text("# kernel\n")
    inputs = {"cafe": {"input": f"{tmp_path}/{BLANKS}.cbf", "mask": f"{tmp_path}/mask.edf"},
              "beef": {"input": f"{tmp_path}/mask.edf"}}  # fmt: skip
    mine = job(inputs=inputs, sources={"total": f"{tmp_path}/kernel.py:total"})
    rewritten, parcels = stage().rewritten(mine)
    assert stage().rewritten(mine) == (rewritten, parcels)
    assert login.connections() == 0
    assert rewritten.inputs["cafe"]["input"].startswith(f"{tmp_path}/on the site/files/")
    assert Path(rewritten.inputs["cafe"]["input"]).name == f"{BLANKS}.cbf"
    assert rewritten.inputs["cafe"]["mask"] == rewritten.inputs["beef"]["input"]
    assert rewritten.sources["total"].endswith("/kernel.py:total")
    assert sorted(parcels.values()) == sorted(
        str(tmp_path / name) for name in (f"{BLANKS}.cbf", "mask.edf", "kernel.py")
    )
    assert msgspec.structs.replace(rewritten, inputs=mine.inputs, sources=mine.sources) == mine


def test_each_file_is_copied_once(stage: Callable[..., Staging], tmp_path: Path) -> None:
    for name in ("one.cbf", "other.cbf"):
        (tmp_path / name).write_text("the same pixels")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "one.cbf").write_text("the same pixels")
    inputs = {"a": {"input": f"{tmp_path}/one.cbf"}, "b": {"input": f"{tmp_path}/copy/one.cbf"}}
    rewritten, parcels = stage().rewritten(job(inputs=inputs))
    assert rewritten.inputs["a"] == rewritten.inputs["b"]
    assert stage().copy(parcels) == len("the same pixels")
    assert Path(rewritten.inputs["a"]["input"]).read_text() == "the same pixels"
    assert stage().copy(parcels) == 0  # by another controller


def test_a_file_whose_content_changed_is_another_file(stage: Callable[..., Staging], tmp_path: Path) -> None:
    made = stage()
    (tmp_path / "kernel.py").write_text("# one\n")
    before, parcels = made.rewritten(job(sources={"k": f"{tmp_path}/kernel.py"}))
    made.copy(parcels)
    (tmp_path / "kernel.py").write_text("# two!\n")
    after, parcels = made.rewritten(job(sources={"k": f"{tmp_path}/kernel.py"}))
    made.copy(parcels)
    assert Path(before.sources["k"]).read_text() == "# one\n"
    assert Path(after.sources["k"]).read_text() == "# two!\n"


def test_files_that_a_kernel_of_programs_names_are_copied_with_it(
    stage: Callable[..., Staging], tmp_path: Path
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "rings.c").write_text("int main(void) { return 0; }\n")
    (tmp_path / "rings.toml").write_text('build = ["cc", "{folder}/src/rings.c", "-o", "{build}/rings"]\n')
    made = stage()
    rewritten, parcels = made.rewritten(job(sources={"rings": f"{tmp_path}/rings.toml"}))
    made.copy(parcels)
    there = Path(rewritten.sources["rings"])
    assert there.name == "rings.toml"
    assert (there.parent / "src" / "rings.c").read_text() == "int main(void) { return 0; }\n"


def test_a_missing_file_is_reported_before_anything_is_sent(stage: Callable[..., Staging], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        stage().rewritten(job(inputs={"a": {"input": f"{tmp_path}/gone.h5"}}))
