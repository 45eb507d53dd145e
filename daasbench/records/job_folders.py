"""Job folders: which files of a results folder belong together, for whoever reads them.

The layout is ``runs/<run id>/{scenario.toml,journal.jsonl,jobs/<job id>/{job.json,records.jsonl,log}}``; any
folder with such job folders somewhere below is read: a results folder, a run, a job, a copy of some of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from daasbench.errors import LedgerError, UsageError
from daasbench.model import Job
from daasbench.records.lines import FILE, refuse_newer

JOB_FILE = "job.json"
SCENARIO_FILE = "scenario.toml"
JOURNAL_FILE = "journal.jsonl"


@dataclass(frozen=True, kw_only=True)
class JobFolder:
    """One job's folder; `root` is the index of the given folder that it was found below."""

    root: int
    path: Path
    job: Job | None

    @property
    def records(self) -> Path:
        """Return the path of its records, which may not exist yet."""
        return self.path / FILE

    def scenario(self) -> Path | None:
        """Return the scenario of its run: beside it, or at most two folders above; None if there is none."""
        for folder in (self.path, *self.path.parents[:2]):
            if (folder / SCENARIO_FILE).is_file():
                return folder / SCENARIO_FILE
        return None


def job_folders(folders: Sequence[Path]) -> tuple[list[JobFolder], list[str]]:
    """Return every job folder below `folders`, sorted by path, each once; and warnings.

    Raises
    ------
    UsageError
        If one of `folders` does not exist, or there is no ``records.jsonl`` below any of them.
    LedgerError
        If a file cannot be read, or a newer daasbench wrote it.
    """
    found: dict[Path, JobFolder] = {}
    warnings: list[str] = []
    for root, folder in enumerate(folders):
        if not folder.exists():
            raise UsageError(f"{folder}: no such folder; name the one that was given to --results (results/)")
        start = folder.resolve() if folder.is_dir() else folder.resolve().parent
        files = [*start.rglob(FILE), *start.rglob(JOB_FILE)]
        for path in sorted({file.parent for file in files} - found.keys()):
            job, warning = _read_job(path / JOB_FILE)
            found[path] = JobFolder(root=root, path=path, job=job)
            warnings += filter(None, [warning])
    if not any(job_folder.records.is_file() for job_folder in found.values()):
        raise no_records(folders)
    return list(found.values()), warnings


def no_records(folders: Sequence[Path]) -> UsageError:
    """Return the error for folders in which nothing has been measured yet."""
    where = ", ".join(map(str, folders))
    return UsageError(
        f"{where}: no records here; measure first (daasbench run quickstart), or name another folder with --results"
    )


def _read_job(path: Path) -> tuple[Job | None, str]:
    try:
        text = path.read_bytes()
        refuse_newer(msgspec.json.decode(text, type=_Stub).schema, path)
        return msgspec.json.decode(text, type=Job), ""
    except FileNotFoundError:
        return None, f"{path}: missing; its records have no price, and gaps in its plan cannot be named"
    except OSError as error:
        raise LedgerError(f"{path}: cannot be read ({error.strerror}); nothing was changed") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return None, f"{path}: not a whole job file ({error}); its records have no price, gaps have no name"


class _Stub(msgspec.Struct):
    schema: int
