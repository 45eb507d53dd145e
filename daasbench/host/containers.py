"""Workers in containers: the command of a runner is wrapped so that it runs inside a container.

All functions are pure except :func:`missing_requirement`, which starts a container. A platform requests a container by
the option ``container = { engine = "bwrap" }``. The same Python is inside at the same path, with the same processors,
network, process ids and environment. Therefore a comparison measures the container and not another set-up. A variable
names the container, and the worker checks that it really runs in this container.

==================  ==========================================================================================
``unshare``         only a user namespace; no image
``bwrap``           bubblewrap; ``image`` is a root folder, by default this machine's own, read-only
``podman``          ``image`` is the name of an image, by default this machine's own root under an overlay
``apptainer``       ``image`` is a file or an address; ``singularity`` likewise
``charliecloud``    ``image`` is a folder or a name
==================  ==========================================================================================
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from daasbench.errors import DaasbenchError, ScenarioError
from daasbench.host.cgroups import ROOT, read_text
from daasbench.model import Job, Noun, Option, Written, parsing

OPTION = "container"
MARK = "DAASBENCH_CONTAINER"  # the variable that names the container to the processes inside
TRIAL_S = 600.0  # an image may have to be fetched first
SMALL = 4096  # limits on open files and processes: podman's default is higher than a user may set

Word = Annotated[str, msgspec.Meta(min_length=1, description="a word of a command line")]
Folder = Annotated[str, msgspec.Meta(pattern=r"^/[^:,]*$", description='an absolute folder such as "/data"')]


class Container(Written, frozen=True, kw_only=True):
    """The container of a platform, as its file describes it.

    Attributes
    ----------
    image
        The image, as the engine names it; ``""``: this machine's own root, if the engine can use it.
    binds
        Additional folders that are visible inside, at the same path.
    options
        Additional arguments of the engine, before the image: ``["--nv"]``, ``["--device", "nvidia.com/gpu=all"]``.
    """

    engine: Literal["unshare", "bwrap", "podman", "apptainer", "singularity", "charliecloud"]
    image: str = ""
    binds: list[Folder] = []
    options: list[Word] = []

    @property
    def label(self) -> str:
        """Return engine and image for people: ``podman registry.site/daas:3``."""
        return f"{self.engine} {self.image or ENGINES[self.engine].default}"


class Folders(Noun, frozen=True, kw_only=True):
    """The folders of this machine that are visible inside, at the same paths."""

    writable: list[str]
    readable: list[str] = []
    wanted: list[str] = []  # writable too, if they exist: caches


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A container engine: its program, and its command line."""

    program: str
    fix: str  # where it is not installed, or fails
    default: str = ""  # the name of the root that is used without an image; empty: an image is required
    takes_image: bool = True
    words: Callable[[Container, Folders], list[str]]
    seen: Callable[[Path, Mapping[str, str]], bool]  # whether a process inside detects the engine


def container_of(options: Mapping[str, Option]) -> Container | None:
    """Return the container that a platform's checked options name; None if they name none."""
    return msgspec.convert(options[OPTION], Container) if OPTION in options else None


def check_container(value: Option, where: str) -> None:
    """Raise ScenarioError, whose message begins with `where`, if this is not a valid container."""
    if not isinstance(value, dict):
        raise ScenarioError(f'{where}: expected a table such as {{ engine = "bwrap" }}, got {value!r}')
    container = parsing.convert(dict(value), Container, where)
    engine = ENGINES[container.engine]
    if container.image and not engine.takes_image:
        raise ScenarioError(f"{where}.image: {container.engine} runs this machine's own root; remove the image")
    if not container.image and not engine.default:
        raise ScenarioError(f'{where}.image: {container.engine} requires one: image = "/images/daas.sif"')
    if container.image.startswith("-"):
        raise ScenarioError(f"{where}.image: expected the name of an image, got {container.image!r}")


def folders_of(job: Job, folder: Path) -> Folders:
    """Return the folders that a worker of `job` needs: its own, the code, the inputs."""
    sources = [str(Path(source).parent) for source in job.sources.values()]
    inputs = [path for paths in job.inputs.values() for path in paths.values()]
    return Folders(
        writable=_distinct([str(folder), _code(), *sources]),  # compiled code is kept in the folder of its source
        readable=_distinct([sys.prefix, *inputs]),
        wanted=[str(Path.home() / ".cache")],
    )


