"""A Dask cluster: the worker is a process here, as on this machine, and computes on workers that the cluster gives.

Only a kernel's Dask ways are measured; another way would compute here, and is skipped with that sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from daasbench.errors import ScenarioError
from daasbench.host.launchers import check_options
from daasbench.inspection.platform import Finding
from daasbench.measure.dask.options import OF_JOBS, OF_SLURM, ClusterOptions
from daasbench.model import Job, Option, Platform, Request
from daasbench.model.parsing import convert

from .dask_inspect import inspect_dask
from .local import LocalRunner

WAYS = ("scheduler", "scheduler_file", "cluster")
EXAMPLE = 'write one of scheduler = "tcp://login1:8786", scheduler_file = "/path", cluster = "local", "slurm" or "mpi"'


class DaskRunner(LocalRunner):
    """Starts ``python -m daasbench.worker`` on this machine; the workers of its cases are those of a Dask cluster."""

    name = "dask"

    def check(self, options: Mapping[str, Option], where: str) -> None:
        """Raise ScenarioError if these do not name exactly one cluster, or something that it does not have."""
        message = convert(dict(options), ClusterOptions, where)
        named = [implementation for implementation in WAYS if implementation in options]
        if len(named) != 1:
            said = f"{' and '.join(named)} exclude each other" if named else "no Dask cluster is named"
            raise ScenarioError(f"{where}: {said}; {EXAMPLE}")
        kind = message.cluster or "running"
        has = {"slurm": (*OF_SLURM, *OF_JOBS), "mpi": ("launcher", *OF_JOBS)}.get(kind, ())
        for key in options:
            if key not in (*WAYS, *has):
                known = f"it has: {', '.join(has)}" if has else "it has no options"
                what = "a cluster that runs already" if kind == "running" else f'cluster = "{kind}"'
                raise ScenarioError(f"{where}: {key} is no option of {what}; {known}")
        if "launcher" in options:
            check_options({"launcher": options["launcher"]}, where, runner=self.name)

    def inspect(self, platform: Platform, folder: Path) -> list[Finding]:
        """Return what is found of this machine, where the client runs, and of where the workers come from."""
        return inspect_dask(platform, folder)

    def render(self, job: Job, folder: Path) -> Request:
        """Return the command that would be run and the job file that it would read."""
        return msgspec.structs.replace(super().render(job, folder), runner=self.name)
