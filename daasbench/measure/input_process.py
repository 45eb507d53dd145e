"""The process that makes or reads the inputs of comparisons and works out what their oracles expect.

It measures nothing, so one process serves all sets of a job, and what it made is kept for the next set of the
same problem as long as there is room.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from daasbench.host import machine
from daasbench.measure.messages import Command, Failure, Made, Spec
from daasbench.measure.process import MeasuringProcess
from daasbench.model import Outcome, Reason

KEPT_BYTES = 4 * 10**9  # on disk, at most, of problems that are not being measured
LEAST_LIMIT_S = 300.0  # an oracle may take longer than any contender


def limit_s(case_limit_s: float) -> float:
    """Return how long making the inputs of a comparison may take where a case may take `case_limit_s`."""
    return max(case_limit_s, LEAST_LIMIT_S)


class InputProcess:
    """Leaves problems in folders below `scratch`, one a problem.

    Parameters
    ----------
    scratch
        A folder of its own; it is removed at :meth:`close`, and what an earlier worker left there at once.
    cpus
        The processors that it may use.
    timeout_s
        After which it is ended.
    """

    def __init__(self, scratch: Path, cpus: Sequence[int], log: IO[bytes], timeout_s: float) -> None:
        self.scratch, self.cpus, self.log, self.timeout_s = scratch, cpus, log, timeout_s
        self._process: MeasuringProcess | None = None
        self._kept: dict[str, Made] = {}  # by problem, the latest used last
        shutil.rmtree(scratch, ignore_errors=True)

    def folder(self, problem: str) -> Path:
        """Return where the problem lies."""
        return self.scratch / problem

    def make(self, problem: str, spec: Spec) -> Made | Failure:
        """Return what is known of the inputs of `problem`, made now or kept from an earlier set."""
        made = self._kept.pop(problem, None)
        if made is None:
            self._make_room()
            answer = self._ask(spec)
            if isinstance(answer, Failure):
                shutil.rmtree(self.folder(problem), ignore_errors=True)
                return answer
            made = answer
        self._kept[problem] = made
        return made

    def dismiss(self) -> None:
        """End the process, whose libraries stay in memory while it lives; what it made stays."""
        self._end()

    def close(self) -> None:
        """End the process and remove what it made."""
        self._end()
        self._kept.clear()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _ask(self, spec: Spec) -> Made | Failure:
        """Return the process's answer; one that died since it last answered is replaced, once."""
        while True:
            fresh = self._process is None
            self._process = self._process or MeasuringProcess(len(self.cpus), self.cpus, self.log)
            machine.continue_tree(self._process.pid)
            answer = self._process.ask(Command(step="make", spec=spec), Made, timeout_s=self.timeout_s)
            if not isinstance(answer, Failure):
                machine.stop_tree(self._process.pid)  # its thread pools shall not spin beside the contenders
                return answer
            self._end()  # it may be gone, or in any state
            if answer.outcome == Outcome.TIMEOUT:  # no contender was slow
                message = f"making the inputs took more than {self.timeout_s:.3g} s; choose a smaller size"
                return Failure(outcome=Outcome.FAILED, reason=Reason.HARNESS, message=message)
            if fresh:
                return answer
            shutil.rmtree(spec.scratch, ignore_errors=True)

    def _make_room(self) -> None:
        """Remove the problems that were used longest ago until those that stay fit."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        room = min(KEPT_BYTES, shutil.disk_usage(self.scratch).free // 4)
        while self._kept and sum(made.bytes for made in self._kept.values()) > room:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            shutil.rmtree(self.folder(oldest), ignore_errors=True)

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
