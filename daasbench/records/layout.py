"""The names of the files and folders of a results folder.

``<results>/runs/<run id>/{scenario.toml,journal.jsonl,lock,jobs/<job id>/{job.json,records.jsonl,log}}``: these files
are the truth. Everything that is derived from them can be deleted and is rebuilt.
"""

from __future__ import annotations

import errno
from pathlib import Path

from daasbench.errors import LedgerError, UsageError
from daasbench.host.output_files import fix_of

RUNS_FOLDER = "runs"  # of a results folder: one folder per run

SCENARIO_FILE = "scenario.toml"  # of a run: the scenario, with all changes by the command line
JOURNAL_FILE = "journal.jsonl"  # of a run: its events
LOCK_FILE = "lock"  # of a run: the controller that holds it
JOBS_FOLDER = "jobs"  # of a run: one folder per job

JOB_FILE = "job.json"  # of a job: what the node must measure
RECORDS_FILE = "records.jsonl"  # of a job: the results
LOG_FILE = "log"  # of a job: standard output and standard error of its worker
PHASE_FILE = "phase"  # of a job: what its worker is doing, one line of text for the person who waits
SCRATCH_FOLDER = "scratch"  # of a job: inputs and expected results; the worker removes them


def unwritable(path: Path, error: OSError) -> LedgerError | UsageError:
    """Return the error for a file that cannot be written: the path, the cause, the fix, and what is safe."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        safe = f"records written before are safe: {fix_of(error, '--results')} and run the same command again"
        return LedgerError(f"{path}: cannot be written: {error.strerror}; {safe}")
    return UsageError(f"{path}: cannot be written: {error.strerror}; {fix_of(error, '--results DIR')}")
