"""The time that a rank spends in calls to MPI, including the time in which it waits for other ranks.

The communicator that an implementation receives reads the clock before and after each call. So do the communicators,
requests and windows that are made from it. Calls that a library makes from C or Fortran are not timed.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable
from typing import Any

TALK = re.compile(  # methods that communicate or wait; those in lower case send objects
    r"""(?ix)^(
        i?sendrecv(_replace)? | i?[bsr]?send | ([bsr]?|p)send_init | i?recv | p?recv_init | i?m?probe
        | i?(neighbor_)?(barrier | bcast | gatherv? | scatterv? | allgatherv? | alltoall[vw]? | reduce | allreduce
          | reduce_scatter(_block)? | scan | exscan)(_init)?
        | (wait | test | start)(all | any | some)?
        | fence | r?put | r?get | r?accumulate | r?get_accumulate | fetch_and_op | compare_and_swap
        | (un)?lock(_all)? | flush(_local)?(_all)? | sync | post | complete
    )$"""
)
OFFSPRING = re.compile(r"^(Clone|Create|Create_(cart|graph|dist_graph.*|group)|Dup.*|Split.*|Sub)$")
COMMS = ("Intracomm", "Cartcomm", "Graphcomm", "Distgraphcomm")
WAITING = ("Request", "Prequest", "Win")
PROBES, ROUNDS = 2000, 5  # calls per round, and rounds, that measure the cost of the clock


class MpiTime:
    """The time that a rank has spent in MPI.

    Attributes
    ----------
    seconds, calls
        Seconds in calls that communicate, and the number of these calls, since this object was made.
    """

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, 0

    def clocked(self, call: Callable[..., Any], dress: Callable[[Any], Any]) -> Callable[..., Any]:
        """Return `call` with a clock around it; its result is wrapped by `dress` outside of the timed part."""
        clock = time.perf_counter

        @functools.wraps(call)
        def timed(*words: Any, **named: Any) -> Any:
            started = clock()
            try:
                result = call(*words, **named)
            finally:
                self.seconds += clock() - started
                self.calls += 1
            return dress(result)

        return timed

    def watch(self, comm: Any) -> Any:
        """Return `comm` with clocks.

        Implementations call ``MPI.Request.Waitall``. Therefore the classes in mpi4py's module are replaced by classes
        with clocks. Only the process of a rank may do this: it measures and then ends.
        """
        from mpi4py import MPI

        dressed = _dressed(self, MPI)
        for name in WAITING:
            setattr(MPI, name, dressed[name])
        return dressed[type(comm).__name__](comm)


def _dressed(mpi_time: MpiTime, mpi: Any) -> dict[str, Any]:
    """Return, by name, a subclass with clocks for each class whose objects communicate or wait."""
    dressed: dict[str, Any] = {}

    def dress(result: Any) -> Any:
        kind = dressed.get(type(result).__name__)
        return result if kind is None or isinstance(result, kind) else kind(result)

    for name in (*COMMS, *WAITING):
        plain = getattr(mpi, name)
        changed: dict[str, Any] = {}
        for method in filter(_is_method_of(plain), dir(plain)):
            call = getattr(plain, method)
            if TALK.match(method):
                of_class = getattr(call, "__self__", None) is plain  # Waitall: a method of the class
                timed = mpi_time.clocked(call, dress)
                changed[method] = staticmethod(timed) if of_class else timed
            elif name in COMMS and OFFSPRING.match(method):
                changed[method] = _then(call, dress)
        dressed[name] = type(name, (plain,), changed)
    return dressed


def _is_method_of(kind: Any) -> Callable[[str], bool]:
    return lambda name: not name.startswith("_") and callable(getattr(kind, name))


def _then(call: Callable[..., Any], dress: Callable[[Any], Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def after(*words: Any, **named: Any) -> Any:
        return dress(call(*words, **named))

    return after


def clock_cost_s() -> float:
    """Return how many seconds longer a call takes with a clock around it: the smallest value of several rounds."""

    def nothing() -> None:
        return None

    clocked = MpiTime().clocked(nothing, lambda result: result)
    return max(0.0, min(map(_round_s, [clocked] * ROUNDS)) - min(map(_round_s, [nothing] * ROUNDS)))


def _round_s(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    for _ in range(PROBES):
        call()
    return (time.perf_counter() - started) / PROBES
