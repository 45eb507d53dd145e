"""The options of a platform that describe its Dask cluster."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from daasbench.model import Case, Count, Platform, Scalar, Seconds, Written

Line = Annotated[str, msgspec.Meta(pattern=r"^[^\n]*\S[^\n]*$", description="one line of text")]
Word = Annotated[str, msgspec.Meta(pattern=r"^[^\s'\"]+$", description="a word without blanks and quotes")]
Address = Annotated[
    str,
    msgspec.Meta(pattern=r"^\w+://\S+$", description='the address of a Dask scheduler such as "tcp://login1:8786"'),
]
Absolute = Annotated[str, msgspec.Meta(pattern=r"^/[^\n'\"]*$", description="an absolute path, without quotes")]
WallTime = Annotated[
    str, msgspec.Meta(pattern=r"^(\d+-)?\d{1,4}(:\d{2}){1,2}$", description='a time such as "01:30:00"')
]
Memory = Annotated[
    str, msgspec.Meta(pattern=r"(?i)^\d+(\.\d+)? ?[kmgt]i?b$", description='an amount of memory such as "16GB"')
]

OF_SLURM = ("partition", "account", "qos", "cores", "memory", "walltime", "setup", "directives", "python")
OF_JOBS = ("interface", "local_directory", "wait_s")  # of the two sources that start workers by another program


class ClusterOptions(Written, frozen=True, kw_only=True, omit_defaults=True):
    """Exactly one of `scheduler`, `scheduler_file` and `cluster`, and its options; none of them: ``local``."""

    scheduler: Address | None = None  # of a running cluster
    scheduler_file: Absolute | None = None  # the file in which a running scheduler writes its address
    cluster: Literal["local", "slurm", "mpi"] | None = None
    launcher: str | list[Scalar] | None = None  # of the ranks of dask-mpi (:mod:`daasbench.host.launchers`)
    interface: Word | None = None  # network interface of scheduler and workers: ib0, eth0, lo
    local_directory: Absolute | None = None  # for the workers' files, on their nodes
    wait_s: Seconds = 600.0  # for the workers to start; not part of a case's limit
    partition: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    cores: Count | None = None  # that the job of a worker requests; None: its threads
    memory: Memory | None = None  # that the job of a worker requests; None: the default of the site
    walltime: WallTime | None = None  # None: the most that the case can take
    setup: list[Line] = []  # of shell, before a worker starts: modules, environments
    directives: list[Line] = []  # of sbatch, without "#SBATCH"
    python: Absolute | None = None  # of the workers' nodes; None: that of this process


def cluster_options(platform: Platform) -> ClusterOptions:
    """Return the options of a platform's Dask cluster; with a runner other than ``dask``, its `scheduler` only."""
    options = platform.options
    if platform.runner != "dask":
        options = {key: value for key, value in options.items() if key == "scheduler"}
    return msgspec.convert(options, ClusterOptions)


def computes_elsewhere(options: ClusterOptions, case: Case) -> bool:
    """Return whether the workers may be on other nodes than their client."""
    if options.cluster == "mpi":
        return case.nodes > 1
    return options.cluster == "slurm" or bool(options.scheduler or options.scheduler_file)


def most_wait_s(platform: Platform) -> float:
    """Return how long another program may take to start the workers of a case, in addition to the case's limit."""
    options = cluster_options(platform)
    return options.wait_s if options.cluster in ("slurm", "mpi") else 0.0
