"""The results folder: runs, journals, locks, and ledgers of records; a torn line costs only itself."""

from __future__ import annotations

from daasbench.records.interrupted import interrupted_attempts, was_interrupted
from daasbench.records.job_folders import JobFolder
from daasbench.records.layout import (
    JOB_FILE,
    JOBS_FOLDER,
    JOURNAL_FILE,
    LOCK_FILE,
    LOG_FILE,
    RECORDS_FILE,
    RUNS_FOLDER,
    SCENARIO_FILE,
    SCRATCH_FOLDER,
)
from daasbench.records.ledger import Ledger
from daasbench.records.readers import Reading, read_lines
from daasbench.records.run_folder import RunFolder

__all__ = [
    "JOBS_FOLDER",
    "JOB_FILE",
    "JOURNAL_FILE",
    "LOCK_FILE",
    "LOG_FILE",
    "RECORDS_FILE",
    "RUNS_FOLDER",
    "SCENARIO_FILE",
    "SCRATCH_FOLDER",
    "JobFolder",
    "Ledger",
    "Reading",
    "RunFolder",
    "interrupted_attempts",
    "read_lines",
    "was_interrupted",
]
