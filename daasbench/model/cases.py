"""The case: one cell of the grid that a scenario asks for; and when its repeats stop."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from daasbench.model.states import Count, Noun, Scalar, Seconds, Written, digest

Processes = (
    Annotated[  # not tuple[Count, Count]: with it, msgspec 0.22 crashes the interpreter in a collection of garbage
        Count | Annotated[tuple[Count, ...], msgspec.Meta(min_length=2, max_length=2)],
        msgspec.Meta(description="a whole number of 1 or more, or a range such as [3, 12]"),
    ]
)
"""How many sets of processes: a number, or the least and the most."""
Width = Annotated[float, msgspec.Meta(gt=0, lt=1)]
"""Relative half-width of a 95 % interval."""


class Repeat(Written, frozen=True, kw_only=True):
    """When the repeats of a case and its sets of processes stop; not part of the identity of a case."""

    processes: Processes = 5
    min_repeats: Count = 5
    interval: Width = 0.02  # of the median of one process
    precision: Width = 0.1  # across processes; with a range of processes, sets are added until it is reached
    time_s: Seconds | None = None  # of the whole run; after it, no set is added
    measure_s: Seconds | None = None  # of repeats, per case and process
    limit_s: Seconds = 600.0  # per case and process, from its start
    max_repeats: Count = 10_000

    @property
    def least_processes(self) -> int:
        """Return how many sets of processes are measured in any case."""
        return self.processes if isinstance(self.processes, int) else self.processes[0]

    @property
    def most_processes(self) -> int:
        """Return how many sets of processes are measured at most."""
        return self.processes if isinstance(self.processes, int) else self.processes[1]

    @property
    def adds_processes(self) -> bool:
        """Return whether the number of sets of processes depends on what they measure."""
        return self.most_processes > self.least_processes

    @property
    def hard_limit_s(self) -> float:
        """Return the seconds after which a process that does not answer is killed: 1.25 times its limit, and 1 s."""
        return 1.25 * self.limit_s + 1.0


Start = Literal["warm", "uncompiled", "cold", "first"]
"""The state in which processes start: files in memory or not, code compiled or not; ``first`` is cold and uncompiled.

See :mod:`daasbench.measure.start_state`.
"""


class Case(Noun, frozen=True, kw_only=True):
    """One cell of the grid. `size` and `seed` are None where an input file is measured."""

    kernel: str
    implementation: str
    version: str
    size: str | None = None
    seed: int | None = None
    input: str | None = None  # as written, for readers
    files: dict[str, str] = {}  # option: file name, for readers
    input_hash: str | None = None  # of the content of the input and of the files named in options
    options: dict[str, Scalar] = {}  # options that are not files and not at their default
    cache: bool = False  # the case measures the cache: one input block
    nodes: int = 1
    ranks: int = 1
    threads: int = 1
    gpus: int = 0  # per rank
    start: Start | None = None  # in which state its processes start; None: not controlled
    grown: int = 1  # factor by which the problem is larger than its size, along the kernel's own axis
    quick: bool = False  # a quick look: repeats stop after a second; never compared with a full measurement

    @property
    def id(self) -> str:
        """Return the content hash of the case: 16 hexadecimal digits; file names do not count."""
        named = msgspec.structs.replace(self, input=None, files={})
        facts = {key: getattr(named, key) for key in Case.__struct_fields__}
        # without fields at their default, so that a field that is added later changes no id
        return digest({key: value for key, value in facts.items() if value != getattr(_BLANK, key)})

    @property
    def cores_per_node(self) -> int:
        """Return the hardware threads that the case asks of each node."""
        return self.threads * -(-self.ranks // self.nodes)

    @property
    def problem_id(self) -> str:
        """Return the hash of problem and start state: equal for all cases of one comparison."""
        what = [self.kernel, self.size, self.seed, self.input_hash, self.options, self.cache, self.nodes]
        what += [self.start] if self.start else []
        what += [{"grown": self.grown}] if self.grown > 1 else []
        what += [{"quick": True}] if self.quick else []
        return digest(what)


_BLANK = Case(kernel="", implementation="", version="")
