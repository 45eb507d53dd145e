"""The ``job.json`` of a job: what the node was asked to measure."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from daasbench.errors import LedgerError
from daasbench.model import Job
from daasbench.records.schema import refuse_newer


class JobFile(NamedTuple):
    """The job of a ``job.json``, or None and a sentence with the reason."""

    job: Job | None
    problem: str = ""


def read_job(path: Path) -> JobFile:
    """Return the job of a ``job.json``; if the file is missing or incomplete, the result says so and nothing is raised.

    Raises
    ------
    LedgerError
        If the file exists and cannot be read, or a newer daasbench wrote it.
    """
    try:
        text = path.read_bytes()
        refuse_newer(text, path)
        return JobFile(msgspec.json.decode(text, type=Job))
    except FileNotFoundError:
        return JobFile(None, f"{path}: missing")
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}; nothing was changed"
        raise LedgerError(f"{message}: check the file system and run the same command again") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return JobFile(None, f"{path}: not a whole job file ({error})")
