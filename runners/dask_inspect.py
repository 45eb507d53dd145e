"""A Dask cluster looked at before it is used: whether its scheduler answers, its workers, and both sides' versions."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from daasbench import backends
from daasbench.errors import Lacking
from daasbench.inspection import Finding, ok, warning, wrong
from daasbench.launch import scheduler_of
from daasbench.model import Platform

CONNECT_S = 10.0
COMPARED = ("python", "distributed", "dask", "cloudpickle", "msgpack", "numpy")  # must be equal on both sides
OURS = ("daasbench", "numba")  # of the workers also


def scheduler_findings(platform: Platform) -> list[Finding]:
    """Return what is found of the Dask cluster that the platform's option ``scheduler`` names; nothing without one."""
    address = scheduler_of(platform.options)
    if address is None:
        return []
    try:
        backends.dask_version()
    except Lacking as lack:
        return [wrong("scheduler", lack.what, lack.cure)]
    from distributed import Client

    quiet = logging.getLogger("distributed")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)  # of the scheduler that does not answer, the finding tells
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        told = f"no Dask scheduler answers at {address} ({error})"
        return [wrong("scheduler", told, "start it, or correct the option scheduler")]
    finally:
        quiet.setLevel(level)
    try:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        return [ok("scheduler", f"{address} answers"), workers_finding(workers, address), *_versions(client)]
    finally:
        client.close()


def workers_finding(workers: Mapping[str, Any], address: str) -> Finding:
    """Return how many workers a cluster has; a case asks for exactly as many ranks."""
    if not workers:
        return wrong("workers", f"the cluster at {address} has none", f"start some: dask worker {address}")
    hosts = {str(one["host"]) for one in workers.values()}
    threads = sorted({int(one["nthreads"]) for one in workers.values()})
    told = f"{len(workers)} on {len(hosts)} host{'s' if len(hosts) > 1 else ''}, threads {', '.join(map(str, threads))}"
    return ok("workers", f"{told}: a case must ask for ranks = {len(workers)}")


def _versions(client: Any) -> list[Finding]:
    seen = client.get_versions(packages=list(OURS))
    here = flat(seen["client"])
    there = {"the scheduler": flat(seen["scheduler"])}
    there |= {f"worker {address}": flat(one) for address, one in sorted(seen["workers"].items())}
    return version_findings(here, there)


def flat(versions: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the versions by package, of what `Client.get_versions` returns of one process."""
    packages = dict(versions["packages"])
    return {**packages, "python": str(packages.get("python", versions["host"].get("python")))}


def version_findings(here: Mapping[str, str | None], there: Mapping[str, Mapping[str, str | None]]) -> list[Finding]:
    """Return how the versions of the cluster's processes agree with this one's; a run refuses any difference."""
    for who, theirs in there.items():
        names = COMPARED if who == "the scheduler" else (*COMPARED, *OURS)
        wrong_ones = [name for name in names if theirs.get(name) != here.get(name)]
        if wrong_ones:
            told = ", ".join(f"{name} {theirs.get(name) or 'is absent'} (here {here.get(name)})" for name in wrong_ones)
            return [wrong("versions", f"{who} has {told}", "use the same environment on both sides")]
    if not there:
        return [warning("versions", "nobody to compare with", "start scheduler and workers")]
    return [ok("versions", f"{len(there)} processes of the cluster have those of this one")]
