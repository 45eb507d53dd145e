"""What a rank says of itself when it has started, and whether that is what its case asks for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.measure.messages import Failure
from daasbench.model import Case, Noun, Outcome, Reason

THREADS = "OMP_NUM_THREADS"  # the variable by which is seen whether the launcher hands on variables


class RankInfo(Noun, frozen=True, kw_only=True, tag=True):
    """What a rank says first: on both connections that it is ours, then, on one, which it is and with what."""

    token: str
    pid: int
    host: str
    node: str = ""  # as Slurm calls it, which may run several on one host
    rank: int = 0
    size: int = 0  # 0: not known yet
    cpus: list[int] = []
    threads: str | None = None  # what the variable says
    gpus: list[str] = []  # that it computes with; their identities, as far as the driver tells
    library: str = ""


def check_rank(info: RankInfo, case: Case, launcher: str) -> Failure | None:
    """Return what is wrong with one rank that `launcher` started, if something is."""
    if info.size != case.ranks:
        seen = "none sees another" if info.size == 1 else f"each sees {info.size}"
        message = (
            f"the launcher {launcher} was asked for {case.ranks} ranks, and {seen}: it belongs to another MPI than"
            f" this Python's ({info.library}); name that of this MPI in the platform's option launcher, or leave"
            " the option out"
        )
        return _skipped(message)
    if info.threads != str(case.threads):
        message = f"the launcher {launcher} does not hand on variables: {THREADS} is {info.threads} on rank"
        return _skipped(f"{message} {info.rank}, not {case.threads}; add its option that does, such as -x or --export")
    if len(info.cpus) < case.threads:
        message = f"the launcher {launcher} binds rank {info.rank} to {len(info.cpus)} processors, it has"
        return _skipped(f"{message} {case.threads} threads; let it bind none, or that many")
    if len(info.gpus) != case.gpus:
        message = f"the launcher {launcher} leaves {len(info.gpus)} GPUs to rank {info.rank}, it computes with"
        return _skipped(f"{message} {case.gpus}; let it give each rank that many, or all of them to all")
    return None


def check_ranks(infos: Sequence[RankInfo], case: Case) -> Failure | None:
    """Return what is wrong with the ranks of a case together, if something is."""
    nodes = {info.node or info.host for info in infos}
    if len(nodes) != case.nodes:
        message = f"the ranks run on {len(nodes)} nodes ({', '.join(sorted(nodes))}), {case.nodes} were asked"
        return _skipped(f"{message}; write {{nodes}} into the platform's option launcher: srun -N {{nodes}}")
    places = [(info.host, cpu) for info in infos for cpu in info.cpus]
    if len(places) != len(set(places)):
        return _skipped("ranks share processors; let the launcher bind each to its own, or none")
    devices = [(info.host, gpu) for info in infos for gpu in info.gpus]
    if len(devices) != len(set(devices)):
        return _skipped("ranks share GPUs; let the launcher give each its own, or all of them to all")
    return None


def _skipped(message: str) -> Failure:
    return Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=message)
