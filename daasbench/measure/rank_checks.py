"""The registration of an MPI rank, and the checks whether the ranks are as the case requests. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.measure.messages import Failure
from daasbench.model import Case, Noun, Outcome, Reason

THREADS = "OMP_NUM_THREADS"  # shows whether the launcher passes environment variables on


class RankInfo(Noun, frozen=True, kw_only=True, tag=True):
    """What a rank sends first: its token on both connections, then, on one, its number and its resources."""

    token: str
    pid: int
    host: str
    node: str = ""  # its name in Slurm, which may run several nodes on one host
    rank: int = 0
    size: int = 0  # number of ranks that it sees; 0: not known yet
    cpus: list[int] = []
    threads: str | None = None  # value of the variable
    gpus: list[str] = []  # that it computes with; identifiers if the driver gives them, else names
    library: str = ""


def check_rank(info: RankInfo, case: Case, launcher: str) -> Failure | None:
    """Return what is wrong with a rank that `launcher` started; None if nothing is."""
    if info.size != case.ranks:
        seen = "each sees only itself" if info.size == 1 else f"each sees {info.size}"
        message = (
            f"launcher {launcher} was to start {case.ranks} ranks, and {seen}: it belongs to another MPI than"
            f" this Python's ({info.library}); name that of this MPI in the platform's option launcher, or remove"
            " the option"
        )
        return _skipped(message)
    if info.threads != str(case.threads):
        message = f"launcher {launcher} does not pass environment variables on: {THREADS} is {info.threads} on rank"
        fix = "add its option that passes them on, such as -x or --export"
        return _skipped(f"{message} {info.rank}, not {case.threads}; {fix}")
    if len(info.cpus) < case.threads:
        message = f"launcher {launcher} binds rank {info.rank} to {len(info.cpus)} processors, the case uses"
        return _skipped(f"{message} {case.threads} threads per rank; bind that many to each rank, or do not bind ranks")
    if len(info.gpus) != case.gpus:
        message = f"launcher {launcher} exposes {len(info.gpus)} GPUs to rank {info.rank}, the case uses {case.gpus}"
        fix = f"bind exactly {case.gpus} to each rank, or expose all GPUs to every rank"
        return _skipped(f"{message} per rank; {fix}")
    return None


def check_ranks(infos: Sequence[RankInfo], case: Case) -> Failure | None:
    """Return what is wrong with the ranks of a case together; None if nothing is."""
    nodes = {info.node or info.host for info in infos}
    if len(nodes) != case.nodes:
        message = f"the ranks run on {len(nodes)} nodes ({', '.join(sorted(nodes))}), {case.nodes} were requested"
        return _skipped(f"{message}; write {{nodes}} into the platform's option launcher: srun -N {{nodes}}")
    processors = [(info.host, cpu) for info in infos for cpu in info.cpus]
    if len(processors) != len(set(processors)):
        return _skipped("ranks share processors; bind each rank to its own processors, or do not bind ranks")
    devices = [(info.host, gpu) for info in infos for gpu in info.gpus]
    if len(devices) != len(set(devices)):
        return _skipped("ranks share GPUs; bind each rank to its own GPUs, or expose all GPUs to every rank")
    return None


def _skipped(message: str) -> Failure:
    return Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=message)
