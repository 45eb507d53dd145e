"""What a rank says of itself when it has started, and whether that is what its case asks for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.measure.messages import Failure
from daasbench.model import Case, Noun, Outcome, Reason

THREADS = "OMP_NUM_THREADS"  # the variable by which is seen whether the launcher hands on variables


class Hello(Noun, frozen=True, kw_only=True, tag=True):
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


def doubt(hello: Hello, case: Case, launcher: str) -> Failure | None:
    """Return what is wrong with one rank that `launcher` started, if something is."""
    if hello.size != case.ranks:
        seen = "none sees another" if hello.size == 1 else f"each sees {hello.size}"
        told = (
            f"the launcher {launcher} was asked for {case.ranks} ranks, and {seen}: it belongs to another MPI than"
            f" this Python's ({hello.library}); name that of this MPI in the platform's option launcher, or leave"
            " the option out"
        )
        return _skipped(told)
    if hello.threads != str(case.threads):
        told = f"the launcher {launcher} does not hand on variables: {THREADS} is {hello.threads} on rank"
        return _skipped(f"{told} {hello.rank}, not {case.threads}; add its option that does, such as -x or --export")
    if len(hello.cpus) < case.threads:
        told = f"the launcher {launcher} binds rank {hello.rank} to {len(hello.cpus)} processors, it has"
        return _skipped(f"{told} {case.threads} threads; let it bind none, or that many")
    if len(hello.gpus) != case.gpus:
        told = f"the launcher {launcher} leaves {len(hello.gpus)} GPUs to rank {hello.rank}, it computes with"
        return _skipped(f"{told} {case.gpus}; let it give each rank that many, or all of them to all")
    return None


def doubt_all(hellos: Sequence[Hello], case: Case) -> Failure | None:
    """Return what is wrong with the ranks of a case together, if something is."""
    nodes = {hello.node or hello.host for hello in hellos}
    if len(nodes) != case.nodes:
        told = f"the ranks run on {len(nodes)} nodes ({', '.join(sorted(nodes))}), {case.nodes} were asked"
        return _skipped(f"{told}; write {{nodes}} into the platform's option launcher: srun -N {{nodes}}")
    places = [(hello.host, cpu) for hello in hellos for cpu in hello.cpus]
    if len(places) != len(set(places)):
        return _skipped("ranks share processors; let the launcher bind each to its own, or none")
    devices = [(hello.host, gpu) for hello in hellos for gpu in hello.gpus]
    if len(devices) != len(set(devices)):
        return _skipped("ranks share GPUs; let the launcher give each its own, or all of them to all")
    return None


def _skipped(told: str) -> Failure:
    return Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=told)
