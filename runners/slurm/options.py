"""What a platform says of its Slurm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from daasbench.errors import ScenarioError, unknown_sentence
from daasbench.host import launchers
from daasbench.model import Count, Option, Written, parsing

from .ssh import check_host

Word = Annotated[str, msgspec.Meta(pattern=r"^[^\s\"'\\]+$", description="a word without blanks and quotes")]
Line = Annotated[str, msgspec.Meta(pattern=r"^[^\n\r\0]+$", description='a line of shell: "source /sw/env.sh"')]
Flag = Annotated[str, msgspec.Meta(pattern=r"^--[a-z][^\n\r\0]*$", description='an option of sbatch: "--licenses=x"')]
Value = Annotated[str, msgspec.Meta(pattern=r"^[^\n\r\0]*$", description="a line of text")]
Folder = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(/[^\n\r\0\"\\]*|\.)$",
        description='a folder there from the root on, such as "/scratch/me/daasbench", or "." where both places see'
        " the same files at the same paths",
    ),
]

OURS = ("job-name", "no-requeue", "requeue", "output", "error", "open-mode", "array", "chdir", "parsable", "time",
        "signal", "nodes", "ntasks", "ntasks-per-node", "cpus-per-task", "wrap", "dependency", "wait")  # fmt: skip


class SlurmOptions(Written, frozen=True, kw_only=True):
    """The options of a platform whose runner is ``slurm``; beside them those of :mod:`daasbench.host.launchers`.

    Attributes
    ----------
    host, ssh
        ``user@login.site`` where sbatch is not here but there, and further words for ssh.
    folder
        Where the runs lie there; ``"."``: both places see the same files.
    python
        The interpreter on the nodes that has daasbench; default: the one that runs this. Where files are copied: the
        site's own, default ``python3``, of which an environment is made that has this very daasbench.
    extras
        What is installed into that environment besides: ``["mpi"]``.
    gpus
        How GPUs of a node are asked for; ``{gpus}`` stands for their number.
    sbatch
        Further words for sbatch.
    modules, setup, environment
        Loaded, run and set on the node before the worker, in this order.
    split
        ``process``: a job for each index of a process and each shape of an allocation; ``set``: one for each
        comparison in each process, as arrays; ``none``: one for each shape.
    most_in_array
        Jobs of one array at most; Slurm's own limit is MaxArraySize - 1.
    at_once
        How many of an array may run at a time; default: as many as Slurm lets.
    exclusive
        Whether a job has its nodes for itself; the others on a node disturb what is measured.
    time_limit_s
        A job asks for no more than this, however long it could take.
    poll_s
        Seconds between two questions of the queue, at least.
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
        """Return whether files must be copied to the place and from it."""
        return self.host is not None and self.folder != "."


def _own(options: Mapping[str, Option]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in launchers.OPTIONS}


def options_of(options: Mapping[str, Option]) -> SlurmOptions:
    """Return the options of a platform that were checked."""
    return msgspec.convert(_own(options), SlurmOptions)


def check(options: Mapping[str, Option], where: str, *, runner: str) -> None:
    """Raise ScenarioError, naming file and key, if these are no options of this runner."""
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
            raise ScenarioError(f"{where}.environment: {key!r} is no name of a variable; use letters, digits and _")
    for index, word in enumerate(own.sbatch):
        flag = word.removeprefix("--").partition("=")[0].split(" ")[0]
        if flag in OURS:
            message = f"--{flag} is what this runner itself says to sbatch"
            raise ScenarioError(f"{where}.sbatch[{index}]: {message}; leave it out")
        if flag.replace("-", "_") in ("partition", "account", "qos", "constraint", "reservation", "exclusive"):
            raise ScenarioError(f"{where}.sbatch[{index}]: --{flag} has an option of its own; write {flag} = ...")
    if own.host is None and own.folder is not None:
        raise ScenarioError(f"{where}.folder: is for a remote cluster; name its host too, or leave it out")
    if own.host is not None and own.folder is None:
        message = 'name the folder there where runs shall lie, or "." if both places see the same files'
        raise ScenarioError(f"{where}.folder: is required with host: {message}")


__all__ = ["SlurmOptions", "check", "options_of"]
