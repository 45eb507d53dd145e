"""The options of a platform whose runner is ``slurm``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from daasbench.errors import ScenarioError, unknown_sentence
from daasbench.host import launchers
from daasbench.model import Count, Option, Written, parsing

Word = Annotated[str, msgspec.Meta(pattern=r"^[^\s\"'\\]+$", description="a word without blanks and quotes")]
Line = Annotated[str, msgspec.Meta(pattern=r"^[^\n\r\0]+$", description='a line of shell: "source /sw/env.sh"')]
Flag = Annotated[str, msgspec.Meta(pattern=r"^--[a-z][^\n\r\0]*$", description='an option of sbatch: "--licenses=x"')]
Value = Annotated[str, msgspec.Meta(pattern=r"^[^\n\r\0]*$", description="a line of text")]
Folder = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(/[^\n\r\0\"\\]*|\.)$",
        description='an absolute path on the cluster, such as "/scratch/me/daasbench", or "." if this machine sees'
        " the cluster's files at the same paths",
    ),
]

SET_BY_RUNNER = ("job-name", "no-requeue", "requeue", "output", "error", "open-mode", "array", "chdir", "parsable",
                 "time", "signal", "nodes", "ntasks", "ntasks-per-node", "cpus-per-task", "wrap", "dependency",
                 "wait")  # fmt: skip
OWN_OPTION = ("partition", "account", "qos", "constraint", "reservation", "exclusive")
_HOST = re.compile(r"[A-Za-z0-9_][\w.@:%+~-]*")


class SlurmOptions(Written, frozen=True, kw_only=True):
    """The options of a platform whose runner is ``slurm``, in addition to those of :mod:`daasbench.host.launchers`.

    Attributes
    ----------
    host, ssh
        ``user@login.site``, if sbatch is not on this machine; more arguments of ssh.
    folder
        The folder on the cluster for all files of daasbench; ``"."``: this machine sees the same files.
    python
        The interpreter on the nodes that has daasbench; default: the one that runs this. If files are copied: the
        site's own, default ``python3``, from which an environment is made that has the daasbench that runs here.
    extras
        What is installed into that environment in addition: ``["mpi"]``.
    gpus
        The flag that requests GPUs of a node; ``{gpus}`` is replaced by their number.
    sbatch
        More flags of sbatch.
    modules, setup, environment
        Modules loaded, lines run and variables set on the node before the worker starts, in this order.
    split
        ``process``: one job per process index and allocation; ``set``: one per comparison and process index, as
        arrays; ``none``: one per allocation.
    most_in_array
        Most jobs of one array; Slurm's own limit is MaxArraySize - 1.
    at_once
        How many jobs of an array may run at a time; default: as many as Slurm allows.
    exclusive
        Whether a job uses its nodes exclusively; other jobs on a node disturb the measurement.
    time_limit_s
        The largest time limit of a job, even if its cases could take longer.
    poll_s
        Least seconds between two queries of the queue.
    """

    host: str | None = None
    ssh: list[str] = []
    folder: Folder | None = None
    python: Word | None = None
    extras: list[Word] = []
    partition: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    constraint: Word | None = None
    reservation: Word | None = None
    gpus: Annotated[
        str, msgspec.Meta(pattern=r"^--[a-z-]+=\S*\{gpus\}\S*$", description='a form such as "--gres=gpu:a100:{gpus}"')
    ] = "--gpus-per-node={gpus}"
    sbatch: list[Flag] = []
    modules: list[Word] = []
    setup: list[Line] = []
    environment: dict[str, Value] = {}
    split: Literal["process", "set", "none"] = "process"
    most_in_array: Count = 1000
    at_once: Count | None = None
    exclusive: bool = False
    time_limit_s: Annotated[float, msgspec.Meta(ge=60, description="60 seconds or more")] | None = None
    poll_s: Annotated[float, msgspec.Meta(ge=1, le=3600, description="between 1 and 3600 seconds")] = 1.0

    @property
    def apart(self) -> bool:
        """Return whether files must be copied to the cluster and back."""
        return self.host is not None and self.folder != "."


def _own(options: Mapping[str, Option]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in launchers.OPTIONS}


def options_of(options: Mapping[str, Option]) -> SlurmOptions:
    """Return the options of a platform that were checked before."""
    return msgspec.convert(_own(options), SlurmOptions)


def check_slurm_options(options: Mapping[str, Option], where: str, *, runner: str) -> None:
    """Raise ScenarioError, naming file and key, if these are not options of this runner."""
    known = (*SlurmOptions.__struct_fields__, *launchers.OPTIONS)
    for key in options:
        if key not in known:
            raise ScenarioError(unknown_sentence(f"option of the runner {runner}", key, known, where))
    launchers.check_options({key: options[key] for key in options if key in launchers.OPTIONS}, where, runner=runner)
    check_host(options, where)
    file, _, at = where.rpartition(": ")
    own = parsing.convert(_own(options), SlurmOptions, file or where, at if file else "")
    for key in own.environment:
        if not key.isidentifier() or not key.isascii():
            message = f"{key!r} is not the name of a variable"
            raise ScenarioError(f"{where}.environment: {message}; use letters, digits and _")
    for index, flag in enumerate(own.sbatch):
        name = flag.removeprefix("--").partition("=")[0].split(" ")[0]
        if name in SET_BY_RUNNER:
            raise ScenarioError(f"{where}.sbatch[{index}]: --{name} is set by this runner itself; remove it")
        if name in OWN_OPTION:
            raise ScenarioError(f"{where}.sbatch[{index}]: --{name} has a separate option; write {name} = ...")
    if own.host is None and own.folder is not None:
        raise ScenarioError(f"{where}.folder: is for a remote cluster; name its host too, or remove folder")
    if own.host is not None and own.folder is None:
        message = 'name the folder on the cluster for all files, or "." if this machine sees the same files'
        raise ScenarioError(f"{where}.folder: is required with host: {message}")


def check_host(options: Mapping[str, Option], where: str) -> None:
    """Raise ScenarioError, naming `where`, if the options ``host`` and ``ssh`` do not have the right form."""
    host = options.get("host")
    if "host" in options and (not isinstance(host, str) or not _HOST.fullmatch(host)):
        raise ScenarioError(f'{where}.host: expected a host such as "user@login.site", got {host!r}')
    arguments = options.get("ssh", [])
    if "ssh" in options and "host" not in options:
        raise ScenarioError(f"{where}.ssh: is for a remote cluster; name its host too")
    if not isinstance(arguments, list) or not all(isinstance(word, str) and word.strip() for word in arguments):
        raise ScenarioError(f'{where}.ssh: expected a list of words such as ["-F", "config"], got {arguments!r}')
