"""The command that gets what is missing: more processes of the same scenario."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from daasbench.evidence.claims import ProblemResults
from daasbench.records.layout import RUNS_FOLDER, SCENARIO_FILE
from daasbench.statistics import processes_needed

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

PROCESSES = "repeat.processes"


def more_processes(evidence: Evidence, problems: Sequence[ProblemResults]) -> str:
    """Return the command that measures the same problems with more processes; finished measurements are kept."""
    rows = [row for problem in problems for entry in problem.newest for row in entry.rows]
    newest = max(rows, key=lambda row: row.record.started_at, default=None)
    run = newest.record.run if newest else ""
    seen = max((row.record.process + 1 for row in rows), default=0)
    return run_command(evidence, run, "--set", f"{PROCESSES}={processes_needed(seen)}")


def run_command(evidence: Evidence, run: str, *words: str) -> str:
    """Return the command that was given for a run, and `words` that change it; a command that repeats it otherwise.

    The given number of processes remains, unless the words have another.
    """
    given = next(
        (event.detail["command"] for event in evidence.journals.get(run, []) if event.detail.get("command")), None
    )
    if not isinstance(given, str) or not given.startswith("daasbench run"):
        return " ".join((f"daasbench run results/{RUNS_FOLDER}/{run}/{SCENARIO_FILE}", *words))
    given = re.sub(r" (--again|--quick)(?= |$)", "", given)
    if any(word.startswith(PROCESSES) for word in words):
        given = re.sub(rf" --set[ =](['\"]?){re.escape(PROCESSES)}=(\[[^\]]*\]|[^\s'\"]+)\1(?= |$)", "", given)
    return " ".join((given, *words))
