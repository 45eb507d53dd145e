"""The runs of a results folder: find the run that continues a plan, or start a new run."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from daasbench.model import Event, Scalar, digest
from daasbench.records.layout import JOURNAL_FILE, RUNS_FOLDER, SCENARIO_FILE, unwritable
from daasbench.records.run_folder import RunFolder

NEW_RUN_LOCK = ".lock"  # in the folder of all runs: held while a run is searched and created


def runs(results: Path) -> list[RunFolder]:
    """Return the runs of a results folder, the oldest first."""
    paths = sorted((results / RUNS_FOLDER).glob("*"))
    return [RunFolder(path) for path in paths if (path / JOURNAL_FILE).is_file()]


def latest(results: Path, identity: str, commit: str) -> RunFolder | None:
    """Return the latest run of a plan; None if a new run is needed, because it was finished under another commit."""
    for folder in reversed(runs(results)):
        created = folder.created()
        if created is not None and created.detail.get("identity") == identity:
            same = created.detail.get("commit") == commit
            return folder if same or not folder.finished() else None
    return None


def dry_run(results: Path) -> RunFolder:
    """Return the folder of a new run, which does not exist yet; it is used for rendering."""
    return RunFolder(results / RUNS_FOLDER / "dry-run")


@contextlib.contextmanager
def opened(  # noqa: PLR0913  (what a new run is made of, each by its name)
    results: Path,
    *,
    name: str,
    identity: str,
    commit: str,
    text: str,
    at: str,
    again: bool,
    command: str,
    measurements: int | None = None,
) -> Iterator[RunFolder]:
    """Hold the run to continue: the latest of this identity, or a new run.

    A run that was finished under another commit of the suite is not changed: its successor is a new run.

    Raises
    ------
    Locked
        If another controller holds the run.
    LedgerError, UsageError
        If the folder cannot be written.
    """
    try:
        (results / RUNS_FOLDER).mkdir(parents=True, exist_ok=True)
        door = os.open(results / RUNS_FOLDER / NEW_RUN_LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        done = None if again else latest(results, identity, commit)
        if done is None or not done.finished():
            raise unwritable(results, error) from error
        yield done  # nothing needs to be written
        return
    with contextlib.ExitStack() as stack:
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(door, fcntl.LOCK_EX)
            folder = None if again else latest(results, identity, commit)
            if folder is None:
                detail = {"name": name, "identity": identity, "commit": commit, "command": command}
                folder = _create(results, text, at, {**detail, "measurements": measurements})
            stack.enter_context(folder.locked(at))
        finally:
            os.close(door)
        yield folder


def _create(results: Path, text: str, at: str, detail: Mapping[str, Scalar | None]) -> RunFolder:
    """Return a new run; `detail` is that of its journal's first event."""
    stamp = at[:19].replace("-", "").replace(":", "") + "Z"
    stamp = max([stamp, *(run.id.partition("-")[0] for run in runs(results))])  # a clock may have been set back
    base = f"{stamp}-{detail['name']}-{digest([detail['identity'], detail['commit']])[:6]}"
    path, number = results / RUNS_FOLDER / base, 1
    try:
        while path.exists():
            number += 1
            path = results / RUNS_FOLDER / f"{base}-{number}"
        path.mkdir(parents=True)
        (path / SCENARIO_FILE).write_text(text)
    except OSError as error:
        raise unwritable(path, error) from error
    folder = RunFolder(path)
    folder.note_all([Event(at=at, event="created", detail=dict(detail))])
    return folder