def _code() -> str:
    package = Path(__file__).resolve().parents[1]
    return str(package.parent if (package.parent / "pyproject.toml").exists() else package)


def wrapped(command: Sequence[str], container: Container, folders: Folders) -> list[str]:
    """Return the command that runs `command` inside `container`; the paths in it are absolute."""
    return [*ENGINES[container.engine].words(container, folders), *command]


def missing_requirement(container: Container, folders: Folders) -> str | None:
    """Return why this machine cannot start a worker in a container, with the fix; None if it can."""
    engine = ENGINES[container.engine]
    if shutil.which(engine.program) is None:
        message = f"the platform requests a container of {container.engine}, but {engine.program} is not installed"
        return f"{message}; {engine.fix}"
    trial = wrapped(trial_command(container), container, folders)
    try:
        done = subprocess.run(
            trial, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TRIAL_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{engine.program} did not start a worker within {TRIAL_S:g} s; {engine.fix}"
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    why = lines[-1] if lines else f"exit code {done.returncode}"
    return f"{engine.program} cannot start a worker: {why}; {engine.fix}"


def missing_here(options: Mapping[str, Option]) -> str | None:
    """Return why this machine cannot start the container of a platform; this is tried once per process."""
    container = container_of(options)
    return None if container is None else _missing(msgspec.json.encode(container))


@functools.cache
def _missing(container: bytes) -> str | None:
    return missing_requirement(
        msgspec.json.decode(container, type=Container), Folders(writable=[_code()], readable=[sys.prefix])
    )


def trial_command(container: Container) -> list[str]:
    """Return a command that exits with 0 only inside `container`, if a worker can start there."""
    return [sys.executable, "-m", "daasbench.host.containers", container.label]


def left_out(job: Job, message: str) -> Job:
    """Return the job with every case marked as skipped, with this reason."""
    return msgspec.structs.replace(
        job, planned=[msgspec.structs.replace(planned, skip=message) for planned in job.planned]
    )


def require_inside(job: Job, root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> None:
    """Raise DaasbenchError if this process would measure outside the container that the platform names."""
    container = container_of(job.platform.options)
    if container is None or all(planned.skip for planned in job.planned):
        return
    if not _is_inside(container.engine, container.label, root, environment):
        raise DaasbenchError(
            f"the platform requests the container {container.label!r}, but this worker does not run in it; nothing was"
            " measured: let the runner of the platform start the worker"
        )


def _is_inside(engine: str, label: str, root: Path, environment: Mapping[str, str]) -> bool:
    return environment.get(MARK) == label and ENGINES[engine].seen(root, environment)


def in_user_namespace(root: Path = ROOT) -> bool:
    """Return whether this process sees only a part of the machine's users."""
    mapping = (read_text(root / "proc/self/uid_map") or "").split()
    return bool(mapping) and mapping != ["0", "0", "4294967295"]


# --- the engines ----------------------------------------------------------------------------------------------


def _unshare(container: Container, folders: Folders) -> list[str]:  # noqa: ARG001  (all folders are visible)
    return ["unshare", "--user", "--map-current-user", *container.options, "env", f"{MARK}={container.label}"]


def _bwrap(container: Container, folders: Folders) -> list[str]:
    words = ["bwrap", "--unshare-user", "--die-with-parent", "--ro-bind", container.image or "/", "/"]
    for shared in ("/dev", "/proc", "/tmp"):  # writable: devices, the settings of a process, the files of MPI
        words += ["--dev-bind", shared, shared]
    if container.image:
        words += ["--ro-bind", "/sys", "/sys"]
    for path in folders.wanted:
        words += ["--bind-try", path, path]
    for path in folders.readable:
        words += ["--ro-bind", path, path]
    for path in [*folders.writable, *container.binds]:
        words += ["--bind", path, path]
    return [*words, "--setenv", MARK, container.label, *container.options, "--"]


def _podman(container: Container, folders: Folders) -> list[str]:
    words = ["podman", "run", "--rm", "--interactive", "--network", "host", "--pid", "host", "--ipc", "host"]
    words += ["--ulimit", f"nofile={SMALL}:{SMALL}", "--ulimit", f"nproc={SMALL}:{SMALL}"]
    words += ["--security-opt", "label=disable", "--env-host", "--env", f"{MARK}={container.label}"]
    for path in folders.readable:
        words += ["--volume", f"{path}:{path}:ro"]
    for path in [*folders.writable, *container.binds]:
        words += ["--volume", f"{path}:{path}"]
    root = [container.image] if container.image else ["--rootfs", "/:O"]
    return [*words, *container.options, *root]


def _apptainer(container: Container, folders: Folders) -> list[str]:
    binds = [f"{path}:{path}:ro" for path in folders.readable]
    binds += [f"{path}:{path}" for path in [*folders.writable, *container.binds]]
    mark = ["--env", f"{MARK}={container.label}"]
    return [container.engine, "exec", "--bind", ",".join(binds), *mark, *container.options, container.image]


def _charliecloud(container: Container, folders: Folders) -> list[str]:
    binds = [f"--bind={path}:{path}" for path in [*folders.readable, *folders.writable, *container.binds]]
    return ["ch-run", *binds, f"--set-env={MARK}={container.label}", *container.options, container.image, "--"]


def _has_own_users(root: Path, environment: Mapping[str, str]) -> bool:  # noqa: ARG001
    return in_user_namespace(root)


def _has(*names: str) -> Callable[[Path, Mapping[str, str]], bool]:
    return lambda root, environment: any(name in environment for name in names)  # noqa: ARG005


_USERS = "ask the administrator to allow user namespaces (sysctl user.max_user_namespaces)"
_APPTAINER = _has("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")
ENGINES: Mapping[str, Engine] = {
    "unshare": Engine(
        program="unshare",
        fix=f"install util-linux 2.37 or newer, or {_USERS}",
        default="user namespace",
        takes_image=False,
        words=_unshare,
        seen=_has_own_users,
    ),
    "bwrap": Engine(
        program="bwrap",
        fix=f"install bubblewrap, or {_USERS}",
        default="own root",
        words=_bwrap,
        seen=_has_own_users,
    ),
    "podman": Engine(
        program="podman",
        fix="install podman, and fetch the image (podman pull)",
        default="own root",
        words=_podman,
        seen=lambda root, environment: (root / "run/.containerenv").exists(),  # noqa: ARG005
    ),
    "apptainer": Engine(
        program="apptainer",
        fix="install apptainer, and check that the image exists",
        words=_apptainer,
        seen=_APPTAINER,
    ),
    "singularity": Engine(
        program="singularity",
        fix="install singularity, and check that the image exists",
        words=_apptainer,
        seen=_APPTAINER,
    ),
    "charliecloud": Engine(
        program="ch-run",
        fix="install charliecloud, and check that the image exists",
        words=_charliecloud,
        seen=lambda root, environment: "CH_RUNNING" in environment or in_user_namespace(root),
    ),
}


def _distinct(paths: Sequence[str]) -> list[str]:
    """Return the absolute paths in their order, without duplicates and without paths inside another path."""
    known = list(dict.fromkeys(os.path.abspath(path) for path in paths))  # noqa: PTH100  (links are kept)
    return [path for path in known if not any(Path(other) in Path(path).parents for other in known)]


def main(arguments: Sequence[str]) -> int:
    """Return 0 if this process runs in the container of that label, else 1.

    With ``--leave-out JOB MESSAGE``, mark every case of the job file as skipped, with this message: for batch scripts
    that could not start the container.
    """
    if arguments[0] == "--leave-out":
        path, message = Path(arguments[1]), arguments[2]
        job = left_out(msgspec.json.decode(path.read_bytes(), type=Job), message)
        path.write_bytes(msgspec.json.encode(job))
        return 0
    label = arguments[0]
    if _is_inside(label.partition(" ")[0], label, ROOT, os.environ):
        return 0
    sys.stderr.write(f"this process does not run in the container {label!r}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
