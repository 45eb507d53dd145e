"""The runner of Dask clusters: the worker is a process on this machine and computes on the workers of the cluster.

Only a kernel's Dask implementation is measured. Other implementations would compute on this machine and are skipped.
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

from .dask_preflight import check_dask
from .local import LocalRunner

CLUSTERS = ("scheduler", "scheduler_file", "cluster")  # options that name a cluster
EXAMPLE = 'write one of scheduler = "tcp://login1:8786", scheduler_file = "/path", cluster = "local", "slurm" or "mpi"'


class DaskRunner(LocalRunner):
    """Starts ``python -m daasbench.worker`` on this machine; its cases compute on the workers of a Dask cluster."""

    name = "dask"

    def check(self, options: Mapping[str, Option], where: str) -> None:
        """Raise ScenarioError if the options do not name exactly one cluster, or if one of them is unknown."""
        cluster = convert(dict(options), ClusterOptions, where)
        named = [key for key in CLUSTERS if key in options]
        if len(named) != 1:
            message = f"{' and '.join(named)} exclude each other" if named else "no Dask cluster is named"
            raise ScenarioError(f"{where}: {message}; {EXAMPLE}")
        kind = cluster.cluster or "running"
        known = {"slurm": (*OF_SLURM, *OF_JOBS), "mpi": ("launcher", *OF_JOBS)}.get(kind, ())
        for key in options:
            if key not in (*CLUSTERS, *known):
                fix = f"it has: {', '.join(known)}" if known else "it has no options"
                what = "a running cluster" if kind == "running" else f'cluster = "{kind}"'
                raise ScenarioError(f"{where}: {key} is not an option of {what}; {fix}")
        if "launcher" in options:
            check_options({"launcher": options["launcher"]}, where, runner=self.name)

    def is_here(self, options: Mapping[str, Option]) -> bool:
        """Return whether the workers run on this machine."""
        return options.get("cluster") == "local"

    def inspect(self, platform: Platform, folder: Path) -> list[Finding]:
        """Return the findings about this machine, where the client runs, and about the source of the workers."""
        return check_dask(platform, folder)

    def render(self, job: Job, folder: Path) -> Request:
        """Return the command that would be run and the job file that it would read."""
        return msgspec.structs.replace(super().render(job, folder), runner=self.name)
