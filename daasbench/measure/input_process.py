"""The process that makes or reads the inputs of comparisons and computes what their oracles expect.

It measures nothing, so one process serves all sets of a job. Inputs are kept for the next set of the same problem as
long as the disk has room.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from daasbench.host import machine
from daasbench.measure.inputs import problem_folder
from daasbench.measure.messages import Command, Failure, Made, Spec
from daasbench.measure.process import MeasuringProcess
from daasbench.model import Outcome, Reason

KEPT_BYTES = 4 * 10**9  # most on disk of problems that are not being measured
LEAST_LIMIT_S = 300.0  # an oracle may take longer than any measured case


def limit_s(case_limit_s: float) -> float:
    """Return how long making the inputs of a comparison may take where a case may take `case_limit_s`."""
    return max(case_limit_s, LEAST_LIMIT_S)


class InputProcess:
    """Writes the inputs of problems into folders below `scratch`, one folder per problem.

    Parameters
    ----------
    scratch
        A folder for this process only. It is removed now, in case an earlier worker has left it, and at :meth:`close`.
    cpus
        The processors that it may use.
    timeout_s
        The process is ended if it does not answer within this time.
    """

    def __init__(self, scratch: Path, cpus: Sequence[int], log: IO[bytes], timeout_s: float) -> None:
        self.scratch, self.cpus, self.log, self.timeout_s = scratch, cpus, log, timeout_s
        self._process: MeasuringProcess | None = None
        self._kept: dict[str, Made] = {}  # by problem, the latest used at the end
        shutil.rmtree(scratch, ignore_errors=True)

    def folder(self, problem: str) -> Path:
        """Return the folder of a problem."""
        return problem_folder(self.scratch, problem)

    def start(self) -> MeasuringProcess:
        """Start the process, if it does not run, and return it."""
        if self._process is None:
            self._process = MeasuringProcess(len(self.cpus), self.cpus, self.log)
        return self._process

    def make(self, problem: str, spec: Spec) -> Made | Failure:
        """Return the facts of the inputs of `problem`, which are made now or kept from an earlier set."""
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
        """End the process, so that its libraries leave memory; the inputs that it made are kept."""
        self._end()

    def close(self) -> None:
        """End the process and remove what it made."""
        self._end()
        self._kept.clear()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _ask(self, spec: Spec) -> Made | Failure:
        """Return the answer of the process; if it has died since its last answer, start another, once."""
        while True:
            fresh = self._process is None
            process = self.start()
            machine.continue_tree(process.pid)
            answer = process.ask(Command(step="make", spec=spec), Made, timeout_s=self.timeout_s)
            if not isinstance(answer, Failure):
                machine.stop_tree(process.pid)  # its thread pools must not spin while cases are measured
                return answer
            self._end()  # it may have ended, or be in any state
            if answer.outcome == Outcome.TIMEOUT:  # no measured case was slow
                message = f"making the inputs took more than {self.timeout_s:.3g} s; choose a smaller size"
                return Failure(outcome=Outcome.FAILED, reason=Reason.HARNESS, message=message)
            if fresh:
                return answer
            shutil.rmtree(spec.scratch, ignore_errors=True)

    def _make_room(self) -> None:
        """Remove the problems that were used longest ago until the others fit."""
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
